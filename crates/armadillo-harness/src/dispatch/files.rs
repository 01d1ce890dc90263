//! The files of one attempt of a test, below the run's directory.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::{LeadershipLog, PostMortem, ServerKey};

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

    /// Shows the files about crashes among those of the test, too: cores are large, so these are the same files.
    pub(super) fn take_crashes(&self, found: &mut [PostMortem], journal: &Journal) {
        let paths = (found.iter_mut()).flat_map(|found| [&mut found.stacks, &mut found.core]);
        for path in paths.flatten() {
            let name = path.file_name().unwrap_or_default();
            let own = self.directory.join("crashes").join(name);
            let directory = own.parent().unwrap_or(&self.directory);
            let linked =
                std::fs::create_dir_all(directory).and_then(|()| std::fs::hard_link(&*path, &own));
            match linked {
                Ok(()) => *path = own,
                // The kernel writes cores to another file system: it is named where it is.
                Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
                Err(error) => journal.cannot_write(&self.run, &own, &error),
            }
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
