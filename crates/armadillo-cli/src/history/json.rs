//! What is known of tests, for programs.

use std::collections::BTreeMap;

use armadillo_harness::commit::Commit;
use armadillo_harness::history::{Company, Ended, Part, Says, TestRun, kind_for_programs};
use serde::Serialize;

use super::{Test, executable, name};

#[derive(Serialize)]
struct All<'h> {
    /// The version of this format.
    version: u32,
    tests: Vec<One<'h>>,
}

#[derive(Serialize)]
struct One<'h> {
    id: &'h str,
    executable: &'h str,
    test: &'h str,
    #[serde(flatten)]
    runs: Counted,
    /// Whether it fails now and then for no reason that is in its commit.
    known_flaky: bool,
    /// The failed runs since the last one that passed.
    fails_since: Option<Since<'h>>,
    by_topology: BTreeMap<&'h str, Counted>,
    /// Attempts, not runs.
    by_company: BTreeMap<&'static str, Counted>,
    median_us: Option<u64>,
    p95_us: Option<u64>,
    last: Option<Run<'h>>,
    /// Every run, the oldest first, if the tests were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Run<'h>>>,
}

#[derive(Serialize)]
struct Counted {
    of: usize,
    failed: usize,
    flaky: usize,
    rate: f64,
}

#[derive(Serialize)]
struct Since<'h> {
    runs: usize,
    commit: Option<&'h Commit>,
    passed_last: Option<&'h Commit>,
}

#[derive(Serialize)]
struct Run<'h> {
    run: &'h str,
    at: String,
    commit: Option<&'h Commit>,
    ended: &'static str,
    kind: Option<&'static str>,
    took_us: u64,
    topology: &'h str,
}

pub(super) fn of(tests: &[Test], with_runs: bool) -> Result<String, serde_json::Error> {
    let all = All {
        version: 1,
        tests: tests.iter().map(|test| one(test, with_runs)).collect(),
    };
    Ok(serde_json::to_string(&all)? + "\n")
}

fn one<'h>(test: &'h Test<'h>, with_runs: bool) -> One<'h> {
    let known = &test.known;
    let runs = || known.runs.iter().map(run);
    let by_company = known.by_company().into_iter().map(|(company, part)| {
        let name = match company {
            Company::Alone => "alone",
            Company::Shared => "shared",
        };
        (name, counted(&part))
    });
    let by_topology = known.by_topology().into_iter();
    One {
        id: test.id,
        executable: executable(test.id),
        test: name(test.id),
        runs: counted(&known.rate()),
        known_flaky: matches!(known.says(), Says::Flaky { .. }),
        fails_since: known.streak().map(|streak| Since {
            runs: streak.runs,
            commit: streak.since,
            passed_last: streak.passed_last,
        }),
        by_topology: by_topology
            .map(|(topology, part)| (topology, counted(&part)))
            .collect(),
        by_company: by_company.collect(),
        median_us: known.durations().map(|(median, _)| median),
        p95_us: known.durations().map(|(_, most)| most),
        last: runs().next_back(),
        all: with_runs.then(|| runs().collect()),
    }
}

fn counted(part: &Part) -> Counted {
    Counted {
        of: part.of,
        failed: part.failed,
        flaky: part.flaky,
        rate: part.rate(),
    }
}

fn run<'h>(run: &TestRun<'h>) -> Run<'h> {
    Run {
        run: run.run,
        at: run.at(),
        commit: run.commit,
        ended: match run.ended {
            Ended::Passed => "passed",
            Ended::Flaky => "flaky",
            Ended::Failed => "failed",
        },
        kind: run.kind.map(kind_for_programs),
        took_us: run.took_us,
        topology: run.topology,
    }
}
