//! What decides the course of an operation: events go in, the next thing to do comes out. It does nothing itself.

use std::time::Duration;

use super::{
    OperationId, OperationPlan, OperationStatus, OperationTerms, Outcome, Step, StepKind,
    StepState, Undo,
};
use crate::program::Program;
use crate::server::ServerKey;

/// An operation on its way.
#[derive(Clone, Debug)]
pub struct Machine {
    status: OperationStatus,
    terms: OperationTerms,
    /// The step whose turn it is.
    at: usize,
    cancelled: bool,
    /// It may go on although it goes step by step.
    may_proceed: bool,
    /// The server that was taken down last, and is up again.
    last_down: Option<ServerKey>,
    /// What was done and is still to be undone, the last first.
    to_undo: Vec<usize>,
    ending: Option<Outcome>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This step, the machine's number for it first.
    Do(usize, Step),
    /// Nothing, until the test says so.
    Wait,
    /// This, on this server or the whole, to undo a step that was done. It is tried once.
    Undo(usize, Option<ServerKey>, Undo),
    /// Nothing any more: it has ended.
    End,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was done.
    Done(String),
    /// It was not, and will not be.
    Failed(String),
    /// It was cut short because the operation was cancelled.
    Cut,
}

impl Machine {
    /// An operation that has not begun.
    #[must_use]
    pub fn new(id: OperationId, plan: OperationPlan, terms: OperationTerms) -> Self {
        let state = |step: &Step| match &step.what {
            StepKind::Gate(gate) if terms.without_gates.contains(&gate.name) => StepState::LeftOut,
            _ => StepState::Planned,
        };
        let steps = plan.steps.into_iter();
        let steps = steps.map(|step| {
            let state = state(&step);
            (step, state)
        });
        Self {
            status: OperationStatus {
                id,
                name: plan.name,
                steps: steps.collect(),
                outcome: Outcome::Running,
                before: Vec::new(),
            },
            terms,
            at: 0,
            cancelled: false,
            may_proceed: true,
            last_down: None,
            to_undo: Vec::new(),
            ending: None,
        }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> &OperationStatus {
        &self.status
    }

    /// Notes what a server ran before the operation gave it another program.
    pub fn ran_before(&mut self, server: &ServerKey, program: Program) {
        let before = &mut self.status.before;
        if before.iter().all(|(known, _)| known != server) {
            before.push((server.clone(), program));
        }
    }

    /// It is to stop where it is safe.
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Its time is up while it waits for the test: it ends here, as failed.
    pub fn out_of_time(&mut self) {
        if self.status.outcome == Outcome::Waiting && self.ending.is_none() {
            let why = "its time was up before the test let it go on".to_owned();
            self.ending = Some(Outcome::Failed { why });
        }
    }

    /// Whether it is to stop where it is safe.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// It may go on to the next server.
    pub fn proceed(&mut self) {
        self.may_proceed = true;
        if self.status.outcome == Outcome::Waiting {
            self.status.outcome = Outcome::Running;
        }
    }

    /// What comes next. Asked again, it says the same until something has happened.
    pub fn step(&mut self) -> Next {
        if self.status.has_ended() {
            return Next::End;
        }
        if self.ending.is_none() {
            self.skip_what_is_left_out();
            if self.cancelled && self.may_end_here() {
                self.ending = Some(Outcome::Cancelled);
            } else if let Some(next) = self.next_step() {
                return next;
            } else {
                self.ending = Some(Outcome::Done);
                // All came to its end: nothing is to be taken back.
                self.to_undo.clear();
            }
        }
        if let Some((number, step)) = self.last_to_undo()
            && let Some(undo) = step.undo()
        {
            return Next::Undo(number, step.server.clone(), undo);
        }
        if let Some(outcome) = self.ending.take() {
            self.status.outcome = outcome;
        }
        Next::End
    }

    /// Whether something is left to be done, and need not be.
    fn may_end_here(&self) -> bool {
        let next = self.status.steps.get(self.at);
        next.is_some_and(|(step, _)| !step.bound)
    }

    fn last_to_undo(&self) -> Option<(usize, &Step)> {
        let number = *self.to_undo.last()?;
        let (step, _) = self.status.steps.get(number)?;
        Some((number, step))
    }

    fn skip_what_is_left_out(&mut self) {
        while let Some((_, StepState::LeftOut)) = self.status.steps.get(self.at) {
            self.at += 1;
        }
    }

    fn next_step(&mut self) -> Option<Next> {
        let (step, state) = self.status.steps.get_mut(self.at)?;
        // The turn of the next server, whatever is done to it first.
        let is_next = step.server.is_some() && step.server != self.last_down;
        // What must follow the step before it waits for nobody.
        let begins_a_turn = *state == StepState::Planned
            && !step.bound
            && self.terms.step_by_step
            && self.last_down.is_some()
            && (step.takes_down() || is_next);
        if begins_a_turn && !self.may_proceed {
            self.status.outcome = Outcome::Waiting;
            return Some(Next::Wait);
        }
        *state = StepState::Running;
        self.status.outcome = Outcome::Running;
        if step.takes_down() {
            self.may_proceed = false;
        }
        Some(Next::Do(self.at, step.clone()))
    }

    /// The step that was to be done has ended.
    pub fn ended(&mut self, ended: Ended, took: Duration) {
        let Some((step, state)) = self.status.steps.get_mut(self.at) else {
            return;
        };
        // Also one that was cut short, or has failed: it may have been done before anybody knew.
        if step.undo().is_some() {
            self.to_undo.push(self.at);
        }
        match ended {
            Ended::Done(seen) => {
                *state = StepState::Done { took, seen };
                if step.takes_down() {
                    self.last_down.clone_from(&step.server);
                }
                let is_up = step.what == StepKind::Start;
                self.at += 1;
                let next = self.status.steps.get(self.at);
                if is_up || next.is_some_and(|(step, _)| step.bound) {
                    // There is no way back from here.
                    self.to_undo.clear();
                }
            }
            Ended::Failed(why) => {
                let text = format!("{step}: {why}");
                *state = StepState::Failed { took, why };
                self.ending = Some(Outcome::Failed { why: text });
            }
            Ended::Cut => {
                *state = StepState::Planned;
                self.cancelled = true;
            }
        }
    }

    /// The undoing of this step has been tried.
    pub fn undone(&mut self, step: usize, worked: bool) {
        self.to_undo.retain(|known| *known != step);
        if let Some((_, state @ StepState::Done { .. })) = self.status.steps.get_mut(step)
            && worked
        {
            *state = StepState::Undone;
        }
    }
}

#[cfg(test)]
mod tests;
