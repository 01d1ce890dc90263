//! What the servers have logged.

use std::collections::BTreeMap;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Deployment;
use super::status::Phase;
use crate::backend::{LOG_HEAD, LOG_TAIL};
use crate::notice::Notice;
use crate::server::ServerKey;
use crate::system::{Level, LogRecord};

/// How often it is looked whether a log has become too long.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// As much as is returned of one server's log, in bytes: the end of it.
const LOG_LIMIT: u64 = 1 << 20;

/// As much as is looked at for the last lines, in bytes.
const TAIL_LIMIT: u64 = 64 << 10;

/// A point in every server's log, in bytes: what is written later is after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogMarks(pub BTreeMap<ServerKey, u64>);

impl Deployment {
    /// Keeps the logs within bounds for as long as the deployment lives, and says once of each that it was cut.
    pub(super) fn keep_logs_short(self: &Arc<Self>) {
        let deployment = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(deployment) = deployment.upgrade() {
                if deployment.is_ended() {
                    return;
                }
                deployment.cut_logs();
                deployment.tell_loud_lines();
                drop(deployment);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
    }

    /// What servers have logged since the last look that a person should see.
    fn tell_loud_lines(&self) {
        let mut loud = self.loud.lock().unwrap_or_else(PoisonError::into_inner);
        for key in self.servers.keys() {
            let size = self.site.log_size(key);
            let Some(from) = loud.next(key, size) else {
                continue;
            };
            // Nobody waits for these lines: what cannot be read now is read at the next look, or never.
            let Ok((text, to)) = self.whole_lines(key, from) else {
                continue;
            };
            let read = |line: &str| self.system.log_line(line);
            for notice in loud.take(key, &text, to, read) {
                self.notices.send(notice);
            }
        }
    }

    fn cut_logs(&self) {
        let mut said = self
            .said_of_logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for key in self.servers.keys() {
            let is_said = said.contains(key);
            let notice = match self.site.cut_log(key) {
                Ok(true) if !is_said => Notice::LogCut {
                    server: key.clone(),
                    head_mib: LOG_HEAD >> 20,
                    tail_mib: LOG_TAIL >> 20,
                },
                Err(error) if !is_said => Notice::Warning {
                    text: format!("cannot truncate the log of {key}: {error}"),
                },
                _ => continue,
            };
            said.insert(key.clone());
            self.notices.send(notice);
        }
    }

    /// All servers have ended for good.
    pub(super) fn close_logs(&self) {
        // What came after the last look.
        self.cut_logs();
        self.tell_loud_lines();
        if let Err(error) = self.site.close_logs() {
            self.notices
                .warn(format!("cannot write to a truncated log: {error}"));
        }
    }

    /// Where every server's log ends now.
    #[must_use]
    pub fn log_marks(&self) -> LogMarks {
        LogMarks(
            self.servers
                .keys()
                .map(|key| (key.clone(), self.site.log_size(key)))
                .collect(),
        )
    }

    /// What every server has logged since then, at most the last MiB of each. A server without a mark is read from its
    /// beginning; one that has logged nothing is left out.
    #[must_use]
    pub fn logs_since(&self, marks: &LogMarks) -> BTreeMap<ServerKey, String> {
        self.servers
            .keys()
            .map(|key| {
                let from = marks.0.get(key).copied().unwrap_or(0);
                (key.clone(), self.log_text(key, from, LOG_LIMIT))
            })
            .filter(|(_, text)| !text.is_empty())
            .collect()
    }

    /// The next whole lines that a server has logged from the byte `from` on, at most a MiB of them, and the byte after the
    /// last. A line that is longer than that is cut.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn whole_lines(&self, server: &ServerKey, from: u64) -> std::io::Result<(String, u64)> {
        let part = self.site.log_part(server, from);
        let limit = LOG_LIMIT.min(part.end - part.start);
        if limit == 0 {
            return Ok((String::new(), part.start));
        }
        let mut bytes = self.site.log(server, part.start, limit)?;
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => bytes.truncate(end + 1),
            // The rest of the line is not there yet.
            None if part.end == self.site.log_size(server) && limit < LOG_LIMIT => bytes.clear(),
            None => {}
        }
        let to = part.start + bytes.len() as u64;
        Ok((String::from_utf8_lossy(&bytes).into_owned(), to))
    }

    /// The lines logged since then that report a crash or that the server gives up, as the system reads them.
    #[must_use]
    pub fn grave_lines(&self, marks: &LogMarks) -> Vec<(ServerKey, LogRecord)> {
        let mut found = Vec::new();
        for (key, text) in self.logs_since(marks) {
            found.extend(self.grave(&text).map(|record| (key.clone(), record)));
        }
        found
    }

    /// The same of servers that run, since their last start: what a server says that was ended or has crashed is part of its
    /// end.
    #[must_use]
    pub fn grave_lines_of_running(&self, marks: &LogMarks) -> Vec<(ServerKey, LogRecord)> {
        let mut running = LogMarks::default();
        for (key, server) in &self.servers {
            let from = marks.0.get(key).copied().unwrap_or(0);
            let from = match server.phase() {
                Phase::Running => from.max(server.log_from()),
                _ => u64::MAX,
            };
            running.0.insert(key.clone(), from);
        }
        self.grave_lines(&running)
    }

    /// The first line of a crash's log that says what happened, as the system reads it.
    #[must_use]
    pub fn grave_line_of(&self, log: &[String]) -> Option<String> {
        Some(self.grave(&log.join("\n")).next()?.text)
    }

    fn grave<'a>(&'a self, text: &'a str) -> impl Iterator<Item = LogRecord> + 'a {
        let records = text.lines().filter_map(|line| self.system.log_line(line));
        records.filter(is_grave)
    }

    fn is_grave(&self, line: &str) -> bool {
        self.system
            .log_line(line)
            .is_some_and(|record| is_grave(&record))
    }

    /// The last lines of a server's log.
    #[must_use]
    pub fn last_lines(&self, server: &ServerKey, count: usize) -> Vec<String> {
        self.lines_since(server, 0, count)
    }

    /// What a server that has ended logged last, from the byte `from` on. The report of a crash may be followed by a long
    /// backtrace: what says that it crashed, with what comes next, is not left out for that.
    pub(super) fn last_words(&self, server: &ServerKey, from: u64, count: usize) -> Vec<String> {
        let text = self.log_text(server, from, TAIL_LIMIT);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(count);
        let first = lines.iter().position(|line| self.is_grave(line));
        let (report, rest) = match first {
            Some(first) if first < last => {
                let half = count / 2;
                (
                    first..first + half,
                    lines.len() - (count - half)..lines.len(),
                )
            }
            _ => (0..0, last..lines.len()),
        };
        let chosen = lines[report].iter().chain(&lines[rest]);
        chosen.map(|line| (*line).to_owned()).collect()
    }

    /// What one server has logged from the byte `from` on, at most the last MiB.
    pub(super) fn log_since(&self, server: &ServerKey, from: u64) -> String {
        self.log_text(server, from, LOG_LIMIT)
    }

    /// The last lines of what a server has logged from the byte `from` on.
    pub(super) fn lines_since(&self, server: &ServerKey, from: u64, count: usize) -> Vec<String> {
        let text = self.log_text(server, from, TAIL_LIMIT);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }

    /// The end of a log, and a line that says how much was left out before it.
    fn log_text(&self, server: &ServerKey, from: u64, limit: u64) -> String {
        let size = self.site.log_size(server);
        if from >= size {
            return String::new();
        }
        let start = size.saturating_sub(limit).max(from);
        match self.site.log(server, start, limit) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                if start > from {
                    format!("[{} bytes omitted]\n{text}", start - from)
                } else {
                    text.into_owned()
                }
            }
            Err(error) => format!("[cannot read the log: {error}]\n"),
        }
    }
}

/// Whether a line reports a crash, or that the server gives up.
fn is_grave(record: &LogRecord) -> bool {
    record.crash || record.level == Level::Fatal
}
