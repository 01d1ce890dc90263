use proptest::prelude::*;

use super::super::{Restart, SystemStep};
use super::*;

fn gate(name: &str) -> Step {
    Step::gate(None, SystemStep::new(name))
}

fn restart(server: &str) -> Step {
    Step::restart(&server.into(), Restart::default())
}

fn undoable(name: &str) -> Step {
    Step::undoable(
        None,
        SystemStep::new(name),
        SystemStep::new(&format!("un-{name}")),
    )
}

fn on_b(what: StepKind) -> Step {
    Step::of(&"b".into(), what)
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
        assert_eq!(machine.step(), Next::Undo(0, None, Undo::Act(undo)));
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
        Next::Undo(1, None, Undo::Act(SystemStep::new("un-two")))
    );
    machine.undone(1, true);
    assert_eq!(
        machine.step(),
        Next::Undo(0, None, Undo::Act(SystemStep::new("un-one")))
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

/// What must follow is done although the operation is cancelled, and what came before is not undone then.
#[test]
fn there_is_no_way_back_from_what_something_must_follow() {
    let dismiss = StepKind::Dismiss {
        grace: Duration::ZERO,
    };
    let steps = vec![
        on_b(StepKind::Leave),
        on_b(dismiss).bound(),
        gate("forgotten").bound(),
        gate("good"),
    ];
    let mut early = machine(steps.clone(), OperationTerms::default());
    early.cancel();
    assert_eq!(early.step(), Next::End);
    assert_eq!(early.status().outcome, Outcome::Cancelled);

    let mut machine = machine(steps, OperationTerms::default());
    assert!(matches!(machine.step(), Next::Do(0, _)));
    machine.cancel();
    done(&mut machine);
    for number in 1..3 {
        assert!(matches!(machine.step(), Next::Do(step, _) if step == number));
        done(&mut machine);
    }
    assert_eq!(machine.step(), Next::End);
    assert_eq!(machine.status().outcome, Outcome::Cancelled);
    let done = |(_, state): &&(Step, StepState)| matches!(state, StepState::Done { .. });
    assert_eq!(machine.status().steps.iter().filter(done).count(), 3);
}

/// A server that was stopped is started again, and one that could not be started leaves again.
#[test]
fn servers_are_as_they_were_if_it_fails_on_the_way() {
    let stop = StepKind::Stop { forced: false };
    let steps = vec![on_b(stop), undoable("move"), on_b(StepKind::Start).bound()];
    let mut moved = machine(steps, OperationTerms::default());
    moved.step();
    done(&mut moved);
    moved.step();
    moved.ended(Ended::Failed("it says no".into()), Duration::ZERO);
    assert!(matches!(moved.step(), Next::Undo(1, ..)));
    moved.undone(1, true);
    assert_eq!(moved.step(), Next::Undo(0, Some("b".into()), Undo::Start));

    let steps = vec![
        undoable("add"),
        on_b(StepKind::Join),
        on_b(StepKind::Start),
        gate("read"),
    ];
    for starts in [false, true] {
        let mut added = machine(steps.clone(), OperationTerms::default());
        for _ in 0..2 {
            added.step();
            done(&mut added);
        }
        added.step();
        if starts {
            done(&mut added);
            assert!(matches!(added.step(), Next::Do(3, _)));
            added.ended(Ended::Cut, Duration::ZERO);
            assert_eq!(added.step(), Next::End);
            assert_eq!(added.status().outcome, Outcome::Cancelled);
        } else {
            added.ended(Ended::Failed("it exited".into()), Duration::ZERO);
            assert_eq!(added.step(), Next::Undo(1, Some("b".into()), Undo::Leave));
            added.undone(1, true);
            assert!(matches!(added.step(), Next::Undo(0, ..)));
        }
    }
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
        Just(on_b(StepKind::Leave)),
        Just(on_b(StepKind::Wipe).bound()),
        Just(on_b(StepKind::Start)),
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

/// Whether there is no way back from this step.
fn is_final(steps: &[(Step, StepState)], number: usize) -> bool {
    let (step, state) = &steps[number];
    let next = steps.get(number + 1);
    matches!(state, StepState::Done { .. })
        && (step.what == StepKind::Start || next.is_some_and(|(step, _)| step.bound))
}

proptest! {
    /// Whatever happens: it ends, nothing but what must follow begins after a cancel, nothing after a failure, steps come in order,
    /// what is undone was done, and all that can be undone is, unless all was done or there is no way back.
    #[test]
    fn every_course_ends_well(steps in steps(), events in events(), step_by_step: bool) {
        let terms = OperationTerms { without_gates: ["left".to_owned()].into(), step_by_step };
        let mut machine = machine(steps, terms);
        let mut events = events.into_iter();
        let (mut last, mut cancelled, mut failed) = (None, false, false);
        let mut undone = Vec::new();
        for _ in 0..200 {
            match machine.step() {
                Next::End => break,
                Next::Undo(step, ..) => {
                    prop_assert!(cancelled || failed);
                    undone.push(step);
                    machine.undone(step, true);
                }
                next => {
                    if let Next::Do(number, step) = &next {
                        prop_assert!(!failed && Some(*number) >= last);
                        prop_assert!(!cancelled || step.bound);
                        last = Some(*number);
                    }
                    match events.next() {
                        Some(Event::Cancel) | None => {
                            machine.cancel();
                            if let Next::Do(_, step) = next {
                                let to_its_end = step.runs_to_its_end();
                                let how = if to_its_end { Ended::Done(String::new()) } else { Ended::Cut };
                                machine.ended(how, Duration::ZERO);
                            }
                            cancelled = true;
                        }
                        Some(Event::Proceed) => machine.proceed(),
                        Some(Event::Done) if matches!(next, Next::Do(..)) => done(&mut machine),
                        Some(Event::Fail) if matches!(next, Next::Do(..)) => {
                            machine.ended(Ended::Failed("no".into()), Duration::ZERO);
                            failed = true;
                        }
                        Some(Event::Done | Event::Fail) => machine.proceed(),
                    }
                }
            }
        }
        let status = machine.status();
        prop_assert!(status.has_ended());
        prop_assert!(undone.is_sorted_by(|a, b| a > b));
        let all = &status.steps;
        let no_way_back = (0..all.len()).rev().find(|number| is_final(all, *number));
        let after = no_way_back.map_or(0, |number| number + 1);
        let mut left = all[after..].iter().filter(|(step, state)| {
            step.undo().is_some() && matches!(state, StepState::Done { .. })
        });
        prop_assert!(status.outcome == Outcome::Done || left.next().is_none());
        prop_assert!(undone.iter().all(|number| *number >= after));
    }
}
