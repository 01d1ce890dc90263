//! Histories: of runs that never were, and what a run has written.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

/// A history in which these tests (by id) took so long, and the start of these topologies, in milliseconds.
#[must_use]
pub fn took(tests: &[(String, u64)], starts: &[(&str, u64)]) -> String {
    let mut text = String::from("{\"history\":2,\"compact\":0}\n");
    // Writing to a String cannot fail.
    for (test, ms) in tests {
        let attempts = json!([["before", 1, "passed", ms * 1000, null]]);
        _ = writeln!(
            text,
            "{{\"test\":{},\"on\":\"\",\"attempts\":{attempts}}}",
            json!(test)
        );
    }
    for (topology, ms) in starts {
        let took = json!([["before", 1, ms * 1000]]);
        _ = writeln!(
            text,
            "{{\"topology\":{},\"starts\":{took},\"repairs\":[]}}",
            json!(topology)
        );
    }
    text
}

/// What a history says, line by line.
pub struct History {
    lines: Vec<Value>,
}

/// An attempt at a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The id of its run.
    pub run: String,
    /// How it ended.
    pub outcome: String,
    /// `alone` or `shared`; empty for a test without deployments.
    pub company: String,
    /// The topology; empty for a test without deployments.
    pub on: String,
}

impl History {
    /// Reads it.
    ///
    /// # Panics
    /// When it cannot be read, or a line is no JSON.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let line = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
        };
        Self {
            lines: text.lines().map(line).collect(),
        }
    }

    /// The attempts at the test of this name.
    #[must_use]
    pub fn attempts(&self, name: &str) -> Vec<Attempt> {
        let is_meant = |line: &&Value| {
            let id = line["test"].as_str().unwrap_or_default();
            id.split_once('$').is_some_and(|(_, own)| own == name)
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = self.lines.iter().filter(is_meant);
        let attempts = lines.flat_map(|line| {
            let attempts = line["attempts"].as_array().into_iter().flatten();
            attempts.map(|it| Attempt {
                run: text(&it[0]),
                outcome: text(&it[2]),
                company: text(&it[4]),
                on: text(&line["on"]),
            })
        });
        attempts.collect()
    }

    /// How often deployments of this topology were started, and how often repaired.
    #[must_use]
    pub fn took(&self, topology: &str) -> [usize; 2] {
        ["starts", "repairs"].map(|what| {
            let lines = self
                .lines
                .iter()
                .filter(|line| line["topology"] == topology);
            lines
                .filter_map(|line| Some(line[what].as_array()?.len()))
                .sum()
        })
    }

    /// The commit of a run, and whether it was changed, if that was known.
    #[must_use]
    pub fn commit(&self, run: &str) -> Option<(String, Option<bool>)> {
        let mut lines = self.lines.iter().filter(|line| line["run"] == run);
        let commit = &lines.next()?["commit"];
        let is = |name: &str| commit[name] == true;
        let dirty = (!is("unchecked")).then_some(is("dirty"));
        Some((commit["id"].as_str()?.to_owned(), dirty))
    }
}
