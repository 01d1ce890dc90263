//! Operations on the whole: planned from what is there, done step by step, watched and cancelled.

mod majority;
mod plan;
mod steps;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::Deployment;
use crate::deadline::Deadline;
use crate::notice::Notice;
use crate::operations::machine::{Machine, Next};
use crate::operations::rolling;
use crate::operations::{
    OperationId, OperationPlan, OperationStatus, OperationTerms, Step, StepState,
};
use crate::server::ServerKey;

/// The operations of a deployment.
#[derive(Default)]
pub(super) struct Operations(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// How many there were, those included that are forgotten.
    so_far: u32,
    /// Whether a step that was to be undone was not.
    not_undone: bool,
    /// Those of the test that has the deployment, the oldest first.
    all: Vec<Arc<Entry>>,
}

/// One operation.
struct Entry {
    machine: Mutex<Machine>,
    /// Grows with every change, with what it is then.
    status: watch::Sender<(u64, OperationStatus)>,
    /// Grows when somebody cancels it or lets it go on.
    steered: watch::Sender<u64>,
}

/// Why an operation was not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationRefused {
    /// The system has no plan for it.
    #[error("cannot plan a {name}: {why}")]
    NoPlan {
        /// What was to be planned.
        name: String,
        /// Why there is no plan.
        why: String,
    },
    /// A gate was to be left out that the plan does not have.
    #[error("a {name} has no gate named `{gate}`; its gates are {known}")]
    NoGate {
        /// What was to be done.
        name: String,
        /// The gate.
        gate: String,
        /// Those that there are.
        known: String,
    },
    /// One at a time.
    #[error("cannot begin a {name}: operation {id} ({other}) is in progress")]
    Busy {
        /// What was to be done.
        name: String,
        /// The other's number.
        id: OperationId,
        /// What the other is called.
        other: String,
    },
    /// There is no operation of this number.
    #[error("there is no operation {0} on this deployment")]
    Unknown(OperationId),
    /// The deployment has been ended.
    #[error("{0} has been stopped")]
    Ended(String),
}

impl Entry {
    fn machine<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut machine);
        let status = machine.status();
        self.status.send_if_modified(|(version, known)| {
            let news = known != status;
            if news {
                *version += 1;
                known.clone_from(status);
            }
            news
        });
        result
    }

    fn steer(&self, act: impl FnOnce(&mut Machine)) {
        self.machine(act);
        self.steered.send_modify(|count| *count += 1);
    }

    fn is_cancelled(&self) -> bool {
        self.machine(|machine| machine.is_cancelled())
    }

    /// Waits until it is cancelled. Cancel-safe.
    async fn cancelled(&self) {
        let mut steered = self.steered.subscribe();
        while !self.is_cancelled() {
            if steered.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Deployment {
    /// The same plan with trouble in it that is drawn from a seed: mixtures of versions that are held for a while, servers that are
    /// killed in them.
    #[must_use]
    pub fn with_trouble(&self, mut plan: OperationPlan, seed: u64) -> OperationPlan {
        let servers: Vec<ServerKey> = self.parts().map(|server| server.plan.key.clone()).collect();
        plan.steps = rolling::with_trouble(plan.steps, &servers, seed);
        plan
    }

    /// Begins an operation. It goes on while the future is polled, to its end, its deadline or until it is cancelled; the future
    /// must not be dropped before.
    ///
    /// # Errors
    /// When another one is in progress, when the plan lacks a gate that is to be left out.
    pub fn begin_operation(
        self: &Arc<Self>,
        plan: OperationPlan,
        terms: OperationTerms,
        deadline: Deadline,
    ) -> Result<(OperationId, impl Future<Output = ()> + use<>), OperationRefused> {
        let gates = plan.gates();
        if let Some(gate) = (terms.without_gates.iter()).find(|gate| !gates.contains(gate.as_str()))
        {
            let known: Vec<&str> = gates.into_iter().collect();
            return Err(OperationRefused::NoGate {
                name: plan.name.clone(),
                gate: gate.clone(),
                known: known.join(", "),
            });
        }
        if self.is_ended() {
            return Err(OperationRefused::Ended(self.id().to_owned()));
        }
        let entry = self.enter(plan, terms)?;
        let id = entry.machine(|machine| machine.status().id);
        let deployment = self.clone();
        Ok((
            id,
            async move { deployment.conduct(&entry, deadline).await },
        ))
    }

    fn enter(
        &self,
        plan: OperationPlan,
        terms: OperationTerms,
    ) -> Result<Arc<Entry>, OperationRefused> {
        let mut known = self.operations.known();
        let others = known
            .all
            .iter()
            .map(|entry| entry.status.borrow().1.clone());
        if let Some(other) = others.into_iter().find(|status| !status.has_ended()) {
            return Err(OperationRefused::Busy {
                name: plan.name,
                id: other.id,
                other: other.name,
            });
        }
        known.so_far = known.so_far.saturating_add(1);
        let id = OperationId(known.so_far);
        self.notices.send(Notice::OperationBegan {
            operation: id,
            name: plan.name.clone(),
            steps: plan.steps.iter().map(ToString::to_string).collect(),
        });
        let machine = Machine::new(id, plan, terms);
        let entry = Arc::new(Entry {
            status: watch::Sender::new((1, machine.status().clone())),
            machine: Mutex::new(machine),
            steered: watch::Sender::new(0),
        });
        known.all.push(entry.clone());
        Ok(entry)
    }

    /// Every operation of the test that has the deployment, the oldest first.
    #[must_use]
    pub fn operations(&self) -> Vec<OperationStatus> {
        let known = self.operations.known();
        known
            .all
            .iter()
            .map(|entry| entry.status.borrow().1.clone())
            .collect()
    }

    /// How an operation is once that differs from the version `after` (0: any will do), or at the deadline.
    ///
    /// # Errors
    /// When there is no such operation.
    pub async fn wait_for_operation(
        &self,
        id: OperationId,
        after: u64,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<(u64, OperationStatus), OperationRefused> {
        let mut status = self.operations.find(id)?.status.subscribe();
        let newer = status.wait_for(|(version, _)| *version > after);
        // At the deadline it is what it is.
        let _ = deadline.into().bound(newer).await;
        let status = status.borrow().clone();
        Ok(status)
    }

    /// Has an operation stop where it is safe. A step after which a server would be down, or half a member, is done to its end, and so
    /// is what must follow it.
    ///
    /// # Errors
    /// When there is no such operation.
    pub fn cancel_operation(&self, id: OperationId) -> Result<(), OperationRefused> {
        self.operations.find(id)?.steer(Machine::cancel);
        Ok(())
    }

    /// Lets an operation that goes step by step go on to the next server.
    ///
    /// # Errors
    /// When there is no such operation.
    pub fn proceed_with_operation(&self, id: OperationId) -> Result<(), OperationRefused> {
        self.operations.find(id)?.steer(Machine::proceed);
        Ok(())
    }

    /// Whether a step of an operation that did not come to its end could not be undone: the deployment is not what it was.
    #[must_use]
    pub fn was_not_undone(&self) -> bool {
        self.operations.known().not_undone
    }

    /// Cancels what is in progress, waits until it has stopped, or the deadline, and forgets what has.
    pub(super) async fn end_operations(&self, deadline: Deadline) {
        let all = self.operations.known().all.clone();
        for entry in &all {
            entry.steer(Machine::cancel);
            let mut status = entry.status.subscribe();
            let ended = status.wait_for(|(_, status)| status.has_ended());
            let _ = deadline.bound(ended).await;
        }
        let mut known = self.operations.known();
        known
            .all
            .retain(|entry| !entry.status.borrow().1.has_ended());
    }

    async fn conduct(self: Arc<Self>, entry: &Entry, deadline: Deadline) {
        let begun = Instant::now();
        loop {
            let mut steered = entry.steered.subscribe();
            match entry.machine(Machine::step) {
                Next::End => break,
                Next::Wait => {
                    if deadline.bound(steered.changed()).await.is_none() {
                        entry.machine(Machine::out_of_time);
                    }
                }
                Next::Do(number, step) => {
                    self.tell(entry, number);
                    let begun = Instant::now();
                    let ended = self.do_step(entry, &step, deadline).await;
                    entry.machine(|machine| machine.ended(ended, begun.elapsed()));
                    self.tell(entry, number);
                }
                Next::Undo(number, server, undo) => {
                    let undone = self.take_back(server.as_ref(), &undo).await;
                    if let Err(why) = &undone {
                        self.operations.known().not_undone = true;
                        self.notices
                            .warn(format!("cannot undo a step ({undo}): {why}"));
                    }
                    entry.machine(|machine| machine.undone(number, undone.is_ok()));
                    self.tell(entry, number);
                }
            }
        }
        let status = entry.status.borrow().1.clone();
        self.notices.send(Notice::OperationEnded {
            operation: status.id,
            outcome: status.outcome,
            took: begun.elapsed(),
        });
        self.changed();
    }

    /// Tells whoever watches how a step is.
    fn tell(&self, entry: &Entry, number: usize) {
        let (_, status) = &*entry.status.borrow();
        let Some((step, state)) = status.steps.get(number) else {
            return;
        };
        let alone = Step {
            server: None,
            ..step.clone()
        };
        self.notices.send(Notice::OperationStep {
            operation: status.id,
            step: number + 1,
            server: step.server.clone(),
            what: alone.to_string(),
            state: StepState::clone(state),
        });
    }
}

impl Operations {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: OperationId) -> Result<Arc<Entry>, OperationRefused> {
        let known = self.known();
        let is_it = |entry: &&Arc<Entry>| entry.status.borrow().1.id == id;
        let found = known.all.iter().find(is_it).cloned();
        found.ok_or(OperationRefused::Unknown(id))
    }
}
