//! Which job has which tests.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::By;
use crate::test::{Plan, Planned, Test, TestError};

/// How many jobs a matrix of GitHub may have.
pub(super) const MOST_ON_GITHUB: usize = 256;

/// What the name of a job without topology says.
const NO_DEPLOYMENT: &str = "no deployment";

/// A job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) name: String,
    /// The flags that select its tests among all that were selected.
    pub(super) flags: Vec<String>,
    /// How many tests it has.
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

    fn add(&mut self, test: &Test) {
        self.tests += 1;
        let both = self.expected_ms.zip(test.expected_ms);
        self.expected_ms = both.map(|(all, one)| all.saturating_add(one));
        self.topologies.extend(topology(test));
    }
}

/// The deployments that a test needs, as `--topology` takes them.
fn topology(test: &Test) -> Option<String> {
    (!test.topologies.is_empty()).then(|| test.topologies.join(" + "))
}

/// A job for each topology, that which takes longest first.
pub(super) fn by_topology(planned: &[Planned]) -> Vec<Job> {
    let mut jobs: BTreeMap<Option<String>, Job> = BTreeMap::new();
    for test in planned.iter().flat_map(|one| &one.plan.tests) {
        let topology = topology(test);
        let job = jobs.entry(topology.clone()).or_insert_with(|| {
            let value = topology.clone().unwrap_or_else(|| "none".to_owned());
            let name = topology.unwrap_or_else(|| NO_DEPLOYMENT.to_owned());
            Job::new(name, vec!["--topology".to_owned(), value])
        });
        job.add(test);
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
        .filter(|one| !one.plan.tests.is_empty())
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
            one.with(&flags)?
                .tests
                .iter()
                .for_each(|test| job.add(test));
        }
        if job.tests > 0 {
            jobs.push(job);
        }
    }
    Ok(jobs)
}
