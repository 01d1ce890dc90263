//! Clusters, their zones, and which two of them cannot both be true.

use super::violation::{Kind, Violation};
use crate::history::{Moment, Operation};
use crate::subject::Wrote;

/// A write and the reads that saw its body.
pub(super) struct Cluster<'a> {
    /// `None` for what was there before the history: nothing.
    pub(super) write: Option<&'a Operation>,
    /// Whether the write may not have happened at all.
    is_doubtful: bool,
    /// The operation that returned first, and when; `None` if none returned.
    first_return: Option<(u64, Option<&'a Operation>)>,
    /// The operation that was invoked last, and when.
    last_invocation: (u64, Option<&'a Operation>),
    is_read: bool,
}

impl<'a> Cluster<'a> {
    /// What was there before: written before everything else.
    pub(super) fn initial() -> Self {
        Self {
            write: None,
            is_doubtful: false,
            first_return: Some((0, None)),
            last_invocation: (0, None),
            is_read: false,
        }
    }

    pub(super) fn of_write(write: &'a Operation, wrote: Option<&Wrote>) -> Self {
        let is_acknowledged = wrote == Some(&Wrote::Acknowledged);
        let returned = write.returned.filter(|_| is_acknowledged);
        Self {
            write: Some(write),
            is_doubtful: !is_acknowledged,
            first_return: returned.map(|at| (at.order, Some(write))),
            last_invocation: (write.invoked.order, Some(write)),
            is_read: false,
        }
    }

    /// Adds a read that saw the body.
    pub(super) fn add(&mut self, read: &'a Operation) {
        self.is_read = true;
        if let Some(Moment { order, .. }) = read.returned
            && self.first_return.is_none_or(|(first, _)| order < first)
        {
            self.first_return = Some((order, Some(read)));
        }
        if read.invoked.order > self.last_invocation.0 {
            self.last_invocation = (read.invoked.order, Some(read));
        }
    }

    /// Whether it certainly happened.
    pub(super) fn happened(&self) -> bool {
        !self.is_doubtful || self.is_read
    }

    /// From the earliest return to the latest invocation.
    fn zone(&self) -> (u64, u64) {
        let first = self.first_return.map_or(u64::MAX, |(order, _)| order);
        (first, self.last_invocation.0)
    }

    fn is_forward(&self) -> bool {
        let (first, last) = self.zone();
        first < last
    }

    /// The two operations that make the zone.
    fn ends(&self) -> impl Iterator<Item = &'a Operation> {
        let first = self.first_return.and_then(|(_, operation)| operation);
        first.into_iter().chain(self.last_invocation.1)
    }

    /// Whether this body, which was there for a whole forward zone, leaves no moment for that one: a forward zone that
    /// overlaps with this one, or a backward zone that lies within it. Both come to the same comparison.
    fn excludes(&self, other: &Self) -> bool {
        let (begin, end) = self.zone();
        let (first, last) = other.zone();
        self.is_forward() && begin < last && first < end
    }
}

/// The two clusters that cannot both be true, if there are such; of several the two with the shortest window.
pub(super) fn conflict(clusters: &[Cluster<'_>], all: &[&Operation]) -> Option<Violation> {
    let forward: Vec<&Cluster<'_>> = clusters.iter().filter(|one| one.is_forward()).collect();
    let pairs = forward.iter().flat_map(|stays| {
        let others = clusters
            .iter()
            .filter(move |other| !std::ptr::eq(*stays, *other));
        others
            .filter(move |other| stays.excludes(other))
            .map(move |other| (*stays, other))
    });
    let violations = pairs.map(|(stays, other)| explain(stays, other, all));
    violations.min_by_key(Violation::length)
}

/// The violation that two clusters are: one body was there first, then the other, and then the first again.
fn explain(one: &Cluster<'_>, other: &Cluster<'_>, all: &[&Operation]) -> Violation {
    let (old, new) = match one.zone().0 < other.zone().0 {
        true => (one, other),
        false => (other, one),
    };
    let mut window: Vec<&Operation> = Vec::new();
    for operation in old
        .write
        .into_iter()
        .chain(old.ends())
        .chain(new.write)
        .chain(new.ends())
    {
        if !window
            .iter()
            .any(|known| known.invoked == operation.invoked)
        {
            window.push(operation);
        }
    }
    Violation::new(kind(old, new, all), window)
}

/// What it is called that `old` was there after `new`.
fn kind(old: &Cluster<'_>, new: &Cluster<'_>, all: &[&Operation]) -> Kind {
    let after = old.last_invocation.0;
    let is_back = all.iter().any(|operation| {
        operation.invoked.order > after
            && new
                .write
                .is_some_and(|write| operation.body() == write.body())
    });
    if !is_back && new.write.is_some_and(Operation::is_acknowledged) {
        Kind::Lost
    } else {
        Kind::Stale
    }
}
