//! What became of the writes of a load.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use super::{LoadError, Record};

/// What became of the writes of a load, all of them or those of a while.
#[derive(Clone, Debug)]
pub struct LoadReport {
    from: Instant,
    until: Instant,
    records: Vec<Record>,
    in_flight: BTreeSet<String>,
}

/// A time without an acknowledged write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// How long it was.
    pub length: Duration,
    /// When it began, counted from the beginning of the report.
    pub began: Duration,
}

impl LoadReport {
    pub(super) fn new(
        from: Instant,
        until: Instant,
        records: Vec<Record>,
        in_flight: BTreeSet<String>,
    ) -> Self {
        Self {
            from,
            until,
            records,
            in_flight,
        }
    }

    /// Takes over what became of the writes in a later report of the same load, but not its end.
    pub(super) fn extend(&mut self, later: &Self) {
        self.records.clone_from(&later.records);
        self.in_flight.clone_from(&later.in_flight);
    }

    /// The keys of the writes that were acknowledged, in this order. They must be found.
    pub fn acknowledged(&self) -> impl Iterator<Item = &str> {
        let acknowledged = self.records.iter();
        let acknowledged = acknowledged.filter(|record| record.failure.is_none());
        acknowledged.map(|record| record.key.as_str())
    }

    /// The keys of the writes of which nobody knows whether they were done. They may be found.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.failures(true)
    }

    /// The keys of the writes that were surely not done. They must not be found.
    pub fn refused(&self) -> impl Iterator<Item = &str> {
        self.failures(false)
    }

    /// The keys of the writes that have not been answered yet.
    pub fn in_flight(&self) -> impl Iterator<Item = &str> {
        self.in_flight.iter().map(String::as_str)
    }

    fn failures(&self, may_be_done: bool) -> impl Iterator<Item = &str> {
        let failures = self.records.iter().filter(move |record| {
            let failure = record.failure.as_ref();
            failure.is_some_and(|failure| failure.may_be_done == may_be_done)
        });
        failures.map(|record| record.key.as_str())
    }

    /// How many writes were not acknowledged, by the kind of their failure.
    #[must_use]
    pub fn failed(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for failure in self
            .records
            .iter()
            .filter_map(|record| record.failure.as_ref())
        {
            *kinds.entry(failure.kind.as_str()).or_default() += 1;
        }
        kinds
    }

    /// The time that it covers.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.until - self.from
    }

    /// The longest time in it without an acknowledged write.
    #[must_use]
    pub fn longest_gap(&self) -> Gap {
        let mut longest = Gap::default();
        let mut last = self.from;
        let acknowledged = self
            .records
            .iter()
            .filter(|record| record.failure.is_none())
            .map(|record| record.at)
            .filter(|at| (self.from..=self.until).contains(at));
        for at in acknowledged.chain([self.until]) {
            let length = at.saturating_duration_since(last);
            if length > longest.length {
                let began = last - self.from;
                longest = Gap { length, began };
            }
            last = at;
        }
        longest
    }

    /// Looks for every key that was acknowledged, and for those that were refused. `is_there` says whether one key is there.
    ///
    /// # Errors
    /// When an acknowledged key is lost, when a refused one is there, when `is_there` fails.
    pub async fn check<E: fmt::Display>(
        &self,
        mut is_there: impl AsyncFnMut(&str) -> Result<bool, E>,
    ) -> Result<(), LoadError> {
        let (mut lost, mut unwanted) = (Vec::new(), Vec::new());
        let wanted = self.acknowledged().map(|key| (key, true));
        for (key, is_wanted) in wanted.chain(self.refused().map(|key| (key, false))) {
            let found = is_there(key).await.map_err(|error| LoadError::Unread {
                key: key.to_owned(),
                why: error.to_string(),
            })?;
            match (is_wanted, found) {
                (true, false) => lost.push(key.to_owned()),
                (false, true) => unwanted.push(key.to_owned()),
                _ => {}
            }
        }
        if !lost.is_empty() {
            let of = self.acknowledged().count();
            return Err(LoadError::Lost { keys: lost, of });
        }
        match unwanted.is_empty() {
            true => Ok(()),
            false => Err(LoadError::Unwanted { keys: unwanted }),
        }
    }
}

/// One line, for a file beside the test.
impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gap { length, began } = self.longest_gap();
        write!(
            f,
            "{} writes acknowledged in {:.2?}, {} of unknown outcome, {} refused; longest time without an acknowledged write \
             {length:.1?}, from {began:.2?} on",
            self.acknowledged().count(),
            self.took(),
            self.unknown().count(),
            self.refused().count(),
        )?;
        for (number, (kind, count)) in self.failed().into_iter().enumerate() {
            let separator = if number == 0 { "; failed: " } else { ", " };
            write!(f, "{separator}{count} × {kind}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Unwritten;
    use super::*;

    /// A second of writes: when each was answered, in milliseconds, and what with.
    fn report(records: &[(u64, Option<(&str, bool)>)]) -> LoadReport {
        let from = Instant::now();
        let records = records.iter().map(|(at, failure)| Record {
            key: format!("k{at}"),
            at: from + Duration::from_millis(*at),
            failure: failure.map(|(kind, may_be_done)| Unwritten {
                kind: kind.to_owned(),
                may_be_done,
            }),
        });
        let until = from + Duration::from_secs(1);
        LoadReport::new(from, until, records.collect(), BTreeSet::new())
    }

    fn mixed() -> LoadReport {
        report(&[
            (100, None),
            (150, Some(("HTTP 503", true))),
            (400, None),
            (420, Some(("HTTP 503", true))),
            (430, Some(("HTTP 412", false))),
            (700, None),
            (900, None),
        ])
    }

    #[test]
    fn the_longest_gap_is_between_two_acknowledgements() {
        let ms = Duration::from_millis;
        let gap = mixed().longest_gap();
        assert_eq!((gap.length, gap.began), (ms(300), ms(100)));
        // Before the first, and behind the last, nobody was acknowledged either.
        let (length, began) = (ms(800), ms(200));
        assert_eq!(report(&[(200, None)]).longest_gap(), Gap { length, began });
        let (length, began) = (ms(1000), ms(0));
        assert_eq!(report(&[]).longest_gap(), Gap { length, began });
    }

    #[test]
    fn failures_are_counted_by_kind() {
        let report = mixed();
        let failed: Vec<_> = report.failed().into_iter().collect();
        assert_eq!(failed, [("HTTP 412", 1), ("HTTP 503", 2)]);
        assert_eq!(report.acknowledged().count(), 4);
        assert_eq!(report.unknown().collect::<Vec<_>>(), ["k150", "k420"]);
        assert_eq!(report.refused().collect::<Vec<_>>(), ["k430"]);
        assert_eq!(
            report.to_string(),
            "4 writes acknowledged in 1.00s, 2 of unknown outcome, 1 refused; longest time without an acknowledged write \
             300.0ms, from 100.00ms on; failed: 1 × HTTP 412, 2 × HTTP 503"
        );
    }

    #[tokio::test]
    async fn what_is_lost_is_found_out_and_so_is_what_was_refused() {
        let report = mixed();
        let there = |gone: &'static str, more: &'static str| {
            async move |key: &str| Ok::<_, String>(key == more || (key != gone && key != "k430"))
        };
        report.check(there("", "")).await.unwrap();
        let lost = report.check(there("k400", "")).await.unwrap_err();
        assert_eq!(
            lost.to_string(),
            "1 of 4 acknowledged writes are lost: k400"
        );
        let unwanted = report.check(there("", "k430")).await.unwrap_err();
        assert_eq!(
            unwanted.to_string(),
            "1 writes were refused, and are there: k430"
        );
    }
}
