//! Crashes that are looked into, each in a task of its own, while the deployment goes on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::task::AbortHandle;

use super::Deployment;
use crate::cores::PostMortem;
use crate::deadline::Deadline;
use crate::system::Fut;

/// Those of a deployment. Dropping it ends those that are under way.
#[derive(Default)]
pub(super) struct Autopsies(Mutex<Vec<One>>);

struct One {
    noticed: Instant,
    task: AbortHandle,
    found: Option<PostMortem>,
}

impl Autopsies {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<One>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Autopsies {
    fn drop(&mut self) {
        self.with(|all| all.iter().for_each(|one| one.task.abort()));
    }
}

impl Deployment {
    /// Begins to look into a crash that was noticed then.
    pub(super) fn spawn_autopsy(
        self: &Arc<Self>,
        noticed: Instant,
        autopsy: Fut<'static, PostMortem>,
    ) {
        let deployment = Arc::downgrade(self);
        // Its number holds: none is ever taken out. A task that runs at once waits for the lock.
        self.autopsies.with(|all| {
            let number = all.len();
            let task = tokio::spawn(async move {
                let found = autopsy.await;
                if let Some(deployment) = deployment.upgrade() {
                    deployment.autopsies.with(|all| {
                        if let Some(one) = all.get_mut(number) {
                            one.found = Some(found);
                        }
                    });
                    deployment.changed();
                }
            });
            all.push(One {
                noticed,
                task: task.abort_handle(),
                found: None,
            });
        });
    }

    /// Waits until every crash so far has been looked into.
    pub async fn note_autopsies(&self, deadline: impl Into<Deadline> + Send) {
        let deadline = deadline.into();
        let mut changes = self.changes();
        let is_open = |all: &mut Vec<One>| all.iter().any(|one| one.found.is_none());
        while self.autopsies.with(is_open) {
            if !matches!(deadline.bound(changes.changed()).await, Some(Ok(()))) {
                return;
            }
        }
    }

    /// What is known of the crashes that were looked into, and when each was noticed.
    #[must_use]
    pub fn post_mortems(&self) -> Vec<(Instant, PostMortem)> {
        self.autopsies.with(|all| {
            let found = all
                .iter()
                .filter_map(|one| Some((one.noticed, one.found.clone()?)));
            found.collect()
        })
    }
}
