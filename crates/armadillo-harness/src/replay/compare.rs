//! How close a run came to the one that it repeats.

use std::collections::{BTreeMap, BTreeSet};

use super::Record;
use crate::outcome::{FailureKind, Verdict};
use crate::report::kind_name;
use crate::script::{Move, Script};
use crate::trace::Trace;

/// What was repeated, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closeness {
    /// How many tests were to begin.
    pub wanted: usize,
    /// Those that did not, with the reason if there is one.
    pub missing: Vec<(String, Option<String>)>,
    /// Tests that ended otherwise: how they did then, and how they do now.
    pub changed: Vec<(String, String, String)>,
    /// As few tests as possible without which all others began in the recorded order.
    pub out_of_order: Vec<String>,
    /// Tests that did not share their deployments with the tests that they did share them with.
    pub misplaced: Vec<String>,
    /// How many pairs of tests had a deployment at the same time in the record.
    pub overlaps: usize,
    /// How many of them had it so again.
    pub repeated_overlaps: usize,
}

impl Closeness {
    /// Whether all was as it was.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty()
            && self.changed.is_empty()
            && self.out_of_order.is_empty()
            && self.misplaced.is_empty()
            && self.overlaps == self.repeated_overlaps
    }
}

/// Compares a run of a script with the record that the script is of.
#[must_use]
pub fn compare(record: &Record, script: &Script, now: &Record) -> Closeness {
    let wanted: Vec<&str> = script.begins().map(|(test, _)| test).collect();
    let names: BTreeSet<&str> = wanted.iter().copied().collect();
    let of_script = |record: &Record| {
        let named = record.tests.iter().enumerate();
        let named = named.filter(|(_, attempt)| names.contains(attempt.test.as_str()));
        named
            .map(|(place, attempt)| (attempt.test.clone(), place))
            .collect::<BTreeMap<String, usize>>()
    };
    let (then_at, now_at) = (of_script(record), of_script(now));
    let missing = wanted.iter().filter(|test| !now_at.contains_key(**test));
    let missing = missing.map(|test| {
        let why = now.never_began.get(*test).map(in_words);
        ((*test).to_owned(), why)
    });
    let changed = wanted.iter().filter_map(|test| {
        let then = record.tests[*then_at.get(*test)?].verdict.as_ref()?;
        let now = now.tests[*now_at.get(*test)?].verdict.as_ref()?;
        (kind(then) != kind(now)).then(|| ((*test).to_owned(), in_words(then), in_words(now)))
    });
    let (pairs_then, pairs_now) = (overlaps(record, &names), overlaps(now, &names));
    Closeness {
        wanted: wanted.len(),
        missing: missing.collect(),
        changed: changed.collect(),
        out_of_order: out_of_order(&wanted, &now_at),
        misplaced: misplaced(script, now, &now_at),
        overlaps: pairs_then.len(),
        repeated_overlaps: pairs_then.intersection(&pairs_now).count(),
    }
}

/// How a test ended, without what differs each time.
fn kind(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Failed { kind, .. } => format!("{kind:?}"),
        Verdict::Passed => "passed".to_owned(),
        Verdict::Skipped { .. } => "skipped".to_owned(),
    }
}

/// Whether a test failed now as it did then: in the same way and, if it is the same executable, at the same place, if both failures
/// have one. A test that was cut off has not failed.
#[must_use]
pub fn fails_as(then: &Verdict, now: &Verdict, is_same_executable: bool) -> bool {
    let (
        Verdict::Failed {
            kind: kind_then,
            traces: traces_then,
            ..
        },
        Verdict::Failed { kind, traces, .. },
    ) = (then, now)
    else {
        return false;
    };
    let place = |traces: &[Trace]| traces.iter().find_map(|trace| trace.place.clone());
    let is_elsewhere = match (place(traces_then), place(traces)) {
        (Some(then), Some(now)) => then != now,
        _ => false,
    };
    let is_cut_off = *kind == FailureKind::Interrupted;
    kind_then == kind && !is_cut_off && !(is_same_executable && is_elsewhere)
}

/// How a test ended, with the first line of its message, for people.
#[must_use]
pub fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Skipped { reason } => format!("skipped: {reason}"),
        Verdict::Failed { kind, message, .. } => {
            let first = message.lines().next().unwrap_or_default();
            format!("{}: {first}", kind_name(*kind))
        }
    }
}

fn out_of_order(wanted: &[&str], now_at: &BTreeMap<String, usize>) -> Vec<String> {
    let begun = wanted.iter().copied();
    let begun = begun.filter_map(|test| Some((test, *now_at.get(test)?)));
    let (tests, places): (Vec<&str>, Vec<usize>) = begun.unzip();
    let in_order = longest_rise(&places);
    let others = tests.iter().enumerate();
    let others = others.filter(|(position, _)| !in_order.contains(position));
    others.map(|(_, test)| (*test).to_owned()).collect()
}

/// The positions of as many of these numbers as possible that rise from one to the next.
fn longest_rise(numbers: &[usize]) -> BTreeSet<usize> {
    // For each length, the position at which a rise of this length ends with the smallest number.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (position, number) in numbers.iter().enumerate() {
        let shorter = ends.partition_point(|end| numbers[*end] < *number);
        before.push(shorter.checked_sub(1).map(|last| ends[last]));
        match ends.get_mut(shorter) {
            Some(end) => *end = position,
            None => ends.push(position),
        }
    }
    std::iter::successors(ends.last().copied(), |position| before[*position]).collect()
}

/// Each word of the script must stand for one deployment, and each deployment for one word.
fn misplaced(script: &Script, now: &Record, now_at: &BTreeMap<String, usize>) -> Vec<String> {
    let (mut stands_for, mut word_of) = (BTreeMap::new(), BTreeMap::new());
    let mut found = Vec::new();
    for (test, words) in script.begins() {
        let Some(place) = now_at.get(test) else {
            continue;
        };
        let on = &now.tests[*place].on;
        let fits = words.iter().zip(on).all(|(word, deployment)| {
            *stands_for.entry(word).or_insert(deployment) == deployment
                && *word_of.entry(deployment).or_insert(word) == word
        });
        if !fits || words.len() != on.len() {
            found.push(test.to_owned());
        }
    }
    found
}

/// The pairs of these tests that had a deployment at the same time.
fn overlaps(record: &Record, names: &BTreeSet<&str>) -> BTreeSet<(String, String)> {
    let mut running: BTreeSet<usize> = BTreeSet::new();
    let mut pairs = BTreeSet::new();
    for step in &record.moves {
        match *step {
            Move::Begin(test) if names.contains(record.tests[test].test.as_str()) => {
                let one = &record.tests[test];
                for other in &running {
                    let other = &record.tests[*other];
                    if one.on.iter().any(|word| other.on.contains(word)) {
                        let (a, b) = (one.test.clone(), other.test.clone());
                        pairs.insert(if a < b { (a, b) } else { (b, a) });
                    }
                }
                running.insert(test);
            }
            Move::End(test) => _ = running.remove(&test),
            Move::Begin(_) => {}
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::record::tests::run;

    #[test]
    fn what_was_repeated_is_told_from_what_was_not() {
        let record = run("+a@x +b@x -a +c@x +d@y !c -b -d +e@y -e");
        let script = record.script(None);
        let same = run("+a@1 +b@1 -a +c@1 +d@2 -b !c -d +e@2 -e");
        let exact = compare(&record, &script, &same);
        assert!(exact.is_exact(), "{exact:?}");
        assert_eq!((exact.wanted, exact.overlaps), (5, 2));
        // a ends before b begins, c passes, d is on a deployment of another word, b begins after c, e does not begin.
        let other = run("+a@1 -a +c@1 +b@1 +d@1 -b -c -d !e");
        let found = compare(&record, &script, &other);
        assert_eq!(found.repeated_overlaps, 1);
        assert_eq!(found.out_of_order, ["b"]);
        assert_eq!(found.misplaced, ["d"]);
        let changed = ["c", "failed: no", "passed"].map(str::to_owned);
        assert_eq!(found.changed, [changed.into()]);
        assert_eq!(
            found.missing,
            [("e".to_owned(), Some("failed: no".to_owned()))]
        );
        assert!(!found.is_exact());
    }

    #[test]
    fn as_few_tests_as_possible_are_out_of_order() {
        let record = run("+a +b +c +d");
        let out_of_order = |now: &str| {
            let found = compare(&record, &record.script(None), &run(now));
            found.out_of_order.join(" ")
        };
        assert_eq!(out_of_order("+a +b +c +d"), "");
        assert_eq!(out_of_order("+b +c +d +a"), "a");
        assert_eq!(out_of_order("+d +a +b +c"), "d");
        assert_eq!(out_of_order("+c +b"), "b");
        assert_eq!(out_of_order("+d +c +b +a"), "a b c");
    }

    #[test]
    fn a_failure_comes_back_in_the_same_way_and_at_the_same_place() {
        let failed = |kind| Verdict::failed(kind, "no");
        let (failure, late) = (FailureKind::Failed, FailureKind::TimedOut);
        assert!(fails_as(&failed(failure), &failed(failure), true));
        assert!(!fails_as(&failed(failure), &failed(late), true));
        assert!(!fails_as(&failed(failure), &Verdict::Passed, true));
        // It was cut off.
        let interrupted = failed(FailureKind::Interrupted);
        assert!(!fails_as(&interrupted, &interrupted, true));
    }
}
