//! Which job has which tests.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use serde::Deserialize;

use super::By;
use crate::test::{Plan, Planned, TestError};

/// How many jobs a matrix of GitHub may have.
pub(super) const MOST_ON_GITHUB: usize = 256;

/// What the name of a job without topology says.
const NO_DEPLOYMENT: &str = "no deployment";

/// A test that this machine cannot run for lack of a program. The machine of a job may have it.
#[derive(Deserialize)]
pub(crate) struct Unavailable {
    topologies: Vec<String>,
}

/// A job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) name: String,
    /// The flags that select its tests among all that were selected.
    pub(super) flags: Vec<String>,
    /// How many tests it has, those that this machine cannot run among them.
    pub(super) tests: usize,
    /// How long its tests took in earlier runs together, if that is known of all of them.
    pub(super) expected_ms: Option<u64>,
    /// The topologies of its tests.
    pub(super) topologies: BTreeSet<String>,
}

impl Job {
    fn new(name: String, flags: Vec<String>) -> Self {
        Self {
            name,
            flags,
            expected_ms: Some(0),
            ..Self::default()
        }
    }

    fn add(&mut self, topology: Option<String>, expected_ms: Option<u64>) {
        self.tests += 1;
        let both = self.expected_ms.zip(expected_ms);
        self.expected_ms = both.map(|(all, one)| all.saturating_add(one));
        self.topologies.extend(topology);
    }
}

/// The deployments that each test needs, as `--topology` takes them, and how long it took.
fn tests(plan: &Plan) -> impl Iterator<Item = (Option<String>, Option<u64>)> {
    let topology = |all: &[String]| (!all.is_empty()).then(|| all.join(" + "));
    let here = plan.tests.iter();
    let here = here.map(move |test| (topology(&test.topologies), test.expected_ms));
    let elsewhere = plan.unavailable.iter();
    here.chain(elsewhere.map(move |test| (topology(&test.topologies), None)))
}

/// A job for each topology, that which takes longest first.
pub(super) fn by_topology<'p>(plans: impl Iterator<Item = &'p Plan>) -> Vec<Job> {
    let mut jobs: BTreeMap<Option<String>, Job> = BTreeMap::new();
    for (topology, expected_ms) in plans.flat_map(tests) {
        let job = jobs.entry(topology.clone()).or_insert_with(|| {
            let value = topology.clone().unwrap_or_else(|| "none".to_owned());
            let name = topology.clone().unwrap_or_else(|| NO_DEPLOYMENT.to_owned());
            Job::new(name, vec!["--topology".to_owned(), value])
        });
        job.add(topology, expected_ms);
    }
    let mut jobs: Vec<Job> = jobs.into_values().collect();
    jobs.sort_by_key(|job| Reverse((job.expected_ms, job.tests)));
    jobs
}

/// So many jobs, each with its part of the tests of every executable; those without tests are left out.
pub(super) fn shards(
    planned: &[Planned],
    count: u32,
    by: Option<By>,
) -> Result<Vec<Job>, TestError> {
    let with_tests: Vec<&Planned> = planned
        .iter()
        .filter(|one| tests(&one.plan).next().is_some())
        .collect();
    let has_durations = |plan: &Plan| plan.tests.iter().any(|test| test.expected_ms.is_some());
    let by = by.unwrap_or(
        match with_tests.iter().all(|one| has_durations(&one.plan)) {
            true => By::Duration,
            false => By::Topology,
        },
    );
    let by = match by {
        By::Duration => "duration",
        By::Topology => "topology",
    };
    let mut jobs = Vec::new();
    for number in 1..=count {
        let flags = vec!["--shard".to_owned(), format!("{by}:{number}/{count}")];
        let mut job = Job::new(format!("shard {number} of {count}"), flags);
        let flags: Vec<OsString> = job.flags.iter().map(OsString::from).collect();
        for one in &with_tests {
            for (topology, expected_ms) in tests(&one.with(&flags)?) {
                job.add(topology, expected_ms);
            }
        }
        if job.tests > 0 {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_cannot_run_is_in_a_job() {
        let plan = r#"{"plan": 1, "package": "shop", "binary": "suite", "tests": [
            {"test": "a", "place": "a.rs:1", "markers": [], "topologies": ["tally"], "expected_ms": 5, "timeout_ms": 1}
        ], "ignored": [{"test": "b", "reason": "no etcd"}, {"test": "c", "reason": "old"}], "unavailable": [
            {"test": "b", "topologies": ["etcd", "tally"]},
            {"test": "c", "topologies": ["tally"]}
        ]}"#;
        let plan: Plan = serde_json::from_str(plan).unwrap();
        let jobs = by_topology([&plan].into_iter());
        let jobs: Vec<(&str, usize, Option<u64>)> = (jobs.iter())
            .map(|job| (&*job.flags[1], job.tests, job.expected_ms))
            .collect();
        assert_eq!(jobs, [("tally", 2, None), ("etcd + tally", 1, None)]);
    }
}
