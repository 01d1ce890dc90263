//! Jobs as CI systems read them.

use std::collections::BTreeSet;
use std::fmt::Write;

use armadillo_harness::report;
use serde::Serialize;

use super::jobs::Job;

/// What every job runs, without what selects its own tests.
pub(super) struct Command {
    /// What is said to cargo.
    pub(super) build: Vec<String>,
    /// What is said to the tests.
    pub(super) arguments: Vec<String>,
}

impl Command {
    /// What is said to the tests of a job.
    fn flags<'a>(&'a self, job: &'a Job) -> Vec<&'a str> {
        let all = self.arguments.iter().chain(&job.flags);
        all.map(String::as_str).collect()
    }

    fn whole<'a>(&'a self, job: &'a Job) -> Vec<&'a str> {
        let build = self.build.iter().map(String::as_str);
        let words = ["armadillo", "test", "run"].into_iter().chain(build);
        words.chain(self.flags(job)).collect()
    }
}

/// A job. Texts for a shell are quoted.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    /// What is said to the tests, for a shell: `cargo test --test suite -- ${{ matrix.flags }}`.
    flags: String,
    /// The command that runs its tests, for a shell.
    command: String,
    tests: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_seconds: Option<u64>,
}

impl<'a> Entry<'a> {
    fn of(job: &'a Job, command: &Command) -> Self {
        Self {
            name: &job.name,
            flags: in_shell(&command.flags(job)),
            command: in_shell(&command.whole(job)),
            tests: job.tests,
            expected_seconds: job.expected_ms.map(|ms| ms.div_ceil(1000)),
        }
    }
}

/// A value of `strategy.matrix`: one line.
pub(super) fn github(jobs: &[Job], command: &Command) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Matrix<'a> {
        include: Vec<Entry<'a>>,
    }
    let include = jobs.iter().map(|job| Entry::of(job, command)).collect();
    Ok(serde_json::to_string(&Matrix { include })? + "\n")
}

/// Everything that is known of the jobs.
pub(super) fn json(jobs: &[Job], command: &Command) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct All<'a> {
        /// The version of this format.
        matrix: u32,
        jobs: Vec<One<'a>>,
    }
    #[derive(Serialize)]
    struct One<'a> {
        name: &'a str,
        /// What is said to the tests, word by word.
        flags: Vec<&'a str>,
        /// The command that runs its tests, word by word.
        command: Vec<&'a str>,
        tests: usize,
        expected_ms: Option<u64>,
        topologies: &'a BTreeSet<String>,
    }
    let jobs = jobs.iter().map(|job| One {
        name: &job.name,
        flags: command.flags(job),
        command: command.whole(job),
        tests: job.tests,
        expected_ms: job.expected_ms,
        topologies: &job.topologies,
    });
    let jobs = jobs.collect();
    Ok(serde_json::to_string(&All { matrix: 1, jobs })? + "\n")
}

/// A child pipeline. Every text is written as JSON writes it, which YAML reads.
pub(super) fn gitlab(
    jobs: &[Job],
    command: &Command,
    template: Option<&str>,
) -> Result<String, serde_json::Error> {
    let mut text = String::from("# Written by `armadillo ci matrix`.\n");
    // Writing to a String cannot fail.
    if let Some(template) = template {
        _ = writeln!(
            text,
            "include:\n  - local: {}",
            serde_json::to_string(template)?
        );
    }
    for job in jobs {
        let entry = Entry::of(job, command);
        _ = write!(text, "\n{}:\n", serde_json::to_string(&entry.name)?);
        if template.is_some() {
            _ = writeln!(text, "  extends: .armadillo");
        }
        _ = writeln!(
            text,
            "  script:\n    - {}",
            serde_json::to_string(&entry.command)?
        );
    }
    Ok(text)
}

/// Words as a shell reads them.
fn in_shell(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| report::in_shell(word)).collect();
    words.join(" ")
}
