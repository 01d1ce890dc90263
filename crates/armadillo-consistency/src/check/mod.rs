//! Whether one register for each key could have given the answers of a history: linearizability, with a reason if not.
//!
//! Every body of a history is another one, so each read says which write it saw. Then the question has an answer that
//! needs no search (P. Gibbons and E. Korach, "Testing Shared Memories", SIAM J. Comput. 26(4), 1997, section 4.2; the
//! words "zone", "forward" and "backward" are theirs). A write and the reads that saw it are a cluster. In a register
//! its body is there for one stretch of time, which covers every operation of the cluster at some moment. So it is there
//! from the earliest return of the cluster to its latest invocation, if these come in this order: the zone is *forward*.
//! Otherwise all operations overlap; the zone from the latest invocation to the earliest return is *backward*, and the
//! body need be there for one moment of it only. A history is linearizable if and only if no read returned before its
//! write was invoked, no two forward zones overlap, and no backward zone lies within a forward one. The tests hold this
//! against a search through all orders.
//!
//! A write of unknown outcome that nobody saw may not have happened, and is left out. One that somebody saw happened, at
//! any time since: it returns never.

mod violation;
mod zone;

use std::collections::BTreeMap;

pub use violation::{Kind, Violation};
use zone::{Cluster, conflict};

use crate::history::{Action, Found, History, Operation};
use crate::subject::Wrote;

/// The keys whose answers no register could have given, one violation each: that with the shortest window.
#[must_use]
pub fn violations(history: &History) -> Vec<Violation> {
    let mut keys: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in &history.operations {
        keys.entry(&operation.key).or_default().push(operation);
    }
    let found = keys.values().filter_map(|operations| of_key(operations));
    found.collect()
}

/// The same for the operations of one key.
fn of_key(operations: &[&Operation]) -> Option<Violation> {
    let mut clusters: BTreeMap<Option<&str>, Cluster<'_>> = BTreeMap::new();
    clusters.insert(None, Cluster::initial());
    for operation in operations {
        if let Action::Write { body, wrote } = &operation.action {
            let cluster = Cluster::of_write(operation, wrote.as_ref());
            clusters.insert(Some(body), cluster);
        }
    }
    let mut worst = None;
    for operation in operations {
        let seen = match &operation.action {
            Action::Read {
                found: Some(Found::Body(body)),
            } => Some(body.as_str()),
            Action::Read {
                found: Some(Found::Nothing),
            } => None,
            Action::Read { .. } | Action::Write { .. } => continue,
        };
        let found = match clusters.get_mut(&seen) {
            None => Some(Violation::new(Kind::Invented, vec![operation])),
            Some(cluster) => {
                cluster.add(operation);
                impossible(cluster, operation)
            }
        };
        worst = shorter(worst, found);
    }
    if worst.is_some() {
        return worst;
    }
    let clusters: Vec<Cluster<'_>> = clusters.into_values().filter(Cluster::happened).collect();
    conflict(&clusters, operations)
}

/// What is wrong with a read of this write, whatever else happened.
fn impossible(cluster: &Cluster<'_>, read: &Operation) -> Option<Violation> {
    let write = cluster.write?;
    if let Action::Write {
        wrote: Some(Wrote::Refused(_)),
        ..
    } = write.action
    {
        return Some(Violation::new(Kind::RefusedAndSeen, vec![write, read]));
    }
    let came_first = read
        .returned
        .is_some_and(|returned| returned < write.invoked);
    came_first.then(|| Violation::new(Kind::BeforeItsTime, vec![read, write]))
}

fn shorter(one: Option<Violation>, other: Option<Violation>) -> Option<Violation> {
    let both = one.into_iter().chain(other);
    both.min_by_key(Violation::length)
}

#[cfg(test)]
mod tests;
