//! A suite that has ended: what it printed, how it ended, and the files of its run.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::Value;
use tempfile::TempDir;

use crate::suite::{runs_in, text};
use crate::{remains, wait};

/// What became of a [`crate::Suite`].
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    home: TempDir,
    token: String,
}

impl Ran {
    pub(crate) fn new(status: ExitStatus, home: TempDir, token: String) -> Self {
        Self {
            code: status.code(),
            signal: status.signal(),
            stdout: text(&home.path().join("stdout")),
            stderr: text(&home.path().join("stderr")),
            home,
            token,
        }
    }

    /// The directory it ran in.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Everything it said, for the message of an assertion.
    #[must_use]
    pub fn said(&self) -> String {
        let (code, stdout, stderr) = (self.code, quoted(&self.stdout), quoted(&self.stderr));
        format!("exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }

    /// All that it printed, whole.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Whether it printed this anywhere.
    #[must_use]
    pub fn printed(&self, text: &str) -> bool {
        self.stdout.contains(text) || self.stderr.contains(text)
    }

    /// The ids of its runs.
    #[must_use]
    pub fn runs(&self) -> Vec<String> {
        runs_in(&self.home.path().join("runs"))
    }

    /// The directory of its one run.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        match &self.runs()[..] {
            [run] => self.home.path().join("runs").join(run),
            runs => panic!("{} runs\n{}", runs.len(), self.said()),
        }
    }

    /// The content of one file of its run.
    ///
    /// # Panics
    /// When there is no such file.
    #[must_use]
    pub fn file(&self, name: &str) -> Vec<u8> {
        let read = std::fs::read(self.directory().join(name));
        read.unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.said()))
    }

    /// `results.json`.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn results(&self) -> Value {
        let results = serde_json::from_slice(&self.file("results.json"));
        results.unwrap_or_else(|error| panic!("results.json: {error}"))
    }

    /// A test in `results.json`.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn test(&self, name: &str) -> Value {
        let results = self.results();
        let mut tests = results["tests"].as_array().into_iter().flatten();
        let test = tests.find(|test| test["name"] == name);
        test.unwrap_or_else(|| panic!("no result of {name}\n{}", self.said()))
            .clone()
    }

    /// The last verdict over a test: `passed`, or the kind of failure.
    #[must_use]
    pub fn verdict(&self, name: &str) -> String {
        let verdict = &self.test(name)["verdict"];
        if let Some(word) = verdict.as_str() {
            return word.to_owned();
        }
        match verdict["failed"]["kind"].as_str() {
            Some(kind) => kind.to_owned(),
            None => "skipped".to_owned(),
        }
    }

    /// What is said about a test that failed or was skipped.
    #[must_use]
    pub fn message(&self, name: &str) -> String {
        let verdict = &self.test(name)["verdict"];
        let message = &verdict["failed"]["message"];
        let message = message.as_str().or(verdict["skipped"]["reason"].as_str());
        message.unwrap_or_default().to_owned()
    }

    /// The whole output of a test that failed.
    #[must_use]
    pub fn output(&self, name: &str) -> Vec<u8> {
        self.file(&format!("tests/{name}/output"))
    }

    /// The events of this kind in `events.jsonl`, in order.
    ///
    /// # Panics
    /// When a line is no event.
    #[must_use]
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.file("events.jsonl")).into_owned();
        let events = text.lines().map(|line| {
            let event: Result<Value, _> = serde_json::from_str(line);
            event.unwrap_or_else(|error| panic!("{line}: {error}"))
        });
        let of_kind = events.filter_map(|event| event["kind"].get(kind).cloned());
        of_kind.collect()
    }

    /// `junit.xml`, parsed.
    ///
    /// # Panics
    /// When it cannot be.
    #[must_use]
    pub fn junit(&self) -> quick_junit::Report {
        let text = String::from_utf8_lossy(&self.file("junit.xml")).into_owned();
        let report = quick_junit::Report::deserialize_from_str(&text);
        report.unwrap_or_else(|error| panic!("junit.xml: {error}\n{text}"))
    }

    /// What is left of it a moment after its end.
    #[must_use]
    pub fn remains(&self) -> Vec<String> {
        remains::after(wait::LIMIT / 4, &self.token, &self.runs())
    }
}

/// The text with a mark before each line: CI counts the results of lines that begin with `test result`.
fn quoted(text: &str) -> String {
    let lines = short(text);
    let lines: Vec<String> = lines.lines().map(|line| format!("  | {line}")).collect();
    lines.join("\n")
}

/// The text, without its middle if it is long.
fn short(text: &str) -> String {
    const EACH: usize = 4000;
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 2 * EACH {
        return text.to_owned();
    }
    let (head, tail) = (&chars[..EACH], &chars[chars.len() - EACH..]);
    let omitted = chars.len() - 2 * EACH;
    let text = |part: &[char]| part.iter().collect::<String>();
    format!(
        "{}\n[{omitted} characters left out]\n{}",
        text(head),
        text(tail)
    )
}
