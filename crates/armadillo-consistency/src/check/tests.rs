//! The check against a search through all orders, and against simulated registers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::history::Moment;

/// What becomes of an operation in a scripted history.
#[derive(Clone, Debug)]
enum Script {
    /// A write, and whether it was acknowledged, refused or neither.
    Write(Option<bool>),
    /// A read of the body of the n-th operation, or of nothing.
    Read(Option<usize>),
}

fn at(order: u64) -> Moment {
    Moment { order, us: order }
}

fn write(body: &str, invoked: u64, returned: u64, wrote: Wrote) -> Operation {
    Operation {
        client: 0,
        key: "k".to_owned(),
        action: Action::Write {
            body: body.to_owned(),
            wrote: Some(wrote),
        },
        invoked: at(invoked),
        returned: Some(at(returned)),
    }
}

fn read(body: Option<&str>, invoked: u64, returned: u64) -> Operation {
    let found = body.map_or(Found::Nothing, |body| Found::Body(body.to_owned()));
    Operation {
        client: 1,
        key: "k".to_owned(),
        action: Action::Read { found: Some(found) },
        invoked: at(invoked),
        returned: Some(at(returned)),
    }
}

fn kind_of(operations: &[Operation]) -> Option<Kind> {
    let operations = operations.to_vec();
    let history = History {
        operations,
        marks: Vec::new(),
    };
    violations(&history).first().map(|violation| violation.kind)
}

use Wrote::Acknowledged as Done;

fn unknown() -> Wrote {
    Wrote::Unknown("no answer".to_owned())
}

#[test]
fn each_defect_has_its_name() {
    let refused = Wrote::Refused("busy".to_owned());
    let lost = [write("a", 1, 2, Done), read(None, 3, 4)];
    assert_eq!(kind_of(&lost), Some(Kind::Lost));
    let stale = [
        write("a", 1, 2, Done),
        read(None, 3, 4),
        read(Some("a"), 5, 6),
    ];
    assert_eq!(kind_of(&stale), Some(Kind::Stale));
    let overwritten = [
        write("a", 1, 2, Done),
        write("b", 3, 4, Done),
        read(Some("a"), 5, 6),
    ];
    assert_eq!(kind_of(&overwritten), Some(Kind::Lost));
    let seen = [write("a", 1, 2, refused.clone()), read(Some("a"), 3, 4)];
    assert_eq!(kind_of(&seen), Some(Kind::RefusedAndSeen));
    assert_eq!(kind_of(&[read(Some("x"), 1, 2)]), Some(Kind::Invented));
    let early = [read(Some("a"), 1, 2), write("a", 3, 4, Done)];
    assert_eq!(kind_of(&early), Some(Kind::BeforeItsTime));
}

#[test]
fn what_a_register_may_do_is_no_violation() {
    let refused = Wrote::Refused("busy".to_owned());
    let histories: [&[Operation]; 6] = [
        &[write("a", 1, 4, Done), read(None, 2, 3)],
        &[write("a", 1, 4, Done), read(Some("a"), 2, 3)],
        &[write("a", 1, 2, refused), read(None, 3, 4)],
        &[write("a", 1, 2, unknown()), read(None, 3, 4)],
        // A write of unknown outcome may come late.
        &[
            write("a", 1, 2, unknown()),
            write("b", 3, 4, Done),
            read(Some("b"), 5, 6),
            read(Some("a"), 7, 8),
        ],
        &[
            write("a", 1, 6, Done),
            write("b", 2, 5, Done),
            read(Some("b"), 7, 8),
            read(Some("b"), 9, 10),
        ],
    ];
    for history in histories {
        assert_eq!(kind_of(history), None, "{history:?}");
    }
}

/// A write applied twice shows an old body again.
#[test]
fn a_body_does_not_come_back() {
    let again = [
        write("a", 1, 2, Done),
        write("b", 3, 4, unknown()),
        read(Some("b"), 5, 6),
        read(Some("a"), 7, 8),
    ];
    assert_eq!(kind_of(&again), Some(Kind::Stale));
}

#[test]
fn a_violation_is_told_by_the_operations_that_make_it() {
    let mut operations = vec![write("a", 1, 2, Done)];
    operations.extend((0..20).map(|n| read(Some("a"), 3 + 2 * n, 4 + 2 * n)));
    operations.push(write("b", 50, 51, Done));
    operations.push(read(Some("a"), 60, 61));
    operations.extend((0..20).map(|n| read(Some("a"), 70 + 2 * n, 71 + 2 * n)));
    let history = History {
        operations,
        marks: Vec::new(),
    };
    let found = violations(&history);
    assert_eq!(found.len(), 1);
    let text = found[0].to_string();
    assert!(
        text.starts_with("`k`: an acknowledged write was lost\n"),
        "{text}"
    );
    assert!(text.contains("writes `b`: acknowledged"), "{text}");
    assert_eq!(found[0].window.len(), 3, "{text}");
}

/// Whether some order of the operations, each between its invocation and its return, is one of a register: a search
/// through all of them, after J. Wing and C. Gong, "Testing and Verifying Concurrent Objects", 1993.
fn has_an_order(operations: &[Operation]) -> bool {
    fn search<'a>(
        rest: u32,
        now: Option<&'a str>,
        operations: &'a [Operation],
        known: &mut BTreeSet<(u32, Option<&'a str>)>,
    ) -> bool {
        let open = |index: usize| rest & (1 << index) != 0;
        let must = |operation: &Operation| match &operation.action {
            Action::Write { wrote, .. } => *wrote == Some(Done),
            Action::Read { .. } => true,
        };
        let of_rest = || {
            operations
                .iter()
                .enumerate()
                .filter(|(index, _)| open(*index))
        };
        if of_rest().all(|(_, operation)| !must(operation)) {
            return true;
        }
        if !known.insert((rest, now)) {
            return false;
        }
        let returned = of_rest().filter(|(_, operation)| must(operation));
        let returned = returned
            .filter_map(|(_, operation)| operation.returned)
            .min();
        of_rest().any(|(index, operation)| {
            let may_be_next = returned.is_none_or(|first| operation.invoked < first);
            let next = match &operation.action {
                Action::Write {
                    wrote: Some(Wrote::Refused(_)),
                    ..
                } => return false,
                Action::Write { body, .. } => Some(body.as_str()),
                Action::Read { .. } if operation.body() == now => now,
                Action::Read { .. } => return false,
            };
            may_be_next && search(rest & !(1 << index), next, operations, known)
        })
    }
    let all = (1_u32 << operations.len()) - 1;
    search(all, None, operations, &mut BTreeSet::new())
}

/// A history of one key from a script: invocations and returns are in the order of `moments`.
fn scripted(script: &[Script], moments: &[u16]) -> Vec<Operation> {
    let mut order: Vec<(u16, usize, bool)> = Vec::new();
    for (index, pair) in moments.chunks(2).enumerate() {
        let (one, other) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        order.push((one, index, false));
        order.push((other, index, true));
    }
    order.sort_unstable_by_key(|(moment, index, returns)| (*moment, *returns, *index));
    let place = |index: usize, returns: bool| {
        let found = order
            .iter()
            .position(|(_, i, r)| (*i, *r) == (index, returns));
        u64::try_from(found.unwrap()).unwrap() + 1
    };
    let make = |(index, what): (usize, &Script)| {
        let (invoked, returned) = (place(index, false), place(index, true));
        match what {
            Script::Write(wrote) => {
                let wrote = match wrote {
                    Some(true) => Done,
                    Some(false) => Wrote::Refused(String::new()),
                    None => unknown(),
                };
                write(&index.to_string(), invoked, returned, wrote)
            }
            Script::Read(seen) => {
                let seen = seen.map(|seen| (seen % script.len()).to_string());
                read(seen.as_deref(), invoked, returned)
            }
        }
    };
    let mut operations: Vec<Operation> = script.iter().enumerate().map(make).collect();
    operations.sort_by_key(|operation| operation.invoked);
    operations
}

fn script() -> impl Strategy<Value = Script> {
    prop_oneof![
        4 => Just(Script::Write(Some(true))),
        2 => Just(Script::Write(None)),
        1 => Just(Script::Write(Some(false))),
        6 => proptest::option::weighted(0.9, 0..8_usize).prop_map(Script::Read),
    ]
}

/// A history as a register makes it: each operation takes effect at one moment between invocation and return.
fn register(choices: &[(u8, u8, u8)]) -> Vec<Operation> {
    let mut effects: Vec<(u64, usize)> = Vec::new();
    for (index, (begin, before, _)) in choices.iter().enumerate() {
        effects.push((u64::from(*begin) * 1000 + u64::from(*before) * 10, index));
    }
    effects.sort_unstable();
    let mut now: Option<String> = None;
    let mut operations = Vec::new();
    for (rank, (moment, index)) in effects.into_iter().enumerate() {
        let (begin, _, after) = choices[index];
        // Unique moments: the rank stands in the last digits.
        let unique = |time: u64, part: u64| time * 10_000 + (rank as u64) * 3 + part;
        let invoked = unique(u64::from(begin) * 1000, 0);
        let returned = unique(moment + u64::from(after) * 10, 2);
        if after % 2 == 0 {
            let body = index.to_string();
            let wrote = if after % 8 == 0 { unknown() } else { Done };
            // One of unknown outcome may not have happened.
            if after % 16 != 0 {
                now = Some(body.clone());
            }
            operations.push(write(&body, invoked, returned, wrote));
        } else {
            operations.push(read(now.as_deref(), invoked, returned));
        }
    }
    operations.sort_by_key(|operation| operation.invoked);
    operations
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn it_agrees_with_a_search_through_all_orders(
        script in proptest::collection::vec(script(), 1..8),
        moments in proptest::collection::vec(any::<u16>(), 16),
    ) {
        let operations = scripted(&script, &moments[..2 * script.len()]);
        let found = kind_of(&operations);
        prop_assert_eq!(found.is_none(), has_an_order(&operations), "{:?} in {:#?}", found, operations);
    }

    /// The window alone is a contradiction, and without any of its operations there is none. (A write that is left out
    /// takes its reads with it: they would see what nobody wrote.)
    #[test]
    fn a_window_is_a_contradiction_by_itself(
        script in proptest::collection::vec(script(), 1..8),
        moments in proptest::collection::vec(any::<u16>(), 16),
    ) {
        let operations = scripted(&script, &moments[..2 * script.len()]);
        let history = History { operations, marks: Vec::new() };
        for violation in violations(&history) {
            prop_assert!(!has_an_order(&violation.window), "{}", violation);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_simulated_register_raises_no_alarm(
        choices in proptest::collection::vec(any::<(u8, u8, u8)>(), 1..120),
    ) {
        let operations = register(&choices);
        prop_assert_eq!(kind_of(&operations), None, "{:#?}", operations);
    }

    /// The last acknowledged write of such a history, seen to be gone afterwards.
    #[test]
    fn a_lost_write_is_found_in_any_history(
        choices in proptest::collection::vec(any::<(u8, u8, u8)>(), 1..120),
    ) {
        let mut operations = register(&choices);
        let last = operations.iter().filter_map(|operation| operation.returned).max();
        let last = last.map_or(0, |moment| moment.order);
        operations.push(write("kept", last + 1, last + 2, Done));
        operations.push(read(None, last + 3, last + 4));
        prop_assert!(kind_of(&operations).is_some());
    }
}
