//! Durations of earlier runs, by which tests are ordered: one JSON file, replaced whole, of bounded size.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::Verdict;
use crate::report::{Model, write_whole};

/// The version of the format. A file of another version is started anew.
const VERSION: u32 = 1;

/// How many tests, and how many topologies, are remembered. Those not seen for the longest time go first.
const CAPACITY: usize = 20_000;

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
        let problem = match std::fs::read(path) {
            Ok(bytes) => match serde_json::from_slice::<Content>(&bytes) {
                Ok(content) if content.version == VERSION => return (Self { content }, None),
                Ok(content) => format!("it is of version {}", content.version),
                Err(error) => error.to_string(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Self::default(), None);
            }
            Err(error) => error.to_string(),
        };
        let warning = format!("the history {} is started anew: {problem}", path.display());
        (Self::default(), Some(warning))
    }

    /// How long this test (by id) takes.
    #[must_use]
    pub fn test(&self, id: &str) -> Option<Duration> {
        self.content.tests.get(id).map(Entry::duration)
    }

    /// How long the start of this topology (as text) takes.
    #[must_use]
    pub fn start(&self, topology: &str) -> Option<Duration> {
        self.content.starts.get(topology).map(Entry::duration)
    }

    /// Adds what a run took: its tests that passed, its deployments that came up.
    pub fn add(&mut self, model: &Model) {
        self.content.version = VERSION;
        self.content.runs += 1;
        let run = self.content.runs;
        let passed = model
            .tests
            .iter()
            .filter(|test| *test.verdict() == Verdict::Passed);
        for test in passed {
            let (Some(started), Some(last)) = (&model.started, test.last()) else {
                continue;
            };
            let name = test.name.split('#').next().unwrap_or(&test.name);
            let id = format!("{}::{}${name}", started.package, started.binary);
            learn(&mut self.content.tests, id, last.finished.times.total, run);
        }
        for deployment in model.deployments.values() {
            if let Some(took_us) = deployment.took_us {
                let topology = deployment.topology.clone();
                learn(&mut self.content.starts, topology, took_us, run);
            }
        }
        forget(&mut self.content.tests);
        forget(&mut self.content.starts);
    }

    /// Replaces the file. Two runs that end at once leave the history of one of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent().filter(|parent| *parent != PathBuf::new()) {
            std::fs::create_dir_all(directory)?;
        }
        let text = serde_json::to_string(&self.content).map_err(io::Error::other)?;
        write_whole(path, &text)
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

fn forget(entries: &mut BTreeMap<String, Entry>) {
    if entries.len() <= CAPACITY {
        return;
    }
    let mut seen: Vec<u64> = entries.values().map(|entry| entry.seen).collect();
    seen.sort_unstable_by(|a, b| b.cmp(a));
    let oldest_kept = seen.get(CAPACITY - 1).copied().unwrap_or(0);
    entries.retain(|_, entry| entry.seen >= oldest_kept);
    while entries.len() > CAPACITY {
        let oldest = entries.iter().find(|(_, entry)| entry.seen == oldest_kept);
        let Some(key) = oldest.map(|(key, _)| key.clone()) else {
            break;
        };
        entries.remove(&key);
    }
}
