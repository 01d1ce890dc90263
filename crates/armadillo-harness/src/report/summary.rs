//! What a run says when it is over, on stderr.

use std::collections::BTreeMap;

use super::block::kind_name;
use super::model::{Model, TestRecord};
use super::odds;
use super::paint::{Paint, many, time};
use super::retries;
use crate::event::{Repetitions, StartReason};
use crate::outcome::{FailureKind, Verdict};

/// Counts by kind, flaky tests, deployments that were recycled, stand-ins, the slowest tests, where the files are.
pub(super) fn summary(model: &Model, slowest: Option<usize>, paint: Paint) -> String {
    if model.selected() == 0 {
        return String::new();
    }
    let command = model.started.as_ref().and_then(|run| run.command.as_ref());
    let mut text = match command {
        // Whether it passed is its own affair, and what went wrong with the servers has been said.
        Some(_) if model.ended_early().is_none() => String::new(),
        _ => counts(model, paint),
    };
    text.push_str(&repetitions(model, paint));
    for test in model.tests.iter().filter(|test| test.is_flaky()) {
        let attempts = many(test.attempts.len(), "attempt");
        let told = retries::told(test).map_or(String::new(), |told| format!("; {told}"));
        let planned = model.planned(&test.name);
        let earlier = planned.and_then(|test| test.earlier.as_ref());
        let earlier = earlier.map_or(String::new(), |earlier| format!("; {earlier}"));
        let odds = odds::of(model, test);
        let odds = odds.map_or(String::new(), |odds| format!("; {}", odds.in_words()));
        text.push_str(&format!(
            "  {}: {} after {attempts}{told}{earlier}{odds}\n",
            paint.yellow("flaky"),
            test.name
        ));
    }
    for (id, deployment) in &model.deployments {
        if let Some(why) = &deployment.recycled {
            text.push_str(&format!("  {}: {id}: {why}\n", paint.yellow("replaced")));
        }
        for complaint in &deployment.complaints {
            text.push_str(&format!(
                "  {}: {id}: {complaint}\n",
                paint.yellow("at shutdown")
            ));
        }
    }
    let evicted = model
        .deployments
        .values()
        .filter(|record| record.evicted)
        .count();
    if evicted > 0 {
        text.push_str(&format!(
            "  {}: {} stopped early to free memory or cores\n",
            paint.yellow("note"),
            many(evicted, "deployment")
        ));
    }
    if let Some(count) = slowest {
        text.push_str(&slowest_tests(model, count));
    }
    for stand_in in model.stand_ins() {
        let note = paint.yellow("note");
        text.push_str(&match command {
            Some(_) => format!("  {note}: servers were {stand_in}\n"),
            None => format!("  {note}: tests ran on {stand_in}\n"),
        });
    }
    let directory = model
        .started
        .as_ref()
        .and_then(|run| run.directory.as_ref());
    if let Some(directory) = directory.filter(|_| command.is_none()) {
        text.push_str(&format!("  files: {directory}\n"));
    }
    text
}

/// `12 passed (1 flaky), 2 failed (1 timed out, 1 crashed), 1 ignored, 3 skipped in 4.20 s; 2 deployments`.
fn counts(model: &Model, paint: Paint) -> String {
    let counts = model.counts();
    let mut parts = vec![format!("{} passed", counts.passed)];
    if counts.flaky > 0 {
        parts[0].push_str(&format!(" ({} flaky)", counts.flaky));
    }
    if counts.failed > 0 {
        let kinds = failure_kinds(model);
        parts.push(paint.red(&format!("{} failed ({kinds})", counts.failed)));
    }
    if counts.inconclusive > 0 {
        parts.push(paint.red(&format!("{} inconclusive", counts.inconclusive)));
    }
    if counts.ignored > 0 {
        parts.push(format!("{} ignored", counts.ignored));
    }
    if counts.skipped > 0 {
        parts.push(format!("{} skipped", counts.skipped));
    }
    let planned = model.started.as_ref().map_or(0, |run| run.tests.len());
    let not_run = planned.saturating_sub(model.tests.len());
    if not_run > 0 {
        parts.push(paint.yellow(&format!("{not_run} not run")));
    }
    let mut line = format!("{} in {}", parts.join(", "), time(model.now_us));
    let records = model.deployments.values();
    let reasons: Vec<_> = records.map(|record| record.reason).collect();
    let count = |wanted| {
        let found = reasons.iter().filter(|reason| **reason == Some(wanted));
        found.count()
    };
    let shared = count(StartReason::Shared);
    let attached = count(StartReason::Attached);
    let started = reasons.len() - shared - attached;
    if !reasons.is_empty() {
        line.push_str(&format!("; {} started", many(started, "deployment")));
    }
    if shared > 0 {
        line.push_str(&format!(", {shared} already running"));
    }
    if attached > 0 {
        line.push_str(&format!(", {attached} attached"));
    }
    if let Some(early) = model.ended_early() {
        line.push_str(&format!(
            "; {}",
            paint.red(&format!("stopped early: {early}"))
        ));
    }
    line + "\n"
}

/// How often tests ran that ran again and again; those that failed or were flaky by name.
fn repetitions(model: &Model, paint: Paint) -> String {
    if model.repeated.is_empty() {
        return String::new();
    }
    let all = model.repeated.values().copied();
    let sum = all.fold(Repetitions::default(), Repetitions::and);
    let mut text = format!("  repetitions: {sum}\n");
    for (test, counts) in &model.repeated {
        if counts.failed + counts.flaky > 0 {
            let name = paint.yellow(test);
            text.push_str(&format!("    {name}: {counts}\n"));
        }
    }
    text
}

/// The summary of a run without colours, for somebody who was not there.
pub(crate) fn totals(model: &Model) -> String {
    summary(model, None, Paint(false))
}

fn failure_kinds(model: &Model) -> String {
    let mut kinds = BTreeMap::new();
    for test in &model.tests {
        if let Verdict::Failed { kind, .. } = test.verdict()
            && *kind != FailureKind::Inconclusive
        {
            *kinds.entry(*kind).or_insert(0usize) += 1;
        }
    }
    let named = kinds
        .into_iter()
        .map(|(kind, count)| format!("{count} {}", kind_name(kind)));
    named.collect::<Vec<_>>().join(", ")
}

fn slowest_tests(model: &Model, count: usize) -> String {
    let mut tests: Vec<&TestRecord> = model.tests.iter().collect();
    tests.sort_by(|a, b| {
        b.total_us()
            .cmp(&a.total_us())
            .then_with(|| a.name.cmp(&b.name))
    });
    tests.truncate(count);
    let mut text = format!("  slowest {}:\n", many(tests.len(), "test"));
    for test in tests {
        let (mut set_up, mut body, mut tear_down) = (0, 0, 0);
        for attempt in &test.attempts {
            set_up += attempt.finished.times.set_up;
            body += attempt.finished.times.body;
            tear_down += attempt.finished.times.tear_down;
        }
        text.push_str(&format!(
            "    {:>12}  {}  (set-up {}, body {}, tear-down {})\n",
            time(test.total_us()),
            test.name,
            time(set_up),
            time(body),
            time(tear_down),
        ));
    }
    text
}
