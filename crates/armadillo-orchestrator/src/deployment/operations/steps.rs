//! The steps of an operation: each done, or why it is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Entry;
use crate::deadline::Deadline;
use crate::deployment::Deployment;
use crate::deployment::operate::Operation;
use crate::operations::machine::Ended;
use crate::operations::rolling::HEALTHY;
use crate::operations::{Restart, Step, StepKind, SystemStep, Tried};
use crate::poll::Poll;
use crate::server::ServerKey;

/// How long one try of a step may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);

impl Deployment {
    pub(super) async fn do_step(
        self: &Arc<Self>,
        entry: &Entry,
        step: &Step,
        deadline: Deadline,
    ) -> Ended {
        let server = step.server.as_ref();
        let tried = async {
            match &step.what {
                StepKind::Act { act, .. } => self.achieve(server, act, deadline).await,
                StepKind::Gate(gate) => self.achieve(server, gate, deadline).await,
                StepKind::Restart(restart) => self.restart(entry, server, restart, deadline).await,
                StepKind::Crash => self.crash(server, deadline).await,
                StepKind::Hold(time) => {
                    tokio::time::sleep((*time).min(deadline.left())).await;
                    Ok(String::new())
                }
            }
        };
        let done = match step.takes_down() {
            // To its end, whoever cancels: nobody wants a server that is down.
            true => Some(tried.await),
            false => tokio::select! {
                biased;
                done = tried => Some(done),
                () = entry.cancelled() => None,
            },
        };
        match done {
            Some(Ok(seen)) => Ended::Done(seen),
            Some(Err(why)) => Ended::Failed(why),
            None => Ended::Cut,
        }
    }

    async fn restart(
        self: &Arc<Self>,
        entry: &Entry,
        server: Option<&ServerKey>,
        restart: &Restart,
        deadline: Deadline,
    ) -> Result<String, String> {
        let server = server.ok_or("the plan does not say which server")?;
        let known = self.target(server).map_err(|error| error.to_string())?;
        if !restart.forced {
            self.keeps_quorum(server, deadline).await?;
        }
        if restart.program.is_some() {
            entry.machine(|machine| machine.ran_before(server, known.program()));
        }
        let options_before = known.own_options();
        let changed = self.change_server(server, restart.program.clone(), &restart.options);
        changed.map_err(|error| error.to_string())?;
        let done = self.operate(server, Operation::Restart, deadline).await;
        let done = done.map_err(|error| {
            // Whoever starts it again does not know of an option that may be why it did not come up.
            known.set_options(options_before);
            error.to_string()
        })?;
        Ok(done.note.unwrap_or_default())
    }

    async fn crash(
        self: &Arc<Self>,
        server: Option<&ServerKey>,
        deadline: Deadline,
    ) -> Result<String, String> {
        let server = server.ok_or("the plan does not say which server")?;
        for operation in [Operation::Kill, Operation::Start] {
            let done = self.operate(server, operation, deadline).await;
            done.map_err(|error| error.to_string())?;
        }
        Ok(String::new())
    }

    /// Tries until it is done. The end of a server by itself ends the wait, with what the server said last.
    pub(super) async fn achieve(
        &self,
        server: Option<&ServerKey>,
        step: &SystemStep,
        deadline: Deadline,
    ) -> Result<String, String> {
        let crashes_before = self.crashes().len();
        let achieved = async {
            if step.name == HEALTHY {
                let good = self.wait_good(deadline).await;
                return good
                    .map(|_| String::new())
                    .map_err(|error| error.to_string());
            }
            self.keep_trying(server, step, deadline).await
        };
        tokio::select! {
            biased;
            failure = self.first_crash(crashes_before) => Err(failure.to_string()),
            achieved = achieved => achieved,
        }
    }

    async fn keep_trying(
        &self,
        server: Option<&ServerKey>,
        step: &SystemStep,
        deadline: Deadline,
    ) -> Result<String, String> {
        let begun = Instant::now();
        let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(100));
        let mut changes = self.changes();
        let mut missing = "nobody has looked yet".to_owned();
        loop {
            changes.mark_unchanged();
            let tried = self.system.try_step(&self.view, server, step);
            missing = match deadline.within(TRY_LIMIT).bound(tried).await {
                Some(Tried::Done(seen)) => return Ok(seen),
                Some(Tried::Refused(why)) => return Err(why),
                Some(Tried::NotYet(why)) => why,
                // Cut short by the deadline, a look says less than the one before.
                None if deadline.passed() => missing,
                None => format!("no answer within {TRY_LIMIT:.0?}"),
            };
            if self.is_ended() {
                return Err("the deployment is being stopped".to_owned());
            }
            if deadline.passed() {
                return Err(format!("not after {:.1?}: {missing}", begun.elapsed()));
            }
            tokio::select! {
                () = poll.pause(deadline) => {}
                _ = changes.changed() => poll.reset(),
            }
        }
    }
}
