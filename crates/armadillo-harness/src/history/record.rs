//! What a run adds to the history.

use super::History;
use super::attempt::{Attempt, Company, Outcome, Took};
use crate::event::{RunStarted, StartReason};
use crate::report::{Attempt as Ran, DeploymentRecord, Model};

impl History {
    /// What this run has found out: how its tests ended, how long they and its deployments took.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        let mut history = Self::default();
        let Some(started) = &model.started else {
            return history;
        };
        if model.is_of_command() {
            // All commands would count as one test.
            return history;
        }
        let run = history.run(run_of(started));
        if let Some(known) = history.runs.get_mut(run as usize) {
            known.commit.clone_from(&started.commit);
        }
        // nextest tries again in another process.
        let may_follow = started.part.as_ref().is_some_and(|part| part.may_follow);
        let begun_ms =
            (started.unix_time.saturating_mul(1000)).saturating_add(started.unix_millis.into());
        for test in &model.tests {
            // Repetitions are of one test.
            let name = test.name.split('#').next().unwrap_or(&test.name);
            let id = model.id_of(name);
            let planned = model.planned(&test.name);
            let on = planned
                .and_then(|test| test.topologies())
                .unwrap_or_default();
            let attempts = test
                .attempts
                .iter()
                .filter_map(|ran| attempt(ran, (run, begun_ms), may_follow));
            let attempts: Vec<Attempt> = attempts.collect();
            if !attempts.is_empty() {
                history.attempts_of(&id, &on).extend(attempts);
            }
        }
        for deployment in model.deployments.values() {
            history.deployment(deployment, run, begun_ms);
        }
        history.put_in_order();
        history.forget_repetitions();
        history
    }

    fn deployment(&mut self, deployment: &DeploymentRecord, run: u32, begun_ms: u64) {
        // Of one whose servers its test starts nothing is known, what another process has started, that one knows, and what is
        // somebody else's was not started.
        let unknown = [
            StartReason::Unstarted,
            StartReason::Shared,
            StartReason::Attached,
        ]
        .map(Some);
        let is_started = !unknown.contains(&deployment.reason);
        let took = |us: u64, after_us: u64| Took {
            at_ms: begun_ms.saturating_add(deployment.starting_us.saturating_add(after_us) / 1000),
            run,
            us,
        };
        let start = deployment.took_us.filter(|_| is_started);
        let start = start.map(|us| took(us, us));
        let repairs = deployment.repairs_us.iter().map(|us| took(*us, *us));
        if start.is_none() && deployment.repairs_us.is_empty() {
            return;
        }
        let known = self
            .topologies
            .entry(deployment.topology.clone())
            .or_default();
        known.starts.extend(start);
        known.repairs.extend(repairs);
    }
}

/// The run that people mean: that of nextest, or of all executables, if this is a part of one.
fn run_of(started: &RunStarted) -> &str {
    let whole = started.part.as_ref().and_then(|part| part.of.as_deref());
    whole.unwrap_or(&started.run)
}

/// What is remembered of an attempt; `None` if it says nothing of the test.
fn attempt(ran: &Ran, (run, begun_ms): (u32, u64), may_follow: bool) -> Option<Attempt> {
    let finished = &ran.finished;
    let company = match finished.company.is_shared {
        _ if finished.deployments.is_empty() => None,
        true => Some(Company::Shared),
        false => Some(Company::Alone),
    };
    Some(Attempt {
        at_ms: begun_ms.saturating_add(ran.ended_us / 1000),
        run,
        outcome: Outcome::of(&finished.verdict, finished.retried || may_follow)?,
        took_us: finished.times.total,
        company,
    })
}
