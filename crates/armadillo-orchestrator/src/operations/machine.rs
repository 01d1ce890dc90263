//! What decides the course of an operation: events go in, the next thing to do comes out. It does nothing itself.

use std::time::Duration;

use super::{
    OperationId, OperationPlan, OperationStatus, OperationTerms, Outcome, Step, StepKind,
    StepState, SystemStep,
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
    Undo(usize, Option<ServerKey>, SystemStep),
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
            if self.cancelled && self.at < self.status.steps.len() {
                self.ending = Some(Outcome::Cancelled);
            } else if let Some(next) = self.next_step() {
                return next;
            } else {
                self.ending = Some(Outcome::Done);
                // All came to its end: nothing is to be taken back.
                self.to_undo.clear();
            }
        }
        if let Some(step) = self.to_undo.last().copied()
            && let Some((
                Step {
                    server,
                    what:
                        StepKind::Act {
                            undo: Some(undo), ..
                        },
                },
                _,
            )) = self.status.steps.get(step)
        {
            return Next::Undo(step, server.clone(), undo.clone());
        }
        if let Some(outcome) = self.ending.take() {
            self.status.outcome = outcome;
        }
        Next::End
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
        let begins_a_turn = *state == StepState::Planned
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
        if matches!(step.what, StepKind::Act { undo: Some(_), .. }) {
            self.to_undo.push(self.at);
        }
        match ended {
            Ended::Done(seen) => {
                *state = StepState::Done { took, seen };
                if step.takes_down() {
                    self.last_down.clone_from(&step.server);
                }
                self.at += 1;
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
mod tests {
    use proptest::prelude::*;

    use super::super::Restart;
    use super::*;

    fn gate(name: &str) -> Step {
        Step::gate(None, SystemStep::new(name))
    }

    fn restart(server: &str) -> Step {
        Step::restart(&server.into(), Restart::default())
    }

    fn undoable(name: &str) -> Step {
        Step {
            server: None,
            what: StepKind::Act {
                act: SystemStep::new(name),
                undo: Some(SystemStep::new(&format!("un-{name}"))),
            },
        }
    }

    fn machine(steps: Vec<Step>, terms: OperationTerms) -> Machine {
        let name = "rolling restart".to_owned();
        let notes = Vec::new();
        let plan = OperationPlan { name, steps, notes };
        Machine::new(OperationId(1), plan, terms)
    }

    fn done(machine: &mut Machine) {
        machine.ended(Ended::Done(String::new()), Duration::from_millis(5));
    }

    #[test]
    fn a_plan_is_done_from_its_beginning_to_its_end() {
        let steps = vec![undoable("lock"), restart("a"), gate("good")];
        let mut machine = machine(steps.clone(), OperationTerms::default());
        for (number, step) in steps.into_iter().enumerate() {
            assert_eq!(machine.step(), Next::Do(number, step.clone()));
            assert_eq!(machine.step(), Next::Do(number, step));
            done(&mut machine);
        }
        assert_eq!(machine.step(), Next::End);
        assert_eq!(machine.status().outcome, Outcome::Done);
        assert_eq!(machine.status().restarted(), [&ServerKey::from("a")]);
    }

    #[test]
    fn a_gate_that_is_left_out_is_not_waited_for() {
        let terms = OperationTerms {
            without_gates: ["good".to_owned()].into(),
            step_by_step: false,
        };
        let mut machine = machine(vec![gate("good"), restart("a"), gate("good")], terms);
        assert!(matches!(machine.step(), Next::Do(1, _)));
        done(&mut machine);
        assert_eq!(machine.step(), Next::End);
        assert_eq!(machine.status().steps[2].1, StepState::LeftOut);
    }

    #[test]
    fn step_by_step_it_waits_before_each_server_but_the_first() {
        let terms = OperationTerms {
            step_by_step: true,
            ..OperationTerms::default()
        };
        let mut machine = machine(vec![restart("a"), gate("good"), restart("b")], terms);
        assert!(matches!(machine.step(), Next::Do(0, _)));
        done(&mut machine);
        assert!(matches!(machine.step(), Next::Do(1, _)));
        done(&mut machine);
        assert_eq!(machine.step(), Next::Wait);
        assert_eq!(machine.status().outcome, Outcome::Waiting);
        machine.proceed();
        assert!(matches!(machine.step(), Next::Do(2, _)));
        done(&mut machine);
        assert_eq!(machine.step(), Next::End);
    }

    #[test]
    fn what_waits_for_the_test_to_the_end_of_its_time_was_not_cancelled() {
        let terms = OperationTerms {
            step_by_step: true,
            ..OperationTerms::default()
        };
        let steps = vec![undoable("lock"), restart("a"), restart("b")];
        let mut machine = machine(steps, terms);
        for _ in 0..2 {
            assert!(matches!(machine.step(), Next::Do(..)));
            // Only where it waits.
            machine.out_of_time();
            done(&mut machine);
        }
        assert_eq!(machine.step(), Next::Wait);
        machine.out_of_time();
        assert!(matches!(machine.step(), Next::Undo(0, ..)));
        machine.undone(0, true);
        assert_eq!(machine.step(), Next::End);
        let why = "its time was up before the test let it go on".to_owned();
        assert_eq!(machine.status().outcome, Outcome::Failed { why });
    }

    #[test]
    fn step_by_step_nothing_is_done_to_the_next_server_before() {
        let terms = OperationTerms {
            step_by_step: true,
            ..OperationTerms::default()
        };
        let act = |server: &str| Step::act(Some(&server.into()), SystemStep::new("hand-over"));
        let steps = vec![act("a"), restart("a"), gate("good"), act("b"), restart("b")];
        let mut machine = machine(steps, terms);
        for number in 0..3 {
            assert!(matches!(machine.step(), Next::Do(step, _) if step == number));
            done(&mut machine);
        }
        assert_eq!(machine.step(), Next::Wait);
        machine.proceed();
        assert_eq!(machine.status().outcome, Outcome::Running);
        for number in 3..5 {
            assert!(matches!(machine.step(), Next::Do(step, _) if step == number));
            done(&mut machine);
        }
        assert_eq!(machine.step(), Next::End);
    }

    /// An act that was cut short may have been done.
    #[test]
    fn what_may_have_been_done_is_undone() {
        for ended in [Ended::Cut, Ended::Failed("no answer".into())] {
            let mut machine = machine(vec![undoable("lock")], OperationTerms::default());
            machine.step();
            machine.ended(ended, Duration::ZERO);
            let undo = SystemStep::new("un-lock");
            assert_eq!(machine.step(), Next::Undo(0, None, undo));
            machine.undone(0, true);
            assert_eq!(machine.step(), Next::End);
        }
    }

    #[test]
    fn what_was_done_is_undone_in_reverse_when_a_step_fails() {
        let steps = vec![undoable("one"), undoable("two"), restart("a"), restart("b")];
        let mut machine = machine(steps, OperationTerms::default());
        for _ in 0..2 {
            machine.step();
            done(&mut machine);
        }
        machine.step();
        let why = "it exited: panic: unmarshal".to_owned();
        machine.ended(Ended::Failed(why), Duration::ZERO);
        assert_eq!(
            machine.step(),
            Next::Undo(1, None, SystemStep::new("un-two"))
        );
        machine.undone(1, true);
        assert_eq!(
            machine.step(),
            Next::Undo(0, None, SystemStep::new("un-one"))
        );
        machine.undone(0, false);
        assert_eq!(machine.step(), Next::End);
        let status = machine.status();
        assert_eq!(
            status.outcome,
            Outcome::Failed {
                why: "a: restart: it exited: panic: unmarshal".into()
            }
        );
        assert_eq!(status.steps[1].1, StepState::Undone);
        assert_eq!(status.not_restarted().len(), 2);
    }

    /// What happens to a machine.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Done,
        Fail,
        Cancel,
        Proceed,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(gate("good")),
            Just(gate("left")),
            Just(restart("a")),
            Just(restart("b")),
            Just(undoable("lock")),
        ];
        proptest::collection::vec(step, 0..12)
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            8 => Just(Event::Done),
            1 => Just(Event::Fail),
            1 => Just(Event::Cancel),
            2 => Just(Event::Proceed),
        ];
        proptest::collection::vec(event, 0..40)
    }

    proptest! {
        /// Whatever happens: it ends, nothing begins after a cancel or a failure, steps come in order, what is undone was done,
        /// and all that can be undone is, unless all was done.
        #[test]
        fn every_course_ends_well(steps in steps(), events in events(), step_by_step: bool) {
            let terms = OperationTerms { without_gates: ["left".to_owned()].into(), step_by_step };
            let mut machine = machine(steps, terms);
            let mut events = events.into_iter();
            let (mut last, mut stopped) = (None, false);
            let mut undone = Vec::new();
            for _ in 0..200 {
                match machine.step() {
                    Next::End => break,
                    Next::Undo(step, ..) => {
                        prop_assert!(stopped);
                        undone.push(step);
                        machine.undone(step, true);
                    }
                    next => {
                        if let Next::Do(number, _) = next {
                            prop_assert!(!stopped && Some(number) >= last);
                            last = Some(number);
                        }
                        match events.next() {
                            Some(Event::Cancel) | None => {
                                machine.cancel();
                                if let Next::Do(_, step) = next {
                                    // What takes a server down is done to its end.
                                    let how = if step.takes_down() { Ended::Done(String::new()) } else { Ended::Cut };
                                    machine.ended(how, Duration::ZERO);
                                }
                                stopped = true;
                            }
                            Some(Event::Proceed) => machine.proceed(),
                            Some(Event::Done) if matches!(next, Next::Do(..)) => done(&mut machine),
                            Some(Event::Fail) if matches!(next, Next::Do(..)) => {
                                machine.ended(Ended::Failed("no".into()), Duration::ZERO);
                                stopped = true;
                            }
                            Some(Event::Done | Event::Fail) => machine.proceed(),
                        }
                    }
                }
            }
            let status = machine.status();
            prop_assert!(status.has_ended());
            prop_assert!(undone.is_sorted_by(|a, b| a > b));
            let left = status.steps.iter().filter(|(step, state)| {
                matches!(step.what, StepKind::Act { undo: Some(_), .. }) && matches!(state, StepState::Done { .. })
            });
            prop_assert!(status.outcome == Outcome::Done || left.count() == 0);
        }
    }
}
