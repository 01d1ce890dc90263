//! What a run says before it starts.

use std::collections::BTreeMap;

use super::paint::{Paint, many};
use crate::event::{PlannedTest, RunStarted};
use crate::needs::LeaseMode;

/// How many digits of the hash of a program are shown; events and results have all.
const SHOWN_DIGITS: usize = 12;

/// Programs, topologies with their tests, workers, seed, isolation, protections, files; nothing if no test
/// will run. Goes to stderr.
#[must_use]
pub fn header(started: &RunStarted, color: bool) -> String {
    if started.tests.is_empty() {
        return String::new();
    }
    let paint = Paint(color);
    let executables = by_executable(&started.tests);
    let what = match &started.command {
        Some(command) => command.clone(),
        None => format!(
            "{} of {}, {} at once, isolation {}, seed {}",
            many(started.tests.len(), "test"),
            match executables.len() {
                0 | 1 => started.executable(),
                several => many(several, "executable"),
            },
            started.workers,
            started.isolation,
            started.seed,
        ),
    };
    let mut text = format!(
        "{} {}, run {}: {what}\n",
        paint.bold("armadillo"),
        started.armadillo,
        started.run,
    );
    if executables.len() > 1 {
        for (executable, count) in &executables {
            text.push_str(&format!("  {executable}: {}\n", many(*count, "test")));
        }
    }
    if let Some(shard) = &started.shard {
        text.push_str(&format!(
            "  shard {} of {}, by {}: {} of {}\n",
            shard.number,
            shard.of,
            shard.by,
            started.tests.len(),
            many(shard.tests as usize, "test"),
        ));
    }
    for (system, program) in &started.programs {
        let stand_in = match &program.stand_in {
            Some(title) => paint.yellow(&format!(", {title}")),
            None => String::new(),
        };
        let note = match &program.note {
            Some(note) => format!("\n    {note}"),
            None => String::new(),
        };
        let origin = match &program.origin {
            Some(origin) => {
                let digits: String = origin.sha256.chars().take(SHOWN_DIGITS).collect();
                format!("\n    from {}, SHA-256 {digits}", origin.from)
            }
            None => String::new(),
        };
        text.push_str(&format!(
            "  {system}: {} {}{stand_in}{note}{origin}\n",
            program.program, program.version
        ));
    }
    for (topology, tests) in by_topology(&started.tests) {
        if started.command.is_some() {
            text.push_str(&format!("  {topology}\n"));
            continue;
        }
        let of_mode = |mode| {
            let uses = |test: &&&PlannedTest| test.special_modes().any(|used| used == mode);
            tests.iter().filter(uses).count()
        };
        let special: Vec<String> = [
            (LeaseMode::Exclusive, "exclusive"),
            (LeaseMode::Fresh, "fresh"),
            (LeaseMode::Unstarted, "unstarted"),
        ]
        .into_iter()
        .filter(|(mode, _)| of_mode(*mode) > 0)
        .map(|(mode, word)| format!("{} {word}", of_mode(mode)))
        .collect();
        let special = if special.is_empty() {
            String::new()
        } else {
            format!(" ({})", special.join(", "))
        };
        text.push_str(&format!(
            "  {topology}: {}{special}\n",
            many(tests.len(), "test")
        ));
    }
    if let Some(copies) = &started.copies {
        text.push_str(&format!("  {}\n", super::copies_line(copies)));
    }
    // A run in one process starts nothing that could be left behind.
    if !started.protections.is_empty() {
        let protections = started.protections.join(", ");
        text.push_str(&format!("  orphan protection: {protections}\n"));
    }
    if let Some(directory) = &started.directory {
        text.push_str(&format!("  files: {directory}\n"));
    }
    text
}

/// How many tests of each executable there are, if it is said which they are of.
fn by_executable(tests: &[PlannedTest]) -> BTreeMap<String, usize> {
    let mut executables = BTreeMap::new();
    for origin in tests.iter().filter_map(|test| test.origin.as_ref()) {
        *executables.entry(origin.executable()).or_default() += 1;
    }
    executables
}

/// The tests of each topology; those without one first.
fn by_topology(tests: &[PlannedTest]) -> Vec<(String, Vec<&PlannedTest>)> {
    let mut groups: BTreeMap<Option<String>, Vec<&PlannedTest>> = BTreeMap::new();
    for test in tests {
        let key = test.topologies();
        groups.entry(key).or_default().push(test);
    }
    let named = |key: Option<String>| key.unwrap_or_else(|| "no deployment".to_owned());
    groups
        .into_iter()
        .map(|(key, tests)| (named(key), tests))
        .collect()
}
