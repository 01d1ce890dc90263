//! How much is remembered.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::attempt::{Attempt, Outcome, Took};
use super::{History, Topology};

/// How many tests, and how many topologies, are remembered. Those not seen for the longest time go first.
const CAPACITY: usize = 20_000;

/// How many attempts at a test are remembered on each topology, if there is room.
const MOST_ATTEMPTS: usize = 200;

/// How many there are in any case.
const FEWEST_ATTEMPTS: usize = 5;

/// How many starts and how many repairs of a topology are remembered.
const MOST_TOOK: usize = 20;

/// How long the file is at most when it was made short.
const LARGEST: usize = 16 << 20;

/// How long a line is without its names and attempts, and how long an attempt is, about.
const LINE: usize = 40;
const ATTEMPT: usize = 52;

/// While lines are read, more than this many attempts are not kept.
const WHILE_READ: usize = 4 * MOST_ATTEMPTS;

impl History {
    /// Puts everything in the order of time, each once.
    pub(super) fn put_in_order(&mut self) {
        for attempts in self.tests.values_mut().flat_map(|test| test.values_mut()) {
            in_order(attempts);
        }
        for topology in self.topologies.values_mut() {
            in_order(&mut topology.starts);
            in_order(&mut topology.repairs);
        }
    }

    /// Leaves as many attempts of one run as are remembered. Those that did not pass are not crowded out by those that did.
    pub(super) fn forget_repetitions(&mut self) {
        for attempts in self.tests.values_mut().flat_map(|test| test.values_mut()) {
            if attempts.len() > MOST_ATTEMPTS {
                let passed = |attempt: &mut Attempt| attempt.outcome == Outcome::Passed;
                let mut good: Vec<Attempt> = attempts.extract_if(.., passed).collect();
                newest(attempts, MOST_ATTEMPTS / 2);
                newest(&mut good, MOST_ATTEMPTS - attempts.len());
                attempts.append(&mut good);
                in_order(attempts);
            }
        }
        for topology in self.topologies.values_mut() {
            newest(&mut topology.starts, MOST_TOOK);
            newest(&mut topology.repairs, MOST_TOOK);
        }
    }

    /// Forgets what is too much; see [`LARGEST`].
    pub(super) fn forget(&mut self) {
        self.put_in_order();
        self.tests.retain(|_, test| {
            test.retain(|_, attempts| !attempts.is_empty());
            !test.is_empty()
        });
        let seen = self
            .tests
            .iter()
            .map(|(id, test)| (last_seen(test.values()), id.clone()));
        for id in surplus(seen) {
            self.tests.remove(&id);
        }
        let seen = self
            .topologies
            .iter()
            .map(|(id, took)| (took.last_seen(), id.clone()));
        for topology in surplus(seen) {
            self.topologies.remove(&topology);
        }
        let kept = self.room_for();
        for attempts in self.tests.values_mut().flat_map(|test| test.values_mut()) {
            newest(attempts, kept);
        }
        for topology in self.topologies.values_mut() {
            newest(&mut topology.starts, MOST_TOOK);
            newest(&mut topology.repairs, MOST_TOOK);
        }
        self.forget_runs();
    }

    /// How many attempts at each test fit into the file.
    fn room_for(&self) -> usize {
        let mut kept = MOST_ATTEMPTS;
        while kept > FEWEST_ATTEMPTS && self.length(kept) > LARGEST {
            kept = (kept * 9 / 10).max(FEWEST_ATTEMPTS);
        }
        kept
    }

    /// How long the lines of tests are, about, with so many attempts each.
    fn length(&self, kept: usize) -> usize {
        let tests = self.tests.iter().flat_map(|(id, test)| {
            let names = test
                .iter()
                .map(move |(on, attempts)| (id.len() + on.len(), attempts));
            names.map(|(names, attempts)| names + LINE + ATTEMPT * attempts.len().min(kept))
        });
        tests.sum()
    }

    /// Leaves the runs that something is known of.
    fn forget_runs(&mut self) {
        let attempts = self.tests.values().flat_map(|test| test.values().flatten());
        let topologies = self.topologies.values();
        let took = topologies.flat_map(|known| known.starts.iter().chain(&known.repairs));
        let named: BTreeSet<u32> = (attempts.map(|attempt| attempt.run))
            .chain(took.map(|took| took.run))
            .collect();
        let mut renamed = Self::default();
        let numbers: std::collections::HashMap<u32, u32> = (named.into_iter())
            .filter_map(|old| {
                let run = self.runs.get(old as usize)?;
                let new = renamed.run(&run.id);
                renamed
                    .runs
                    .get_mut(new as usize)?
                    .commit
                    .clone_from(&run.commit);
                Some((old, new))
            })
            .collect();
        let new = |old: &mut u32| *old = numbers.get(old).copied().unwrap_or_default();
        for attempts in self.tests.values_mut().flat_map(|test| test.values_mut()) {
            attempts
                .iter_mut()
                .for_each(|attempt| new(&mut attempt.run));
        }
        for topology in self.topologies.values_mut() {
            let took = topology.starts.iter_mut().chain(&mut topology.repairs);
            took.for_each(|took| new(&mut took.run));
        }
        self.runs = renamed.runs;
        self.numbers = renamed.numbers;
    }
}

impl Topology {
    fn last_seen(&self) -> u64 {
        let all = self.starts.iter().chain(&self.repairs);
        all.map(|took: &Took| took.at_ms).max().unwrap_or_default()
    }
}

fn last_seen<'a>(topologies: impl Iterator<Item = &'a Vec<Attempt>>) -> u64 {
    let last = topologies.filter_map(|attempts| attempts.last());
    last.map(|attempt| attempt.at_ms).max().unwrap_or_default()
}

/// Those that are too many, of names with the time they were last seen.
fn surplus(seen: impl Iterator<Item = (u64, String)>) -> Vec<String> {
    let mut all: Vec<(u64, String)> = seen.collect();
    if all.len() <= CAPACITY {
        return Vec::new();
    }
    all.sort_by_key(|(seen, _)| Reverse(*seen));
    all.split_off(CAPACITY)
        .into_iter()
        .map(|(_, name)| name)
        .collect()
}

/// Keeps what was read of a test and a topology short: whatever the lines say, the memory that they take has an end.
pub(super) fn keep_short<T: Ord>(all: &mut Vec<T>) {
    if all.len() > WHILE_READ {
        in_order(all);
        newest(all, MOST_ATTEMPTS);
    }
}

fn in_order<T: Ord>(all: &mut Vec<T>) {
    all.sort_unstable();
    all.dedup();
}

fn newest<T>(all: &mut Vec<T>, kept: usize) {
    all.drain(..all.len().saturating_sub(kept));
}
