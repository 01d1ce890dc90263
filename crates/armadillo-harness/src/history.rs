//! What earlier runs were like: durations, by which tests are ordered, and how tests ended. One JSON file, replaced whole, of bounded
//! size: it is merged, cached and restored in CI as any other file, and needs no library.

mod outcomes;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::StartReason;
use crate::outcome::Verdict;
use crate::report::{Model, TestRecord, write_whole};

use outcomes::Outcomes;

/// The version of the format. A file of another version is started anew.
const VERSION: u32 = 1;

/// How many tests, and how many topologies, are remembered. Those not seen for the longest time go first.
const CAPACITY: usize = 20_000;

/// No file of that many is longer.
const LONGEST_FILE: u64 = 64 << 20;

/// How much a new duration counts against all earlier ones together.
const WEIGHT: f64 = 0.3;

/// The history of a target directory.
#[derive(Clone, Debug, Default)]
pub struct History {
    content: Content,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Content {
    version: u32,
    /// How many runs were added.
    runs: u64,
    /// By test id.
    tests: BTreeMap<String, Entry>,
    /// By complete topology, as text.
    starts: BTreeMap<String, Entry>,
    /// The same of repairs.
    #[serde(default)]
    repairs: BTreeMap<String, Entry>,
    /// By test id.
    #[serde(default)]
    outcomes: BTreeMap<String, Outcomes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// The exponential average, in microseconds.
    us: f64,
    /// The number of the run that added to it last.
    seen: u64,
}

impl History {
    /// Reads a history. A missing file is an empty one; one that cannot be understood is an empty one with a warning.
    #[must_use]
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let problem = match crate::regular::read(path, LONGEST_FILE) {
            Ok(bytes) => match serde_json::from_slice::<Content>(&bytes) {
                Ok(content) if content.version == VERSION => return (Self { content }, None),
                Ok(content) => format!("it has version {}", content.version),
                Err(error) => error.to_string(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Self::default(), None);
            }
            Err(error) => error.to_string(),
        };
        let warning = format!("ignoring the history {}: {problem}", path.display());
        (Self::default(), Some(warning))
    }

    /// How long this test (by id) takes.
    #[must_use]
    pub fn test(&self, id: &str) -> Option<Duration> {
        self.content.tests.get(id).map(Entry::duration)
    }

    /// Whether this test (by id) failed when it last ran.
    #[must_use]
    pub fn failed_last(&self, id: &str) -> bool {
        let outcomes = self.content.outcomes.get(id);
        outcomes.is_some_and(Outcomes::failed_last)
    }

    /// What the last runs of this test (by id) came to, if it did not always pass.
    #[must_use]
    pub fn outcomes(&self, id: &str) -> Option<String> {
        self.content.outcomes.get(id)?.in_words()
    }

    /// How long the start of this topology (as text) takes.
    #[must_use]
    pub fn start(&self, topology: &str) -> Option<Duration> {
        self.content.starts.get(topology).map(Entry::duration)
    }

    /// How long it takes to put a deployment of this topology (as text) in order, after a test had it alone.
    #[must_use]
    pub fn repair(&self, topology: &str) -> Option<Duration> {
        self.content.repairs.get(topology).map(Entry::duration)
    }

    /// Adds what a run took: its tests that passed, its deployments that came up, their repairs.
    pub fn add(&mut self, model: &Model) {
        self.content.version = VERSION;
        self.content.runs += 1;
        let run = self.content.runs;
        let id = |test: &TestRecord| {
            let started = model.started.as_ref()?;
            let name = test.name.split('#').next().unwrap_or(&test.name);
            Some(format!("{}::{}${name}", started.package, started.binary))
        };
        let tests = model
            .tests
            .iter()
            .filter_map(|test| Some((id(test)?, test)));
        for (id, test) in tests.clone() {
            if let (Verdict::Passed, Some(last)) = (test.verdict(), test.last()) {
                learn(&mut self.content.tests, id, last.finished.times.total, run);
            }
        }
        outcomes::add(&mut self.content.outcomes, tests, run);
        for deployment in model.deployments.values() {
            // Of one whose servers its test starts nothing is known, what another process has started, that one knows, and
            // what is somebody else's was not started.
            let unknown = [
                StartReason::Unstarted,
                StartReason::Shared,
                StartReason::Attached,
            ]
            .map(Some);
            let is_started = !unknown.contains(&deployment.reason);
            if let Some(took_us) = deployment.took_us.filter(|_| is_started) {
                let topology = deployment.topology.clone();
                learn(&mut self.content.starts, topology, took_us, run);
            }
            for took_us in &deployment.repairs_us {
                let topology = deployment.topology.clone();
                learn(&mut self.content.repairs, topology, *took_us, run);
            }
        }
        forget(&mut self.content.tests, |entry| entry.seen);
        forget(&mut self.content.starts, |entry| entry.seen);
        forget(&mut self.content.repairs, |entry| entry.seen);
        forget(&mut self.content.outcomes, |entry| entry.seen);
    }

    /// Replaces the file. Two runs that end at once leave the history of one of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent().filter(|parent| *parent != PathBuf::new()) {
            std::fs::create_dir_all(directory)?;
        }
        write_whole(path, |file| Ok(serde_json::to_writer(file, &self.content)?))
    }
}

impl Entry {
    fn duration(&self) -> Duration {
        Duration::try_from_secs_f64(self.us / 1e6).unwrap_or_default()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an average; 2^53 µs are 285 years"
)]
fn learn(entries: &mut BTreeMap<String, Entry>, key: String, us: u64, run: u64) {
    let us = us as f64;
    entries
        .entry(key)
        .and_modify(|entry| {
            entry.us += WEIGHT * (us - entry.us);
            entry.seen = run;
        })
        .or_insert(Entry { us, seen: run });
}

/// Removes those that no run has added to for the longest time, if there are too many.
fn forget<T>(entries: &mut BTreeMap<String, T>, seen: impl Fn(&T) -> u64) {
    if entries.len() <= CAPACITY {
        return;
    }
    let mut all: Vec<u64> = entries.values().map(&seen).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let oldest_kept = all.get(CAPACITY - 1).copied().unwrap_or(0);
    entries.retain(|_, entry| seen(entry) >= oldest_kept);
    while entries.len() > CAPACITY {
        let oldest = entries.iter().find(|(_, entry)| seen(entry) == oldest_kept);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            break;
        };
        entries.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::run;

    fn model() -> Model {
        let mut model = Model::default();
        for event in run() {
            model.on(&event);
        }
        model
    }

    #[test]
    fn durations_of_passed_tests_and_of_starts_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deep/history.json");
        let (mut history, warning) = History::read(&file);
        assert_eq!(warning, None);
        history.add(&model());
        history.write(&file).unwrap();

        let (history, warning) = History::read(&file);
        assert_eq!(warning, None);
        let test = |name: &str| history.test(&format!("shop::suite${name}"));
        assert_eq!(test("net::reads"), Some(Duration::from_micros(90_000)));
        assert_eq!(test("net::writes"), Some(Duration::from_micros(60_000)));
        assert_eq!(
            test("net::hangs"),
            None,
            "a failure says little about a duration"
        );
        assert_eq!(test("net::skips"), None);
        let failed = |name: &str| history.failed_last(&format!("shop::suite${name}"));
        assert!(failed("net::hangs") && !failed("net::reads") && !failed("net::skips"));
        assert_eq!(
            history.outcomes("shop::suite$net::hangs").as_deref(),
            Some("failed in its last run")
        );
        let start = history.start("tally cluster(members = 3)");
        assert_eq!(start, Some(Duration::from_micros(209_000)));
        let files = std::fs::read_dir(directory.path().join("deep"))
            .unwrap()
            .count();
        assert_eq!(files, 1, "nothing half written is left");
    }

    #[test]
    fn a_deployment_that_the_run_does_not_start_says_nothing_of_starts() {
        let mut history = History::default();
        for reason in [
            StartReason::Unstarted,
            StartReason::Shared,
            StartReason::Attached,
        ] {
            let mut model = model();
            for deployment in model.deployments.values_mut() {
                deployment.reason = Some(reason);
            }
            history.add(&model);
        }
        assert_eq!(history.start("tally cluster(members = 3)"), None);
    }

    #[test]
    fn a_new_duration_counts_for_three_tenths() {
        let mut entries = BTreeMap::new();
        learn(&mut entries, "t".to_owned(), 1_000_000, 1);
        learn(&mut entries, "t".to_owned(), 2_000_000, 2);
        let entry = entries.get("t").unwrap();
        assert_eq!(
            (entry.duration(), entry.seen),
            (Duration::from_millis(1300), 2)
        );
    }

    #[test]
    fn a_damaged_file_is_started_anew_with_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("history.json");
        for damaged in [
            "",
            "{",
            "[]",
            r#"{"version":9,"runs":1,"tests":{},"starts":{}}"#,
        ] {
            std::fs::write(&file, damaged).unwrap();
            let (mut history, warning) = History::read(&file);
            assert!(
                warning.unwrap().contains("ignoring the history"),
                "{damaged}"
            );
            history.add(&model());
            history.write(&file).unwrap();
            assert_eq!(History::read(&file).1, None);
        }
    }

    #[test]
    fn what_was_not_seen_for_the_longest_time_is_forgotten() {
        let mut entries = BTreeMap::new();
        for number in 0..CAPACITY {
            learn(&mut entries, format!("old {number}"), 1, 1);
        }
        for number in 0..10 {
            learn(&mut entries, format!("new {number}"), 1, 2);
        }
        forget(&mut entries, |entry| entry.seen);
        assert_eq!(entries.len(), CAPACITY);
        assert!((0..10).all(|number| entries.contains_key(&format!("new {number}"))));
    }
}
