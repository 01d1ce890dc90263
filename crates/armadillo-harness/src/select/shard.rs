//! Shards: parts of the selected tests, for machines that each run one. Every machine comes to the same parts, because they
//! follow from the tests alone, or from durations that all of them have been given.

use std::cmp::Reverse;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// More parts than anybody has machines.
const MOST_PARTS: u32 = 10_000;

/// Which part of the selected tests runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// How tests are distributed.
    pub by: ShardBy,
    /// Which of how many; `None` if the environment of the CI job says so.
    pub part: Option<Part>,
}

/// One of several parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1 to `of`.
    pub number: NonZeroU32,
    /// How many there are.
    pub of: NonZeroU32,
}

/// How tests are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShardBy {
    /// Tests of the same topology stay together as far as the parts stay equally large; every test counts the same.
    #[default]
    Topology,
    /// The same, but every test and every start counts as long as it took in earlier runs.
    Duration,
    /// Each by its own name, so that a new test moves no other.
    Hash,
    /// In turn.
    Count,
}

impl ShardBy {
    const ALL: [Self; 4] = [Self::Topology, Self::Duration, Self::Hash, Self::Count];

    /// As it is written before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Topology => "topology",
            Self::Duration => "duration",
            Self::Hash => "hash",
            Self::Count => "count",
        }
    }
}

impl Part {
    /// The part of this number, from 1.
    #[must_use]
    pub fn new(number: u32, of: u32) -> Option<Self> {
        let (number, of) = (NonZeroU32::new(number)?, NonZeroU32::new(of)?);
        (number <= of && of.get() <= MOST_PARTS).then_some(Self { number, of })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// What is wrong with the text of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardProblem {
    /// It is not `I/N`.
    Form,
    /// The number is not between 1 and how many there are, or there are too many.
    Range,
    /// There is no such way to distribute.
    By(String),
}

impl FromStr for Shard {
    type Err = ShardProblem;

    fn from_str(text: &str) -> Result<Self, ShardProblem> {
        let (by, part) = text.split_once(':').unwrap_or(("topology", text));
        let by = match by {
            // As nextest calls it.
            "slice" => ShardBy::Count,
            by => *(ShardBy::ALL.iter())
                .find(|known| known.name() == by)
                .ok_or_else(|| ShardProblem::By(by.to_owned()))?,
        };
        if part.eq_ignore_ascii_case("auto") {
            return Ok(Self { by, part: None });
        }
        let (number, of) = part.split_once('/').ok_or(ShardProblem::Form)?;
        let read = |text: &str| text.trim().parse().map_err(|_| ShardProblem::Form);
        let part = Part::new(read(number)?, read(of)?).ok_or(ShardProblem::Range)?;
        let part = Some(part);
        Ok(Self { by, part })
    }
}

/// Tests that use the same deployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// What the start of these deployments costs each part that has tests of the group.
    pub(crate) start: u64,
    /// What each test costs.
    pub(crate) tests: Vec<u64>,
}

/// How many times the limit of a part is halved in the search for the smallest one.
const STEPS: u32 = 40;

/// The part of each test of each group, from 0. Groups stay whole, or are split so that the largest part is as small as this
/// finds, if that saves more time than the additional starts cost each part on average.
pub(crate) fn distribute(groups: &[Group], parts: usize) -> Vec<Vec<usize>> {
    let parts = parts.max(1);
    let whole = whole(groups, parts);
    let split = split(groups, parts);
    let cost = |of: &[Vec<usize>]| {
        let sizes = sizes(groups, of, parts);
        let all: u64 = sizes.iter().sum();
        sizes.iter().max().unwrap_or(&0) * parts as u64 + all
    };
    if cost(&split) < cost(&whole) {
        split
    } else {
        whole
    }
}

/// How large each part is, starts included.
fn sizes(groups: &[Group], of: &[Vec<usize>], parts: usize) -> Vec<u64> {
    let mut sizes = vec![0; parts];
    for (group, of) in groups.iter().zip(of) {
        let mut starts = vec![0; parts];
        for (test, part) in group.tests.iter().zip(of) {
            sizes[*part] += test;
            starts[*part] = group.start;
        }
        for (size, start) in sizes.iter_mut().zip(starts) {
            *size += start;
        }
    }
    sizes
}

/// Every group whole, the largest first, each to the part that has least.
fn whole(groups: &[Group], parts: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|at| (Reverse(groups[*at].whole()), *at));
    let mut sizes = vec![0; parts];
    let mut of = vec![Vec::new(); groups.len()];
    for at in order {
        let least = (0..parts).min_by_key(|part| (sizes[*part], *part));
        let part = least.unwrap_or(0);
        sizes[part] += groups[at].whole();
        of[at] = vec![part; groups[at].tests.len()];
    }
    of
}

/// The largest part as small as this finds: a group that does not fit is split, and its start counts again.
fn split(groups: &[Group], parts: usize) -> Vec<Vec<usize>> {
    let alone = |group: &Group| {
        group
            .tests
            .iter()
            .max()
            .map_or(0, |most| most + group.start)
    };
    let mut low = groups.iter().map(alone).max().unwrap_or(0);
    let mut high: u64 = groups.iter().map(Group::whole).sum::<u64>().max(low);
    let mut best = fit(groups, parts, high);
    for _ in 0..STEPS {
        if low >= high {
            break;
        }
        let middle = low + (high - low) / 2;
        match fit(groups, parts, middle) {
            Some(found) => {
                best = Some(found);
                high = middle;
            }
            None => low = middle + 1,
        }
    }
    best.unwrap_or_else(|| {
        groups
            .iter()
            .map(|group| vec![0; group.tests.len()])
            .collect()
    })
}

impl Group {
    fn whole(&self) -> u64 {
        match self.tests.is_empty() {
            true => 0,
            false => self.tests.iter().sum::<u64>() + self.start,
        }
    }
}

/// A distribution in which no part is larger than the limit, if this way of filling them finds one.
fn fit(groups: &[Group], parts: usize, limit: u64) -> Option<Vec<Vec<usize>>> {
    let mut room = vec![limit; parts];
    let mut of: Vec<Vec<usize>> = groups
        .iter()
        .map(|group| vec![0; group.tests.len()])
        .collect();
    // What is dear to start first, so that what is cheap to start is split. The same on every machine.
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|at| {
        let group = &groups[*at];
        (Reverse(group.start), Reverse(group.whole()), *at)
    });
    for at in order {
        let group = &groups[at];
        let mut left: Vec<usize> = (0..group.tests.len()).collect();
        left.sort_by_key(|test| (Reverse(group.tests[*test]), *test));
        while !left.is_empty() {
            let rest = group.start + left.iter().map(|test| group.tests[*test]).sum::<u64>();
            let fitting = (0..parts).filter(|part| room[*part] >= rest);
            // Where the least is left over; otherwise where most fits.
            let whole = fitting.min_by_key(|part| (room[*part], *part));
            let roomiest = || (0..parts).max_by_key(|part| (room[*part], Reverse(*part)));
            let part = whole.or_else(roomiest)?;
            let mut free = room[part].checked_sub(group.start)?;
            let before = left.len();
            left.retain(|test| {
                let fits = group.tests[*test] <= free;
                if fits {
                    free -= group.tests[*test];
                    of[at][*test] = part;
                }
                !fits
            });
            if left.len() == before {
                return None;
            }
            room[part] = free;
        }
    }
    Some(of)
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::random::Random;

    use super::*;

    /// No distribution has a smaller largest part: in parts of this size, a group needs so many of them that its tests fit in
    /// beside its start, and each of these starts counts.
    fn bound(groups: &[Group], parts: usize) -> u64 {
        let fits = |size: u64| {
            let all = groups.iter().map(|group| {
                let tests: u64 = group.tests.iter().sum();
                let starts =
                    tests.div_ceil(size.checked_sub(group.start).filter(|left| *left > 0)?);
                Some(tests + starts * group.start)
            });
            all.sum::<Option<u64>>()
                .is_some_and(|all| all <= size * parts as u64)
        };
        let alone = |group: &Group| {
            group
                .tests
                .iter()
                .max()
                .map_or(0, |most| most + group.start)
        };
        let mut low = groups.iter().map(alone).max().unwrap_or(0);
        let mut high = low + groups.iter().map(Group::whole).sum::<u64>();
        while low < high {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    #[test]
    fn what_is_written_is_understood() {
        let part = |number, of| Part::new(number, of);
        let read = |text: &str| text.parse::<Shard>().map(|shard| (shard.by, shard.part));
        assert_eq!(read("2/4"), Ok((ShardBy::Topology, part(2, 4))));
        assert_eq!(read("hash:1/1"), Ok((ShardBy::Hash, part(1, 1))));
        assert_eq!(read("slice:1/3"), Ok((ShardBy::Count, part(1, 3))));
        assert_eq!(read("duration:auto"), Ok((ShardBy::Duration, None)));
        assert_eq!(read("auto"), Ok((ShardBy::Topology, None)));
        assert_eq!(read("0/4"), Err(ShardProblem::Range));
        assert_eq!(read("5/4"), Err(ShardProblem::Range));
        assert_eq!(read("3"), Err(ShardProblem::Form));
        assert_eq!(read("-1/4"), Err(ShardProblem::Form));
        assert_eq!(read("name:1/4"), Err(ShardProblem::By("name".to_owned())));
    }

    #[test]
    fn groups_stay_together_where_they_fit() {
        let group = |start, tests: &[u64]| Group {
            start,
            tests: tests.to_vec(),
        };
        let groups = [group(5, &[1; 4]), group(5, &[1; 4]), group(0, &[2; 4])];
        let of = distribute(&groups, 3);
        for of in &of {
            assert!(of.iter().all(|part| *part == of[0]), "{of:?}");
        }
        assert_eq!(sizes(&groups, &of, 3).iter().max(), Some(&9));
        // One topology for two machines: both start it.
        let one = [group(5, &[10; 4])];
        assert_eq!(sizes(&one, &distribute(&one, 2), 2), [25, 25]);
        assert_eq!(distribute(&[], 2), Vec::<Vec<usize>>::new());
        assert_eq!(distribute(&[group(3, &[])], 2), vec![Vec::<usize>::new()]);
        assert_eq!(distribute(&[group(3, &[0])], 4), vec![vec![0]]);
    }

    /// 400 tests on six topologies of drawn durations: the largest part is at most 1.05 times what is possible at all, and
    /// hardly a topology is started more often than there are parts for it.
    #[test]
    fn parts_are_equally_large_starts_included() {
        let mut most_starts = 0;
        for seed in 0..100 {
            let mut random = Random::new(seed);
            let mut groups: Vec<Group> = (0..6)
                .map(|_| Group {
                    start: 500 + random.below(10_000) as u64,
                    tests: Vec::new(),
                })
                .collect();
            for _ in 0..400 {
                // Most are short, a few take long.
                let long = random.chance(5);
                let most = if long { 20_000 } else { 2_000 };
                let at = random.below(6);
                groups[at].tests.push(10 + random.below(most) as u64);
            }
            for parts in 2..=8 {
                let of = distribute(&groups, parts);
                let largest = sizes(&groups, &of, parts).into_iter().max().unwrap();
                let ratio = largest as f64 / bound(&groups, parts) as f64;
                assert!(ratio <= 1.05, "seed {seed}, {parts} parts: {ratio:.3}");
                let starts = of.iter().map(|of| {
                    let parts: std::collections::BTreeSet<&usize> = of.iter().collect();
                    parts.len()
                });
                most_starts = most_starts.max(starts.sum::<usize>() - 6.max(parts));
            }
        }
        assert!(
            most_starts <= 7,
            "{most_starts} starts more than groups or parts"
        );
    }
}
