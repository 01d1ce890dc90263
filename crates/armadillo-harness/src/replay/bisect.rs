//! The search for the smallest set of companions with which a test fails: delta debugging (Zeller and Hildebrandt's ddmin). It asks
//! questions and is told what was seen; it does no I/O and knows nothing of tests.
//!
//! Of a set that fails, it tries parts, then what is left without a part, and goes on with the first of them that fails, too; if
//! none does, with smaller parts. In the end, nothing can be left out of the set: without any one of its members, the test was not
//! seen to fail. If one companion is enough, that takes at most two questions for each halving, and two before them.

use std::collections::{BTreeSet, VecDeque};

/// What a run has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The test failed as it did before.
    Fails,
    /// It passed.
    Passes,
    /// It did neither: it failed otherwise, or did not begin.
    Unclear,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Run the test with these companions, by number.
    Run(Vec<usize>),
    /// Nothing: this was found.
    Over(Found),
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The test was not seen to fail with all of them.
    Nothing,
    /// It fails without any.
    Alone,
    /// It fails with these, and was not seen to fail without any one of them.
    With(Vec<usize>),
}

/// What is being tried.
#[derive(Clone, Debug)]
enum Phase {
    All,
    Alone,
    /// Parts of the set, of which there are so many.
    Parts(usize),
    /// The set without each of so many parts.
    Rests(usize),
    Over(Found),
}

/// A search.
#[derive(Clone, Debug)]
pub struct Bisection {
    /// How often a set is run before it counts as one with which the test does not fail.
    attempts: u32,
    /// The smallest set that fails; all, before that is known.
    set: Vec<usize>,
    has_failed: bool,
    phase: Phase,
    /// The sets of this phase that were not tried yet.
    untried: VecDeque<Vec<usize>>,
    /// How often the first of them was run.
    tried: u32,
    /// Sets with which the test was not seen to fail.
    cleared: BTreeSet<Vec<usize>>,
    runs: u32,
}

impl Bisection {
    /// A search among so many companions, numbered in the order in which they began. A set counts as one with which the test does not
    /// fail if it did not in so many runs; at least one.
    #[must_use]
    pub fn new(companions: usize, attempts: u32) -> Self {
        let set: Vec<usize> = (0..companions).collect();
        Self {
            attempts: attempts.max(1),
            untried: VecDeque::from([set.clone()]),
            set,
            has_failed: false,
            phase: Phase::All,
            tried: 0,
            cleared: BTreeSet::new(),
            runs: 0,
        }
    }

    /// What to do next. The same until it is answered.
    #[must_use]
    pub fn question(&self) -> Question {
        match (&self.phase, self.untried.front()) {
            (Phase::Over(found), _) => Question::Over(found.clone()),
            (_, Some(set)) => Question::Run(set.clone()),
            // Every phase but the last has something to try.
            (_, None) => Question::Over(Found::With(self.set.clone())),
        }
    }

    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u32 {
        self.runs
    }

    /// The number of the attempt that is asked for, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.tried + 1
    }

    /// The smallest set so far with which the test was seen to fail.
    #[must_use]
    pub fn smallest(&self) -> Option<&[usize]> {
        self.has_failed.then_some(self.set.as_slice())
    }

    /// What the run that was asked for has shown.
    pub fn answer(&mut self, seen: Seen) {
        self.runs += 1;
        self.tried += 1;
        if seen != Seen::Fails && self.tried < self.attempts {
            return;
        }
        self.tried = 0;
        let Some(set) = self.untried.pop_front() else {
            return;
        };
        if seen == Seen::Fails {
            self.has_failed = true;
            self.fails(set);
        } else {
            self.cleared.insert(set);
            self.does_not_fail();
        }
    }

    fn fails(&mut self, set: Vec<usize>) {
        match self.phase {
            Phase::All if set.is_empty() => self.phase = Phase::Over(Found::Alone),
            Phase::All => self.try_alone(),
            Phase::Alone => {
                self.set = set;
                self.phase = Phase::Over(Found::Alone);
            }
            Phase::Parts(_) => {
                self.set = set;
                self.try_parts(2);
            }
            Phase::Rests(parts) => {
                self.set = set;
                self.try_parts((parts - 1).max(2));
            }
            Phase::Over(_) => {}
        }
    }

    fn does_not_fail(&mut self) {
        if !self.untried.is_empty() {
            return;
        }
        match self.phase {
            Phase::All => self.phase = Phase::Over(Found::Nothing),
            Phase::Alone => self.try_parts(2),
            Phase::Parts(parts) => self.try_rests(parts),
            Phase::Rests(parts) => self.try_smaller_parts(parts),
            Phase::Over(_) => {}
        }
    }

    fn try_alone(&mut self) {
        self.phase = Phase::Alone;
        self.untried = VecDeque::from([Vec::new()]);
    }

    fn try_parts(&mut self, parts: usize) {
        if self.set.len() < 2 {
            // Without its only member it did not fail.
            self.phase = Phase::Over(Found::With(self.set.clone()));
            return;
        }
        let parts = parts.min(self.set.len());
        // What came last before the test is the most likely reason.
        let pieces = self.pieces(parts).into_iter().rev();
        self.phase = Phase::Parts(parts);
        self.untried = self.unknown(pieces.collect());
        if self.untried.is_empty() {
            self.try_rests(parts);
        }
    }

    fn try_rests(&mut self, parts: usize) {
        let pieces = self.pieces(parts).into_iter();
        let without = |piece: Vec<usize>| -> Vec<usize> {
            let left = self.set.iter().filter(|member| !piece.contains(member));
            left.copied().collect()
        };
        let rests = pieces.map(without).collect();
        self.phase = Phase::Rests(parts);
        self.untried = self.unknown(rests);
        if self.untried.is_empty() {
            self.try_smaller_parts(parts);
        }
    }

    fn try_smaller_parts(&mut self, parts: usize) {
        if parts >= self.set.len() {
            self.phase = Phase::Over(Found::With(self.set.clone()));
            return;
        }
        self.try_parts(2 * parts);
    }

    /// The set in so many parts of almost equal length.
    fn pieces(&self, parts: usize) -> Vec<Vec<usize>> {
        let length = self.set.len();
        let bound = |part: usize| part * length / parts;
        (0..parts)
            .map(|part| self.set[bound(part)..bound(part + 1)].to_vec())
            .collect()
    }

    /// Those that were not tried before.
    fn unknown(&self, sets: Vec<Vec<usize>>) -> VecDeque<Vec<usize>> {
        let is_unknown = |set: &Vec<usize>| !self.cleared.contains(set);
        sets.into_iter().filter(is_unknown).collect()
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::random::{Random, seed_of};

    use super::*;

    /// Searches with this oracle; what it found, and all sets that were seen to fail.
    fn search(
        companions: usize,
        attempts: u32,
        mut oracle: impl FnMut(&[usize]) -> Seen,
    ) -> (Found, Bisection, BTreeSet<Vec<usize>>) {
        let mut search = Bisection::new(companions, attempts);
        let mut failed = BTreeSet::new();
        loop {
            match search.question() {
                Question::Over(found) => return (found, search, failed),
                Question::Run(set) => {
                    assert!(set.is_sorted() && set.iter().all(|member| *member < companions));
                    let seen = oracle(&set);
                    if seen == Seen::Fails {
                        failed.insert(set);
                    }
                    search.answer(seen);
                    assert!(search.runs() < 20_000, "it never ends");
                }
            }
        }
    }

    fn fails_with<'c>(culprits: &'c [usize]) -> impl Fn(&[usize]) -> Seen + 'c {
        move |set: &[usize]| match culprits.iter().all(|culprit| set.contains(culprit)) {
            true => Seen::Fails,
            false => Seen::Passes,
        }
    }

    fn halvings(companions: usize) -> u32 {
        companions.next_power_of_two().ilog2()
    }

    #[test]
    fn one_culprit_is_found_in_two_runs_for_each_halving() {
        for companions in 1..70 {
            for culprit in 0..companions {
                let (found, search, _) = search(companions, 1, fails_with(&[culprit]));
                assert_eq!(found, Found::With(vec![culprit]));
                let most = 2 + 2 * halvings(companions);
                assert!(
                    search.runs() <= most,
                    "{culprit} of {companions}: {} runs",
                    search.runs()
                );
            }
        }
    }

    #[test]
    fn several_culprits_are_found_together() {
        let mut random = Random::new(1);
        for _ in 0..300 {
            let companions = 2 + random.below(60);
            let count = 2 + random.below(4);
            let culprits: BTreeSet<usize> = (0..count).map(|_| random.below(companions)).collect();
            let culprits: Vec<usize> = culprits.into_iter().collect();
            let (found, search, _) = search(companions, 1, fails_with(&culprits));
            assert_eq!(found, Found::With(culprits.clone()));
            // Each has to be told from its neighbours, among ever smaller parts.
            let most = 2 + 8 * culprits.len() as u32 * (1 + halvings(companions));
            assert!(
                search.runs() <= most,
                "{culprits:?} of {companions}: {} runs",
                search.runs()
            );
        }
    }

    #[test]
    fn what_fails_alone_or_not_at_all_is_said_at_once() {
        let (found, alone, _) = search(20, 3, |_| Seen::Fails);
        assert_eq!((found, alone.runs()), (Found::Alone, 2));
        assert_eq!(alone.smallest(), Some(&[][..]));
        let (found, never, _) = search(20, 3, |_| Seen::Passes);
        assert_eq!((found, never.runs()), (Found::Nothing, 3));
        assert_eq!(never.smallest(), None);
        let (found, unclear, _) = search(20, 2, |_| Seen::Unclear);
        assert_eq!((found, unclear.runs()), (Found::Nothing, 2));
        let (found, lonely, _) = search(0, 1, |_| Seen::Fails);
        assert_eq!((found, lonely.runs()), (Found::Alone, 1));
    }

    /// Sets fail as they please, but all of them together do, and none alone.
    #[test]
    fn of_any_oracle_the_result_fails_and_nothing_can_be_left_out() {
        for seed in 0..400 {
            let companions = 2 + (seed as usize % 14);
            let oracle = |set: &[usize]| match (set.len(), seed_of(seed, &format!("{set:?}")) % 4) {
                (0, _) => Seen::Passes,
                (all, _) if all == companions => Seen::Fails,
                (_, 0) => Seen::Fails,
                (_, 1) => Seen::Unclear,
                _ => Seen::Passes,
            };
            let (found, _, failed) = search(companions, 1, oracle);
            let Found::With(set) = found else {
                panic!("seed {seed}: {found:?}");
            };
            assert!(failed.contains(&set), "seed {seed}");
            for left_out in &set {
                let rest: Vec<usize> = set.iter().copied().filter(|one| one != left_out).collect();
                assert_ne!(
                    oracle(&rest),
                    Seen::Fails,
                    "seed {seed}: {left_out} of {set:?}"
                );
            }
        }
    }

    /// With its culprits it fails in two of three runs.
    #[test]
    fn a_flaky_failure_needs_attempts() {
        let exact = |attempts: u32| {
            let runs = (0..200).filter(|seed| {
                let mut random = Random::new(*seed);
                let culprits = [3, 17];
                let (found, search, failed) =
                    search(20, attempts, |set| match fails_with(&culprits)(set) {
                        Seen::Fails if random.chance(66) => Seen::Fails,
                        _ => Seen::Passes,
                    });
                // Whatever luck there is: nothing is said to be the reason that was not seen to fail.
                assert!(
                    failed
                        .iter()
                        .all(|set| set.contains(&3) && set.contains(&17))
                );
                match &found {
                    Found::With(set) => assert!(failed.contains(set)),
                    Found::Nothing => assert!(failed.is_empty()),
                    Found::Alone => panic!("it never fails alone"),
                }
                assert!(search.runs() <= attempts * 200);
                found == Found::With(culprits.to_vec())
            });
            runs.count()
        };
        let (one, many) = (exact(1), exact(6));
        assert!(many >= 190 && one < many, "{one} and {many} of 200");
    }

    #[test]
    fn what_is_known_so_far_can_be_said_at_any_time() {
        let mut search = Bisection::new(8, 1);
        let oracle = fails_with(&[6]);
        let mut sizes = Vec::new();
        while let Question::Run(set) = search.question() {
            search.answer(oracle(&set));
            sizes.push(search.smallest().map_or(usize::MAX, <[usize]>::len));
        }
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!((sizes[0], sizes.last()), (8, Some(&1)));
    }
}
