//! What a person is told of a repetition.

use std::collections::BTreeSet;

use armadillo_harness::outcome::Verdict;
use armadillo_harness::replay::{Record, compare, in_words};
use armadillo_harness::report::many;
use armadillo_harness::script::Script;

use super::Recorded;

/// How many of several things are named.
const NAMED: usize = 10;

/// What is about to be repeated.
pub(super) fn before(recorded: &Recorded, script: &Script, test: Option<usize>) -> String {
    let on: BTreeSet<&String> = script.begins().flat_map(|(_, on)| on).collect();
    let tests = many(script.begins().count(), "test");
    let mut text = format!(
        "replay of run {}: {tests} on {}",
        script.of,
        many(on.len(), "deployment")
    );
    if let Some(test) = test {
        let verdict = recorded.record.tests[test].verdict.as_ref();
        let ended = verdict.map_or("did not end".to_owned(), in_words);
        text.push_str(&format!(", up to {} ({ended})", recorded.name(test)));
    }
    text.push('\n');
    let names: BTreeSet<&str> = script.begins().map(|(test, _)| test).collect();
    let retried = recorded.record.tests.iter();
    let retried = retried.filter(|one| one.retried && names.contains(one.test.as_str()));
    match retried.count() {
        0 => {}
        several => text.push_str(&format!(
            "  {} retried; only first attempts are repeated\n",
            match several {
                1 => "1 test was".to_owned(),
                more => format!("{more} tests were"),
            }
        )),
    }
    text
}

/// How close it came, and whether the test failed again.
pub(super) fn after(
    recorded: &Recorded,
    script: &Script,
    now: &Record,
    test: Option<usize>,
) -> String {
    let found = compare(&recorded.record, script, now);
    let begun = found.wanted - found.missing.len();
    let mut text = format!(
        "\nreplayed: {begun} of {} began, {}; {} of {} overlaps on a deployment were repeated\n",
        many(found.wanted, "test"),
        match found.out_of_order.len() {
            0 => "in the recorded order".to_owned(),
            some => format!("{some} of them not in the recorded order"),
        },
        found.repeated_overlaps,
        found.overlaps,
    );
    let mut list = |what: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        text.push_str(&format!("  {what}:\n"));
        for line in lines.iter().take(NAMED) {
            text.push_str(&format!("    {line}\n"));
        }
        if lines.len() > NAMED {
            text.push_str(&format!("    and {} more\n", lines.len() - NAMED));
        }
    };
    let missing = found.missing.iter().map(|(test, why)| match why {
        Some(why) => format!("{test}: {why}"),
        None => test.clone(),
    });
    list("did not begin", missing.collect());
    list("on other copies than then", found.misplaced);
    let changed = found.changed.iter();
    let changed = changed.map(|(test, then, now)| format!("{test}: {now}; then: {then}"));
    list("ended otherwise", changed.collect());
    if let Some(test) = test {
        let name = recorded.name(test);
        text.push_str(&of_test(
            name,
            recorded.record.tests[test].verdict.as_ref(),
            now,
        ));
    }
    text
}

fn of_test(name: &str, then: Option<&Verdict>, now: &Record) -> String {
    let now = now
        .place(name)
        .and_then(|place| now.tests[place].verdict.as_ref());
    let failed = |verdict: Option<&Verdict>| verdict.is_some_and(Verdict::is_failure);
    let ended = now.map_or_else(|| "it did not run".to_owned(), in_words);
    match (failed(then), failed(now)) {
        (true, true) => format!("{name} failed again: {ended}\n"),
        (true, false) => format!("{name} did not fail this time: {ended}\n"),
        (false, true) => format!("{name} failed, and did not then: {ended}\n"),
        (false, false) => format!("{name}: {ended}, as then\n"),
    }
}
