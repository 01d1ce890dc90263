//! The files of one attempt of a test, below the run's directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::{LeadershipLog, ServerKey};

use super::context::Context;
use super::journal::Journal;
use crate::plan::Planned;

/// The files of one attempt of a test. The directory is made only when there is something to put into it.
pub(super) struct TestFiles {
    run: PathBuf,
    pub(super) directory: PathBuf,
}

impl TestFiles {
    pub(super) fn of(context: &Context, planned: &Planned, attempt: u32) -> Self {
        Self {
            run: context.directory.clone(),
            directory: directory(&context.directory, &planned.name, attempt),
        }
    }

    pub(super) fn attachments(&self) -> PathBuf {
        self.directory.join("attachments")
    }

    /// Keeps the whole of what the test printed.
    pub(super) fn keep_output(&self, output: &[u8], journal: &Journal) {
        self.keep(&self.directory.join("output"), output, journal);
    }

    /// Keeps the servers' log lines of the test's time.
    pub(super) fn keep_server_logs(&self, logs: &BTreeMap<ServerKey, String>, journal: &Journal) {
        for (server, text) in logs {
            self.keep(
                &self.directory.join("server-logs").join(server.as_str()),
                text.as_bytes(),
                journal,
            );
        }
    }

    /// Keeps who led when, if anybody was to lead.
    pub(super) fn keep_leaders(&self, log: &LeadershipLog, journal: &Journal) {
        let lines = log.to_lines();
        if !lines.is_empty() {
            self.keep(
                &self.directory.join("leaders.jsonl"),
                lines.as_bytes(),
                journal,
            );
        }
    }

    fn keep(&self, path: &Path, bytes: &[u8], journal: &Journal) {
        let directory = path.parent().unwrap_or(&self.directory);
        if let Err(error) =
            std::fs::create_dir_all(directory).and_then(|()| std::fs::write(path, bytes))
        {
            journal.cannot_write(&self.run, path, &error);
        }
    }
}

/// The directory of one attempt of a test.
pub(crate) fn directory(run: &Path, test: &str, attempt: u32) -> PathBuf {
    let name: String = test
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '.'
            }
        })
        .collect();
    let name = name.replace("..", ".");
    let name = if attempt == 1 {
        name
    } else {
        format!("{name}.attempt-{attempt}")
    };
    run.join("tests").join(name)
}
