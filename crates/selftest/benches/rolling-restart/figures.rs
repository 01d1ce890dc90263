//! What is measured, and how it is printed.

use std::collections::BTreeMap;
use std::fmt;

use armadillo::etcd::{EtcdClient, EtcdError};
use armadillo::load::LoadReport;
use serde::{Deserialize, Serialize};

/// One rolling restart. Times are in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    gap: f64,
    /// When the gap began, counted from the beginning of the restart.
    gap_from: f64,
    took: f64,
    acknowledged: usize,
    lost: usize,
    failed: BTreeMap<String, usize>,
}

impl Round {
    /// From what became of the writes during the restart, and of all of them, which are read back.
    pub(crate) async fn of(
        during: &LoadReport,
        all: &LoadReport,
        client: &EtcdClient,
    ) -> Result<Self, EtcdError> {
        let mut lost = 0;
        for key in all.acknowledged() {
            lost += usize::from(client.get(key).await?.is_none());
        }
        let gap = during.longest_gap();
        let failed = during.failed().into_iter();
        Ok(Self {
            gap: gap.length.as_secs_f64() * 1e3,
            gap_from: gap.began.as_secs_f64() * 1e3,
            took: during.took().as_secs_f64() * 1e3,
            acknowledged: during.acknowledged().count(),
            lost,
            failed: failed.map(|(kind, n)| (kind.to_owned(), n)).collect(),
        })
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "longest gap {:.1} ms, from {:.0} ms on; took {:.0} ms; {} acknowledged, {} lost; {}",
            self.gap,
            self.gap_from,
            self.took,
            self.acknowledged,
            self.lost,
            Kinds(&self.failed)
        )
    }
}

/// All rounds of one kind.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Round>);

impl Figures {
    pub(crate) fn add(&mut self, round: Round) {
        self.0.push(round);
    }

    pub(crate) fn median_gap(&self) -> Option<f64> {
        Spread::of(self.0.iter().map(|round| round.gap)).map(|gaps| gaps.median)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = || self.0.iter();
        let gaps = Spread::of(rounds().map(|round| round.gap));
        let times = Spread::of(rounds().map(|round| round.took));
        let (Some(gaps), Some(times)) = (gaps, times) else {
            return write!(f, "no round");
        };
        let mut failed = BTreeMap::new();
        for (kind, number) in rounds().flat_map(|round| &round.failed) {
            *failed.entry(kind.clone()).or_default() += number;
        }
        write!(
            f,
            "{} times; longest gap {gaps}; took {times}; {} acknowledged, {} lost; {}",
            self.0.len(),
            rounds().map(|round| round.acknowledged).sum::<usize>(),
            rounds().map(|round| round.lost).sum::<usize>(),
            Kinds(&failed)
        )
    }
}

/// Median, best and worst of some times.
struct Spread {
    median: f64,
    best: f64,
    worst: f64,
}

impl Spread {
    fn of(times: impl Iterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let upper = times.get(middle)?;
        // Of an even number, between the two in the middle.
        let lower = match times.len() % 2 {
            0 => times.get(middle.checked_sub(1)?)?,
            _ => upper,
        };
        Some(Self {
            median: f64::midpoint(*lower, *upper),
            best: *times.first()?,
            worst: *times.last()?,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            best,
            worst,
        } = self;
        write!(f, "{median:.1} ms ({best:.1} to {worst:.1})")
    }
}

/// How many writes failed, by kind.
struct Kinds<'a>(&'a BTreeMap<String, usize>);

impl fmt::Display for Kinds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "none failed");
        }
        for (number, (kind, count)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "failed: " } else { ", " };
            write!(f, "{separator}{count} × {kind}")?;
        }
        Ok(())
    }
}
