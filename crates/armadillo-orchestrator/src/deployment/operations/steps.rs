//! The steps of an operation: each done, or why it is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Entry;
use crate::deadline::Deadline;
use crate::deployment::Deployment;
use crate::deployment::operate::Operation;
use crate::membership::{LaunchWords, MembershipChange};
use crate::operations::machine::Ended;
use crate::operations::rolling::HEALTHY;
use crate::operations::{Restart, Step, StepKind, SystemStep, Tried, Undo};
use crate::poll::Poll;
use crate::server::ServerKey;

/// How long one try of a step may take.
const TRY_LIMIT: Duration = Duration::from_secs(2);

/// How long an act goes on after a cancel, if nobody knows whether it was done.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// How long it may take to undo an act.
const UNDO_LIMIT: Duration = Duration::from_secs(10);

/// How long it may take to start a server again, or to end it, because a step is undone.
const RESTORE_LIMIT: Duration = Duration::from_secs(60);

impl Deployment {
    pub(super) async fn do_step(
        self: &Arc<Self>,
        entry: &Entry,
        step: &Step,
        deadline: Deadline,
    ) -> Ended {
        let server = step.server.as_ref();
        if let StepKind::Act { act, .. } = &step.what
            && !step.bound
        {
            return self.achieve(Some(entry), server, act, deadline).await;
        }
        let tried = self.done(entry, step, deadline);
        let done = match step.runs_to_its_end() {
            // Whoever cancels: nobody wants a server that is down, or half a member.
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

    async fn done(
        self: &Arc<Self>,
        entry: &Entry,
        step: &Step,
        deadline: Deadline,
    ) -> Result<String, String> {
        let server = step.server.as_ref();
        match &step.what {
            StepKind::Act { act, .. } => self.see(server, act, deadline).await,
            StepKind::Gate(gate) => self.see(server, gate, deadline).await,
            StepKind::Hold(time) => {
                tokio::time::sleep((*time).min(deadline.left())).await;
                Ok(String::new())
            }
            of_a_server => {
                let server = server.ok_or("the plan does not say which server")?;
                self.done_to(entry, server, of_a_server, deadline).await
            }
        }
    }

    async fn done_to(
        self: &Arc<Self>,
        entry: &Entry,
        server: &ServerKey,
        what: &StepKind,
        deadline: Deadline,
    ) -> Result<String, String> {
        match what {
            StepKind::Act { .. } | StepKind::Gate(_) | StepKind::Hold(_) => {
                Err("it is not done to a server".to_owned())
            }
            StepKind::Restart(restart) => self.restart(entry, server, restart, deadline).await,
            StepKind::Crash => {
                self.operated(server, Operation::Kill, deadline).await?;
                self.operated(server, Operation::Start, deadline).await
            }
            StepKind::Stop { forced } => {
                let known = self.target(server).map_err(|error| error.to_string())?;
                if !known.phase().is_alive() {
                    return Ok("it did not run".to_owned());
                }
                if !forced {
                    self.keeps_quorum(server, deadline).await?;
                }
                self.operated(server, Operation::Stop, deadline).await
            }
            StepKind::Start => self.operated(server, Operation::Start, deadline).await,
            StepKind::Join => {
                let server = server.clone();
                let launch = self.joining(&server, deadline).await?;
                self.change(MembershipChange::Join { server, launch })
            }
            StepKind::Leave => {
                let server = server.clone();
                self.change(MembershipChange::Leave { server })
            }
            StepKind::Move { port, to } => self.change(MembershipChange::Move {
                server: server.clone(),
                port: port.clone(),
                to: to.clone(),
            }),
            StepKind::Dismiss { grace } => {
                let dismissed = self.dismiss(server, *grace, deadline).await;
                in_words(dismissed)
            }
            StepKind::Wipe => in_words(self.wipe(server, deadline).await),
        }
    }

    /// Takes a step back. What is as it was before already is left alone.
    pub(super) async fn take_back(
        self: &Arc<Self>,
        server: Option<&ServerKey>,
        undo: &Undo,
    ) -> Result<(), String> {
        let restored = Deadline::after(RESTORE_LIMIT);
        if let Undo::Act(act) = undo {
            let deadline = Deadline::after(UNDO_LIMIT);
            return self.see(server, act, deadline).await.map(drop);
        }
        let server = server.ok_or("the plan does not say which server")?;
        match undo {
            Undo::Act(_) => {}
            Undo::Start => {
                let known = self.target(server).map_err(|error| error.to_string())?;
                if !known.phase().is_alive() {
                    self.operated(server, Operation::Start, restored).await?;
                }
            }
            Undo::Join if self.is_part(server) => {}
            Undo::Join => {
                let (server, launch) = (server.clone(), None);
                self.change(MembershipChange::Join { server, launch })?;
            }
            Undo::Leave => {
                if self.is_part(server) {
                    let server = server.clone();
                    self.change(MembershipChange::Leave { server })?;
                }
                in_words(self.dismiss(server, Duration::ZERO, restored).await)?;
            }
        }
        Ok(())
    }

    fn change(&self, change: MembershipChange) -> Result<String, String> {
        in_words(self.change_membership(change))
    }

    async fn operated(
        self: &Arc<Self>,
        server: &ServerKey,
        operation: Operation,
        deadline: Deadline,
    ) -> Result<String, String> {
        let done = self.operate(server, operation, deadline).await;
        let done = done.map_err(|error| error.to_string())?;
        Ok(done.note.unwrap_or_default())
    }

    /// What the launch of a server that joins is told.
    async fn joining(
        &self,
        server: &ServerKey,
        deadline: Deadline,
    ) -> Result<Option<LaunchWords>, String> {
        let begun = Instant::now();
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(200));
        loop {
            let asked = self.system.joining(&self.view, server);
            let missing = match deadline.within(TRY_LIMIT).bound(asked).await {
                Some(Ok(words)) => return Ok(words),
                Some(Err(why)) => why,
                None => format!("no answer within {TRY_LIMIT:.0?}"),
            };
            if deadline.passed() {
                return Err(format!("not after {:.1?}: {missing}", begun.elapsed()));
            }
            poll.pause(deadline).await;
        }
    }

    async fn restart(
        self: &Arc<Self>,
        entry: &Entry,
        server: &ServerKey,
        restart: &Restart,
        deadline: Deadline,
    ) -> Result<String, String> {
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
        let done = self.operated(server, Operation::Restart, deadline).await;
        if done.is_err() {
            // Whoever starts it again does not know of an option that may be why it did not come up.
            known.set_options(options_before);
        }
        done
    }

    /// The same as [`Self::achieve`], to its end.
    async fn see(
        &self,
        server: Option<&ServerKey>,
        step: &SystemStep,
        deadline: Deadline,
    ) -> Result<String, String> {
        match self.achieve(None, server, step, deadline).await {
            Ended::Done(seen) => Ok(seen),
            Ended::Failed(why) => Err(why),
            Ended::Cut => Err("it was cut short".to_owned()),
        }
    }

    /// Tries until it is done. The end of a server by itself ends the wait, with what the server said last. If the operation is
    /// cancelled, the try that is under way is the last one, unless nobody knows what came of it.
    async fn achieve(
        &self,
        operation: Option<&Entry>,
        server: Option<&ServerKey>,
        step: &SystemStep,
        deadline: Deadline,
    ) -> Ended {
        let crashes_before = self.crashes().len();
        let achieved = async {
            if step.name == HEALTHY {
                return match self.wait_good(deadline).await {
                    Ok(_) => Ended::Done(String::new()),
                    Err(error) => Ended::Failed(error.to_string()),
                };
            }
            self.keep_trying(operation, server, step, deadline).await
        };
        tokio::select! {
            biased;
            failure = self.first_crash(crashes_before) => Ended::Failed(failure.to_string()),
            achieved = achieved => achieved,
        }
    }

    async fn keep_trying(
        &self,
        operation: Option<&Entry>,
        server: Option<&ServerKey>,
        step: &SystemStep,
        deadline: Deadline,
    ) -> Ended {
        let begun = Instant::now();
        let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(100));
        let mut changes = self.changes();
        let mut missing = "nobody has looked yet".to_owned();
        let mut settled: Option<Deadline> = None;
        loop {
            changes.mark_unchanged();
            let tried = self.system.try_step(&self.view, server, step);
            let mut is_sure = false;
            missing = match deadline.within(TRY_LIMIT).bound(tried).await {
                Some(Tried::Done(seen)) => return Ended::Done(seen),
                Some(Tried::Refused(why)) => return Ended::Failed(why),
                Some(Tried::NotYet(why)) => {
                    is_sure = true;
                    why
                }
                Some(Tried::Unsure(why)) => why,
                // Cut short by the deadline, a look says less than the one before.
                None if deadline.passed() => missing,
                None => format!("no answer within {TRY_LIMIT:.0?}"),
            };
            if self.is_ended() {
                return Ended::Failed("the deployment is being stopped".to_owned());
            }
            if deadline.passed() {
                return Ended::Failed(format!("not after {:.1?}: {missing}", begun.elapsed()));
            }
            let is_cancelled = operation.is_some_and(Entry::is_cancelled);
            if is_cancelled {
                let settled = settled.get_or_insert_with(|| Deadline::after(SETTLE_LIMIT));
                if is_sure || settled.passed() {
                    return Ended::Cut;
                }
            }
            tokio::select! {
                () = poll.pause(deadline) => {}
                _ = changes.changed() => poll.reset(),
                () = cancelled(operation), if !is_cancelled => {}
            }
        }
    }
}

/// Waits until somebody cancels.
async fn cancelled(operation: Option<&Entry>) {
    match operation {
        Some(entry) => entry.cancelled().await,
        None => std::future::pending().await,
    }
}

fn in_words<T, E: ToString>(done: Result<T, E>) -> Result<String, String> {
    done.map(|_| String::new())
        .map_err(|error| error.to_string())
}
