//! Stopping: politely, in order, with an escalation that ends, and a judgement of how each server went.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Deployment;
use super::status::{Phase, Server};
use crate::deadline::Deadline;
use crate::join::join_all;
use crate::process::Exit;
use crate::server::{ServerKey, Stop, Verb};
use crate::system::ExitMeaning;

/// How long an operation that is in progress may take to stop where it is safe, before everything ends.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// How long a killed process may take to be gone.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How long it may take to look at a server that does not stop.
const EVIDENCE_LIMIT: Duration = Duration::from_secs(10);

/// How one server was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOutcome {
    /// How it ended; `None` if it did not run, or has not ended.
    pub exit: Option<Exit>,
    /// What had to be done because asking was not enough.
    pub escalated: Option<String>,
    /// What was wrong with how it ended.
    pub complaint: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// How a deployment was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// Each server that ran.
    pub servers: BTreeMap<ServerKey, StopOutcome>,
    /// How long it took.
    pub took: Duration,
}

impl StopReport {
    /// Everything that was not as it should be, one sentence each.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let complaint = |(key, outcome): (&ServerKey, &StopOutcome)| {
            let what = outcome.complaint.as_ref()?;
            Some(format!("{key} {what}"))
        };
        self.servers.iter().filter_map(complaint).collect()
    }
}

impl Deployment {
    /// Stops every server: in parallel where the plan has no order, politely first, by force when that takes too long or
    /// the deadline has passed. No operation is possible afterwards. The directories stay, without the secrets.
    pub async fn stop(&self, deadline: impl Into<Deadline> + Send) -> StopReport {
        let deadline = deadline.into();
        let begun = Instant::now();
        self.end_operations(deadline.within(CANCEL_LIMIT)).await;
        self.ended.store(true, Ordering::SeqCst);
        let all = self.servers.values().map(|server| async move {
            for before in &server.plan.stop_after {
                if let Some(before) = self.servers.get(before) {
                    // At the deadline everyone goes at once.
                    let _ = deadline.bound(before.gone()).await;
                }
            }
            if !server.phase().is_alive() {
                return None;
            }
            let stop = self.system.last_stop().unwrap_or_else(|| server.stop());
            let outcome = self.stop_one(server, stop, deadline).await;
            Some((server.plan.key.clone(), outcome))
        });
        let servers = join_all(all).await.into_iter().flatten().collect();
        self.end_links(deadline).await;
        self.note_autopsies(deadline).await;
        self.close_logs();
        self.site.remove_secrets();
        StopReport {
            servers,
            took: begun.elapsed(),
        }
    }

    /// Kills every server and waits until all are gone.
    pub(super) async fn end(&self, deadline: Deadline) {
        self.ended.store(true, Ordering::SeqCst);
        let all = self.servers.values().map(|server| async move {
            if let Some(running) = server.running() {
                server.expect_exit(true);
                // Whatever is still there then is ended with this process.
                let _ = running.deliver(Verb::Kill, deadline).await;
                let _ = deadline.bound(server.gone()).await;
            }
        });
        join_all(all).await;
        self.end_links(deadline).await;
        self.site.remove_secrets();
    }

    /// Stops one server as said, and by force at the end.
    pub(super) async fn stop_one(
        &self,
        server: &Server,
        stop: Stop,
        deadline: Deadline,
    ) -> StopOutcome {
        let begun = Instant::now();
        let Some(running) = server.running() else {
            return StopOutcome::default();
        };
        let was_paused = server.phase() == Phase::Paused;
        server.expect_exit(true);
        let mut steps = vec![(stop.polite, stop.grace)];
        steps.extend(stop.then);
        let mut tried = Vec::new();
        for (verb, limit) in steps {
            if verb == Verb::Kill || deadline.passed() {
                break;
            }
            if was_paused {
                // A frozen process takes nothing but SIGKILL. If it has ended, that is seen below.
                let _ = running.deliver(Verb::Resume, deadline).await;
            }
            if verb == Verb::Abort {
                self.keep_evidence_of(server).await;
            }
            let _ = running.deliver(verb, deadline).await;
            let asked = Instant::now();
            if deadline.within(limit).bound(server.gone()).await.is_some() {
                return self.judge(server, stop.polite, &tried, begun);
            }
            tried.push(format!(
                "it did not exit within {:.1?} after {verb}",
                asked.elapsed()
            ));
        }
        if stop.polite != Verb::Kill {
            tried.push("it was killed".to_owned());
        }
        let limit = Deadline::after(KILL_LIMIT);
        let _ = running.deliver(Verb::Kill, limit).await;
        let _ = limit.bound(server.gone()).await;
        self.judge(server, stop.polite, &tried, begun)
    }

    /// Keeps what can be seen of a server that does not stop, before it is ended by force.
    async fn keep_evidence_of(&self, server: &Server) {
        let dest = self.directory.join(format!("{}-stuck", server.plan.key));
        let report = self
            .look_for_evidence(&dest, Deadline::after(EVIDENCE_LIMIT))
            .await;
        self.notices.warn(format!(
            "{} does not stop; {} files about it are in {}",
            server.plan.key,
            report.saved.len(),
            dest.display()
        ));
    }

    fn judge(
        &self,
        server: &Server,
        polite: Verb,
        tried: &[String],
        begun: Instant,
    ) -> StopOutcome {
        let escalated = (!tried.is_empty()).then(|| tried.join("; "));
        let exit = if server.phase().is_alive() {
            None
        } else {
            server.last_exit()
        };
        let complaint = match (exit, &escalated) {
            (None, _) => Some("still exists after it was killed".to_owned()),
            (Some(_), Some(escalated)) => Some(format!("did not shut down cleanly: {escalated}")),
            (Some(exit), None) if exit.is_by(polite) => None,
            (Some(exit), None) => match self.meaning(server, exit) {
                ExitMeaning::Clean => None,
                ExitMeaning::Unknown if exit.code == Some(0) => None,
                _ => Some(format!(
                    "was stopped and exited with {}",
                    self.describe(server, exit)
                )),
            },
        };
        StopOutcome {
            exit,
            escalated,
            complaint,
            took: begun.elapsed(),
        }
    }
}
