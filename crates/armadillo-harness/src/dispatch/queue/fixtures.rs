//! Which slots keep fixtures for which deployments.

use super::{NOTE_LIMIT, Queue};
use crate::protocol::daemon::FixturesGone;
use crate::protocol::endpoints;

impl Queue {
    /// `slot` keeps fixtures for these deployments. Returns what the daemon is to be told of them: it may answer another slot at once
    /// that they are to be torn down.
    pub(in crate::dispatch) fn keeps(&self, slot: u32, deployments: &[String]) -> Vec<String> {
        let mut state = self.state.borrow_mut();
        for deployment in deployments {
            if state.ended.contains(deployment) {
                continue;
            }
            let keepers = state.keepers.entry(deployment.clone()).or_default();
            keepers.insert(slot);
        }
        deployments.to_vec()
    }

    /// The fixtures that `slot` kept for a deployment, or for all, are gone: torn down, or lost with their process.
    pub(in crate::dispatch) async fn fixtures_gone(&self, slot: u32, deployment: Option<&str>) {
        let gone: Vec<String> = {
            let mut state = self.state.borrow_mut();
            let mut gone = Vec::new();
            state.keepers.retain(|kept, slots| {
                if deployment.is_none_or(|deployment| deployment == kept) {
                    slots.remove(&slot);
                }
                if slots.is_empty() {
                    gone.push(kept.clone());
                }
                !slots.is_empty()
            });
            if deployment.is_none() {
                state.chores.remove(&slot);
            }
            gone
        };
        for deployment in gone {
            self.tell_gone(deployment).await;
        }
        self.changed.notify_waiters();
    }

    /// A deployment has stopped. If it was replaced, what slots keep for it ends with their processes: its data is gone.
    pub(in crate::dispatch) fn deployment_ended(&self, deployment: &str) {
        let mut state = self.state.borrow_mut();
        state.keepers.remove(deployment);
        state.ended.insert(deployment.to_owned());
        drop(state);
        self.changed.notify_waiters();
    }

    async fn tell_gone(&self, deployment: String) {
        let Some(daemon) = &self.daemon else {
            return;
        };
        let gone = FixturesGone { deployment };
        // If it cannot be said, the deployment stops with the run.
        let _ = self
            .tell::<endpoints::FixturesGone>(daemon, &gone, NOTE_LIMIT)
            .await;
    }
}
