//! What is known of one test: how its runs ended, and what that says of it.

use std::collections::{BTreeMap, BTreeSet};

use super::History;
use super::attempt::{Attempt, Company, Outcome};
use crate::commit::Commit;
use crate::date;
use crate::outcome::FailureKind;

/// Failures in a row are no chance any more if a test as flaky as it was before would fail so often only this rarely.
const NO_CHANCE: f64 = 0.01;

/// A topology that none of so many runs of a test were on is not its own any more.
const RECENT: usize = 20;

/// How a run of a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// It passed at once.
    Passed,
    /// It passed when it was tried again.
    Flaky,
    /// It failed.
    Failed,
}

/// A test in a run.
#[derive(Clone, Debug)]
pub struct TestRun<'h> {
    /// The run's id.
    pub run: &'h str,
    /// The commit that it was of.
    pub commit: Option<&'h Commit>,
    /// When the test ended, in milliseconds since 1970.
    pub at_ms: u64,
    /// How it ended. Of repetitions, the worst counts.
    pub ended: Ended,
    /// How it failed, if it did so once.
    pub kind: Option<FailureKind>,
    /// How long its last attempt took, in microseconds.
    pub took_us: u64,
    /// Its topology as text; empty for a test without deployments.
    pub topology: &'h str,
}

/// What is known of a test. There is at least one run.
#[derive(Clone, Debug)]
pub struct Known<'h> {
    /// Its runs, the oldest first.
    pub runs: Vec<TestRun<'h>>,
    /// The runs on each topology.
    on: BTreeMap<&'h str, Vec<TestRun<'h>>>,
    attempts: Vec<&'h Attempt>,
}

/// How often something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Of how many.
    pub of: usize,
    /// How many failed.
    pub failed: usize,
    /// How many more failed at first, and passed when tried again.
    pub flaky: usize,
}

/// What the runs say of the test. If it ran on several topologies, each is judged by itself, and the worst counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says<'h> {
    /// Nothing in particular.
    Nothing,
    /// It fails now and then, for no reason that is in its commit.
    Flaky {
        /// In which part of its runs.
        rate: f64,
    },
    /// It has failed in every run since a time.
    FailsSince(Streak<'h>),
}

/// The failed runs since the last one that passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Streak<'h> {
    /// How many.
    pub runs: usize,
    /// The commit of the first of them.
    pub since: Option<&'h Commit>,
    /// The commit of the run before.
    pub passed_last: Option<&'h Commit>,
}

impl History {
    /// What is known of a test (by id).
    #[must_use]
    pub fn known(&self, id: &str) -> Option<Known<'_>> {
        let by_topology = self.tests.get(id)?;
        let attempts = by_topology.iter().flat_map(|(topology, attempts)| {
            attempts
                .iter()
                .map(move |attempt| (topology.as_str(), attempt))
        });
        let mut attempts: Vec<(&str, &Attempt)> = attempts.collect();
        attempts.sort_by_key(|(_, attempt)| attempt.at_ms);
        let runs = self.test_runs(attempts.iter().copied());
        let on = by_topology.iter().map(|(topology, attempts)| {
            let here = attempts.iter().map(|attempt| (topology.as_str(), attempt));
            (topology.as_str(), self.test_runs(here))
        });
        let on = on.collect();
        (!runs.is_empty()).then(|| Known {
            on,
            runs,
            attempts: attempts.into_iter().map(|(_, attempt)| attempt).collect(),
        })
    }

    /// What the last runs of this test (by id) came to, in words.
    #[must_use]
    pub fn earlier(&self, id: &str) -> Option<String> {
        Some(self.known(id)?.in_words())
    }

    /// The runs that these attempts are of, the oldest first.
    fn test_runs<'h>(
        &'h self,
        attempts: impl Iterator<Item = (&'h str, &'h Attempt)>,
    ) -> Vec<TestRun<'h>> {
        let mut by_run: BTreeMap<u32, Vec<(&str, &Attempt)>> = BTreeMap::new();
        for (topology, attempt) in attempts {
            let of_run = by_run.entry(attempt.run).or_default();
            of_run.push((topology, attempt));
        }
        let runs = by_run
            .values()
            .filter_map(|attempts| self.test_run(attempts));
        let mut runs: Vec<TestRun> = runs.collect();
        runs.sort_by_key(|run| run.at_ms);
        runs
    }

    fn test_run<'h>(&'h self, attempts: &[(&'h str, &'h Attempt)]) -> Option<TestRun<'h>> {
        let (topology, last) = *attempts.last()?;
        let run = self.runs.get(last.run as usize)?;
        let outcomes = || attempts.iter().map(|(_, attempt)| attempt.outcome);
        let has_passed = outcomes().any(|outcome| outcome == Outcome::Passed);
        let has_failed = outcomes().any(|outcome| matches!(outcome, Outcome::Failed(_)));
        let kind = outcomes().filter_map(Outcome::kind).next_back();
        Some(TestRun {
            run: &run.id,
            commit: run.commit.as_ref(),
            at_ms: last.at_ms,
            ended: match kind {
                None => Ended::Passed,
                Some(_) if has_passed && !has_failed => Ended::Flaky,
                Some(_) => Ended::Failed,
            },
            kind,
            took_us: last.took_us,
            topology,
        })
    }
}

impl Part {
    fn add(&mut self, ended: Ended) {
        self.of += 1;
        match ended {
            Ended::Passed => {}
            Ended::Flaky => self.flaky += 1,
            Ended::Failed => self.failed += 1,
        }
    }

    /// How many did not pass at once.
    #[must_use]
    pub fn bad(&self) -> usize {
        self.failed + self.flaky
    }

    /// Which part did not pass at once.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "there are few runs")]
    pub fn rate(&self) -> f64 {
        self.bad() as f64 / self.of.max(1) as f64
    }
}

impl TestRun<'_> {
    /// When the test ended: `2025-11-22T13:05:00Z`.
    #[must_use]
    pub fn at(&self) -> String {
        date::utc(self.at_ms / 1000)
    }
}

impl<'h> Known<'h> {
    /// Whether it failed when it last ran.
    #[must_use]
    pub fn failed_last(&self) -> bool {
        self.runs
            .last()
            .is_some_and(|run| run.ended == Ended::Failed)
    }

    /// How often its runs failed.
    #[must_use]
    pub fn rate(&self) -> Part {
        rate(&self.runs)
    }

    /// Its runs on this topology, the oldest first.
    pub(super) fn runs_on(&self, topology: &str) -> &[TestRun<'h>] {
        self.on.get(topology).map_or(&[], Vec::as_slice)
    }

    /// The same by topology.
    #[must_use]
    pub fn by_topology(&self) -> BTreeMap<&'h str, Part> {
        let parts = self.on.iter().map(|(on, runs)| (*on, rate(runs)));
        parts.filter(|(_, part)| part.of > 0).collect()
    }

    /// How often its attempts failed while nobody else used its deployments, or while somebody did. A retry has more for itself than
    /// the attempt before, so it is not runs that are counted.
    #[must_use]
    pub fn by_company(&self) -> BTreeMap<Company, Part> {
        let mut parts: BTreeMap<Company, Part> = BTreeMap::new();
        for attempt in &self.attempts {
            if let Some(company) = attempt.company {
                parts
                    .entry(company)
                    .or_default()
                    .add(match attempt.outcome {
                        Outcome::Passed => Ended::Passed,
                        Outcome::Failed(_) | Outcome::Retried(_) => Ended::Failed,
                    });
            }
        }
        parts
    }

    /// How long it took when it passed, in microseconds: one half took no longer, and 95 of 100 took no longer.
    #[must_use]
    pub fn durations(&self) -> Option<(u64, u64)> {
        let passed = self
            .attempts
            .iter()
            .filter(|it| it.outcome == Outcome::Passed);
        let mut took: Vec<u64> = passed.map(|attempt| attempt.took_us).collect();
        took.sort_unstable();
        let at = |hundredths: usize| {
            let place = (took.len() * hundredths).div_ceil(100).saturating_sub(1);
            took.get(place).copied()
        };
        Some((at(50)?, at(95)?))
    }

    /// The failed runs since the last one that passed, if the last run failed; the most, if it ran on several topologies.
    #[must_use]
    pub fn streak(&self) -> Option<Streak<'h>> {
        let streaks = self.recent().filter_map(streak);
        streaks.max_by_key(|streak| streak.runs)
    }

    /// What its runs say of it.
    #[must_use]
    pub fn says(&self) -> Says<'h> {
        let worst = self.recent().map(says).max_by(|one, other| {
            let (one, other) = (one.weight(), other.weight());
            one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
        });
        worst.unwrap_or(Says::Nothing)
    }

    /// The runs on each topology that the last runs were on. What it once did on others says nothing of what it is now.
    fn recent(&self) -> impl Iterator<Item = &[TestRun<'h>]> {
        let last = &self.runs[self.runs.len().saturating_sub(RECENT)..];
        let last: BTreeSet<&str> = last.iter().map(|run| run.run).collect();
        let is_recent =
            move |runs: &[TestRun]| (runs.last()).is_some_and(|newest| last.contains(newest.run));
        let each = self.on.values().map(Vec::as_slice);
        each.filter(move |runs| is_recent(runs))
    }

    /// All that in words: `failed 3 of 120 runs before (known flaky: 2.5 %)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let part = self.rate();
        let runs = match part.of {
            1 => "1 run".to_owned(),
            of => format!("{of} runs"),
        };
        if part.bad() == 0 {
            return match part.of {
                1 => "passed the only run before".to_owned(),
                _ => format!("passed all {runs} before"),
            };
        }
        let retried = match part.flaky {
            0 => String::new(),
            flaky => format!(", {flaky} of these passed on a retry"),
        };
        let says = match self.says() {
            Says::Nothing => String::new(),
            Says::Flaky { rate } => format!(" (known flaky: {})", percent(rate)),
            Says::FailsSince(streak) => format!(" ({})", streak.in_words()),
        };
        format!("failed {} of {runs} before{retried}{says}", part.bad())
    }
}

impl Says<'_> {
    /// What is worse has more.
    #[expect(clippy::cast_precision_loss, reason = "there are few runs")]
    fn weight(&self) -> (u8, f64) {
        match self {
            Self::Nothing => (0, 0.0),
            Self::Flaky { rate } => (1, *rate),
            Self::FailsSince(streak) => (2, streak.runs as f64),
        }
    }
}

/// What runs on one topology say of a test.
fn says<'h>(runs: &[TestRun<'h>]) -> Says<'h> {
    let is_flaky = is_flaky(runs);
    if let Some(streak) = streak(runs)
        && (!is_flaky || is_no_chance(runs, &streak))
    {
        return Says::FailsSince(streak);
    }
    match is_flaky {
        true => Says::Flaky {
            rate: rate(runs).rate(),
        },
        false => Says::Nothing,
    }
}

/// The failed runs since the last one that passed, if the last run failed.
fn streak<'h>(runs: &[TestRun<'h>]) -> Option<Streak<'h>> {
    let failed = runs.iter().rev();
    let count = failed.take_while(|run| run.ended == Ended::Failed).count();
    let (before, failed) = runs.split_at(runs.len() - count);
    Some(Streak {
        runs: count,
        since: failed.first()?.commit,
        passed_last: before.last().and_then(|run| run.commit),
    })
}

/// Whether a run passed on a retry, one commit both failed and passed, or it failed and passed again more than once.
fn is_flaky(runs: &[TestRun]) -> bool {
    let of = |failed: bool| -> BTreeSet<&Commit> {
        let runs = runs
            .iter()
            .filter(|run| (run.ended == Ended::Failed) == failed);
        // What was changed may have been changed in between.
        runs.filter_map(|run| run.commit.filter(|commit| commit.is_exact()))
            .collect()
    };
    let retried = runs.iter().any(|run| run.ended == Ended::Flaky);
    let recovered = runs.windows(2).filter(|pair| match pair {
        [before, after] => before.ended == Ended::Failed && after.ended != Ended::Failed,
        _ => false,
    });
    retried || !of(true).is_disjoint(&of(false)) || recovered.count() > 1
}

/// Whether a test that fails as often as this one did before would hardly fail so many times in a row.
#[expect(clippy::cast_precision_loss, reason = "there are few runs")]
fn is_no_chance(runs: &[TestRun], streak: &Streak) -> bool {
    let before = rate(&runs[..runs.len() - streak.runs]);
    // The rule of succession: what was seen a few times says little.
    let rate = (before.bad() + 1) as f64 / (before.of + 2) as f64;
    let runs = i32::try_from(streak.runs).unwrap_or(i32::MAX);
    rate.powi(runs) < NO_CHANCE
}

impl Streak<'_> {
    /// `fails since 0123456789, passed last at 9876543210`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let passed = match self.passed_last {
            Some(commit) => format!(", passed last at {commit}"),
            None => String::new(),
        };
        match (self.since, self.runs) {
            (Some(commit), _) => format!("fails since {commit}{passed}"),
            (None, 1) => format!("failed the last run{passed}"),
            (None, runs) => format!("failed the last {runs} runs{passed}"),
        }
    }
}

/// `2.5 %`.
#[must_use]
pub fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

fn rate(runs: &[TestRun]) -> Part {
    let mut part = Part::default();
    for run in runs {
        part.add(run.ended);
    }
    part
}
