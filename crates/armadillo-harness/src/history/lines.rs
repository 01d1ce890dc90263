//! The lines of the file. Each is a JSON object that means the same wherever it stands and however often: a file is the union of its
//! lines, and the lines of two files together are a file.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::History;
use super::attempt::{Attempt, Company, Outcome, Took};
use super::bounds::keep_short;
use crate::commit::Commit;

/// The version of the format.
pub(super) const VERSION: u32 = 2;

/// The first line. Where files were put together, others may follow, which mean nothing.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    /// [`VERSION`].
    pub(super) history: u32,
    /// How long the file was when it was last made as short as it can be.
    #[serde(default)]
    pub(super) compact: u64,
}

/// What is known of a run, before the first line that names it.
#[derive(Serialize, Deserialize)]
struct RunLine<'a> {
    run: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
}

/// Attempts at a test on one topology.
#[derive(Serialize, Deserialize)]
struct TestLine<'a, T> {
    test: std::borrow::Cow<'a, str>,
    on: std::borrow::Cow<'a, str>,
    attempts: T,
}

/// How long deployments of a topology took.
#[derive(Serialize, Deserialize)]
struct TopologyLine<'a, T> {
    topology: std::borrow::Cow<'a, str>,
    starts: T,
    repairs: T,
}

type AttemptText<'a> = (&'a str, u64, Outcome, u64, Option<Company>);
type TookText<'a> = (&'a str, u64, u64);

/// How many attempts, starts or repairs a line has at most: no line is longer than one that is read.
const MOST_OF_LINE: usize = 1000;

/// What the lines about tests begin with: the test is known before they are read.
const TEST: &[u8] = b"{\"test\":\"";
const RUN: &[u8] = b"{\"run\":";
const TOPOLOGY: &[u8] = b"{\"topology\":";
const HEADER: &[u8] = b"{\"history\":";

/// A line that cannot be understood.
pub(super) enum Junk {
    /// It is not a history record.
    Line,
    /// It is the first line of a file of another version.
    Version(u32),
}

impl From<serde_json::Error> for Junk {
    fn from(_: serde_json::Error) -> Self {
        Self::Line
    }
}

impl History {
    /// Takes in a line, if it is about a test that is of interest, or about no test.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<(), Junk> {
        if line.starts_with(TEST) {
            if test_of(line).is_some_and(|test| !is_wanted(test)) {
                return Ok(());
            }
            let TestLine { test, on, attempts } =
                serde_json::from_slice::<TestLine<Vec<AttemptText>>>(line)?;
            let attempts = attempts
                .into_iter()
                .map(|(run, at_ms, outcome, took_us, company)| Attempt {
                    at_ms,
                    run: self.run(run),
                    outcome,
                    took_us,
                    company,
                });
            let attempts: Vec<Attempt> = attempts.collect();
            if is_wanted(&test) {
                let known = self.attempts_of(&test, &on);
                known.extend(attempts);
                keep_short(known);
            }
            return Ok(());
        }
        if line.starts_with(RUN) {
            let RunLine { run, commit } = serde_json::from_slice(line)?;
            let number = self.run(run);
            if let Some(known) = self.runs.get_mut(number as usize) {
                known.commit = known.commit.take().or(commit);
            }
            return Ok(());
        }
        if line.starts_with(TOPOLOGY) {
            let line: TopologyLine<Vec<TookText>> = serde_json::from_slice(line)?;
            let mut took = |texts: Vec<TookText>| -> Vec<Took> {
                let each = texts.into_iter().map(|(run, at_ms, us)| Took {
                    at_ms,
                    run: self.run(run),
                    us,
                });
                each.collect()
            };
            let (starts, repairs) = (took(line.starts), took(line.repairs));
            let topology = self
                .topologies
                .entry(line.topology.into_owned())
                .or_default();
            topology.starts.extend(starts);
            topology.repairs.extend(repairs);
            keep_short(&mut topology.starts);
            keep_short(&mut topology.repairs);
            return Ok(());
        }
        if line.starts_with(HEADER) {
            let header: Header = serde_json::from_slice(line)?;
            return match header.history {
                VERSION => Ok(()),
                other => Err(Junk::Version(other)),
            };
        }
        match line.is_empty() {
            true => Ok(()),
            false => Err(Junk::Line),
        }
    }

    /// Writes everything that is known, without a header.
    pub(super) fn write_lines(&self, to: &mut impl Write) -> io::Result<()> {
        for run in &self.runs {
            let commit = run.commit.clone();
            write(
                to,
                &RunLine {
                    run: &run.id,
                    commit,
                },
            )?;
        }
        let name = |run: u32| {
            self.runs
                .get(run as usize)
                .map_or("", |run| run.id.as_str())
        };
        for (test, by_topology) in &self.tests {
            for (on, attempts) in by_topology {
                for attempts in attempts.chunks(MOST_OF_LINE) {
                    let attempts: Vec<AttemptText> = (attempts.iter())
                        .map(|it| (name(it.run), it.at_ms, it.outcome, it.took_us, it.company))
                        .collect();
                    let (test, on) = (test.into(), on.into());
                    write(to, &TestLine { test, on, attempts })?;
                }
            }
        }
        for (topology, took) in &self.topologies {
            let texts = |all: &[Took]| -> Vec<TookText> {
                let each = all.iter().map(|it| (name(it.run), it.at_ms, it.us));
                each.collect()
            };
            let mut starts = took.starts.chunks(MOST_OF_LINE);
            let mut repairs = took.repairs.chunks(MOST_OF_LINE);
            loop {
                let (starts, repairs) = match (starts.next(), repairs.next()) {
                    (None, None) => break,
                    (starts, repairs) => (starts.unwrap_or_default(), repairs.unwrap_or_default()),
                };
                write(
                    to,
                    &TopologyLine {
                        topology: topology.into(),
                        starts: texts(starts),
                        repairs: texts(repairs),
                    },
                )?;
            }
        }
        Ok(())
    }
}

/// The test that a line is about, if its name is written plainly.
fn test_of(line: &[u8]) -> Option<&str> {
    let rest = line.get(TEST.len()..)?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let name = rest.get(..end)?;
    let is_plain = !name.contains(&b'\\');
    is_plain.then(|| std::str::from_utf8(name).ok()).flatten()
}

fn write(to: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}
