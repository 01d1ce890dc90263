//! What came out of it, as a value and as text.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::check::{Kind, Violation};
use crate::fault::Fault;
use crate::history::{Action, Found, History};
use crate::subject::Wrote;

/// The result of a proof.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed that makes the same choices again; of a test's proof, what `--seed` takes.
    pub seed: u64,
    /// How many rounds were to count.
    pub wanted: u32,
    /// Every round, whether it counts or not.
    pub rounds: Vec<RoundReport>,
    /// Why the last round did not come to its end.
    pub broken: Option<String>,
}

/// The result of one round.
#[derive(Clone, Debug, Serialize)]
pub struct RoundReport {
    /// Its number, from 1.
    pub number: u32,
    /// What happened to servers.
    pub fault: Fault,
    /// How long it took.
    pub took: Duration,
    /// How long it took until another server led, each time that it was waited for.
    pub failovers: Vec<Duration>,
    /// How many writes were in flight when the fault took effect.
    pub in_flight: usize,
    /// How many writes were acknowledged.
    pub acknowledged: usize,
    /// Of how many writes nobody knows whether they were done.
    pub unknown: usize,
    /// How many writes were surely not done.
    pub refused: usize,
    /// How many reads were answered.
    pub reads: usize,
    /// Why the round does not count.
    pub not_counted: Option<String>,
    /// What no register could have answered.
    pub violations: Vec<Violation>,
}

impl RoundReport {
    pub(crate) fn new(number: u32, fault: Fault, history: &History) -> Self {
        let mut report = Self {
            number,
            fault,
            took: Duration::ZERO,
            failovers: Vec::new(),
            in_flight: 0,
            acknowledged: 0,
            unknown: 0,
            refused: 0,
            reads: 0,
            not_counted: None,
            violations: Vec::new(),
        };
        for operation in &history.operations {
            match &operation.action {
                Action::Write { wrote, .. } => match wrote {
                    Some(Wrote::Acknowledged) => report.acknowledged += 1,
                    Some(Wrote::Refused(_)) => report.refused += 1,
                    Some(Wrote::Unknown(_)) | None => report.unknown += 1,
                },
                Action::Read {
                    found: Some(Found::Body(_) | Found::Nothing),
                } => report.reads += 1,
                Action::Read { .. } => {}
            }
        }
        report
    }

    /// Whether it counts.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.not_counted.is_none()
    }
}

impl Report {
    /// How many rounds count.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.rounds.iter().filter(|round| round.counts()).count()
    }

    /// How many writes were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.rounds.iter().map(|round| round.acknowledged).sum()
    }

    /// What no register could have answered, in all rounds.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.rounds.iter().flat_map(|round| &round.violations)
    }

    /// How many acknowledged writes are lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.violations()
            .filter(|violation| violation.kind == Kind::Lost)
            .count()
    }

    /// How long it took until another server led, in all rounds.
    pub fn failovers(&self) -> impl Iterator<Item = Duration> {
        self.rounds
            .iter()
            .flat_map(|round| round.failovers.iter().copied())
    }

    /// One line for each round.
    #[must_use]
    pub fn round_lines(&self) -> String {
        self.rounds
            .iter()
            .map(|round| format!("{round}\n"))
            .collect()
    }

    fn sum(&self, of: impl Fn(&RoundReport) -> usize) -> usize {
        self.rounds.iter().map(of).sum()
    }
}

/// How many violations are shown in full.
const SHOWN: usize = 5;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (played, counted) = (self.rounds.len(), self.counted());
        writeln!(
            f,
            "{counted} of {} rounds counted, {played} were played; seed {}",
            self.wanted, self.seed
        )?;
        let mut faults: BTreeMap<Fault, Vec<&RoundReport>> = BTreeMap::new();
        for round in &self.rounds {
            faults.entry(round.fault).or_default().push(round);
        }
        for (fault, rounds) in faults {
            let counted = rounds.iter().filter(|round| round.counts()).count();
            writeln!(f, "  {fault}: {counted} of {}", rounds.len())?;
        }
        let mut failovers: Vec<Duration> = self.failovers().collect();
        failovers.sort();
        let median = failovers.get(failovers.len() / 2);
        if let (Some(median), Some(longest)) = (median, failovers.last()) {
            let count = failovers.len();
            writeln!(
                f,
                "  {count} times a new leader: after {median:.2?} (median), {longest:.2?} (longest)"
            )?;
        }
        for round in self.rounds.iter().filter(|round| !round.counts()) {
            let why = round.not_counted.as_deref().unwrap_or_default();
            writeln!(
                f,
                "  not counted: round {}, {}: {why}",
                round.number, round.fault
            )?;
        }
        writeln!(
            f,
            "  writes: {} acknowledged, {} unknown, {} refused; {} reads answered",
            self.acknowledged(),
            self.sum(|round| round.unknown),
            self.sum(|round| round.refused),
            self.sum(|round| round.reads),
        )?;
        write!(
            f,
            "  {} lost, {} violations",
            self.lost(),
            self.violations().count()
        )?;
        if let Some(broken) = &self.broken {
            write!(f, "\n  round {played} was not completed: {broken}")?;
        }
        for violation in self.violations().take(SHOWN) {
            write!(f, "\n{violation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RoundReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "round {}, {}, {:.2?}: {} in flight, {} acknowledged, {} unknown, {} refused, {} violations",
            self.number,
            self.fault,
            self.took,
            self.in_flight,
            self.acknowledged,
            self.unknown,
            self.refused,
            self.violations.len(),
        )?;
        match &self.not_counted {
            Some(why) => write!(f, "; not counted: {why}"),
            None => Ok(()),
        }
    }
}
