//! `results.json`: a whole run as one value, for programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::model::{Attempt, Model, TestRecord};
use super::{odds, retries};
use crate::event::{
    Company, PlannedTest, ProgramInfo, Repetitions, ShardOf, StartReason, TestIsolation, Times,
};
use crate::history::Odds;
use crate::outcome::{FailureKind, Verdict};

/// The version of the format; grows when an old reader would misunderstand.
const VERSION: u32 = 1;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Results {
    /// The version of the format: 1.
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// The version of Armadillo.
    pub armadillo: String,
    /// The package of the tests; empty if there are several executables.
    pub package: String,
    /// The test binary's crate; empty if there are several.
    pub binary: String,
    /// When it started, in seconds since 1970.
    pub unix_time: u64,
    /// The arguments it was given.
    pub args: Vec<String>,
    /// The seed; as text, because not every reader of JSON has whole numbers of 64 bits.
    pub seed: String,
    /// How many tests ran at once.
    pub workers: u32,
    /// Where test bodies ran.
    pub isolation: String,
    /// Which shard of the selected tests it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardOf>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// The exit code; missing if the run was killed.
    pub exit_code: Option<u8>,
    /// Why it ended early, if it did.
    pub ended_early: Option<String>,
    /// Counts.
    pub totals: Totals,
    /// The programs it used, by system.
    pub programs: BTreeMap<String, ProgramInfo>,
    /// Every test that ended, in the order in which they did.
    pub tests: Vec<TestResult>,
    /// The ignored tests.
    pub ignored: Vec<IgnoredTest>,
    /// The names of tests that were to run and did not end.
    pub not_run: Vec<String>,
    /// Deployments by id.
    pub deployments: BTreeMap<String, DeploymentResult>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Counts of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    /// Passed, at once or after a retry.
    pub passed: usize,
    /// Failed, and known to have failed.
    pub failed: usize,
    /// Of the failed: because a server crashed.
    #[serde(default)]
    pub server_crashed: usize,
    /// Of the failed: because a sanitizer of a server reported a fault.
    #[serde(default)]
    pub sanitizer: usize,
    /// Ended as inconclusive.
    pub inconclusive: usize,
    /// Of the passed: after a retry.
    pub flaky: usize,
    /// Ignored before the run.
    pub ignored: usize,
    /// Skipped by themselves at run time.
    pub skipped: usize,
    /// Filtered out.
    pub filtered_out: u32,
    /// Selected, but not ended when the run did.
    pub not_run: usize,
}

/// A test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// Its id across binaries: `package::binary$name`.
    pub id: String,
    /// Its source file and line.
    pub place: String,
    /// Its markers, written out.
    pub markers: Vec<String>,
    /// Its complete topology, as text.
    pub topology: Option<String>,
    /// The verdict of its last attempt.
    pub verdict: Verdict,
    /// Whether it passed, but not at once.
    pub flaky: bool,
    /// What its attempts say together, if there were several: whether it fails alone, or only in company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<String>,
    /// How its failure compares with earlier runs: only if it did not pass at once, and enough runs are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odds: Option<Odds>,
    /// How often it passed and failed, if it ran again and again. Its attempts are those of one repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetitions: Option<Repetitions>,
    /// All its attempts.
    pub attempts: Vec<AttemptResult>,
}

/// An attempt of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttemptResult {
    /// 1 for the first.
    pub attempt: u32,
    /// When it ended, in microseconds from the run's start.
    pub ended_us: u64,
    /// Its verdict.
    pub verdict: Verdict,
    /// How long its phases took, in microseconds.
    pub times: Times,
    /// The worker.
    pub worker: Option<u32>,
    /// The deployments it used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<String>,
    /// What it had for itself that the first attempt had not.
    #[serde(default)]
    pub isolation: TestIsolation,
    /// For a failed test: who else used them.
    #[serde(default, skip_serializing_if = "Company::is_empty")]
    pub company: Company,
    /// How many bytes it printed.
    pub output_bytes: u64,
    /// What it printed, if it failed.
    pub output: String,
    /// The directory with what was collected, if it failed.
    pub artifacts: Option<String>,
}

/// An ignored test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IgnoredTest {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeploymentResult {
    /// Its complete topology, as text.
    pub topology: String,
    /// Why it was started.
    pub reason: Option<StartReason>,
    /// From the start of its first server until it served, in microseconds.
    pub took_us: Option<u64>,
    /// Why it could not be started.
    pub failed: Option<String>,
    /// Repairs in place.
    pub repaired: Vec<String>,
    /// Why it was given up.
    pub recycled: Option<String>,
    /// What was not as it should be when it stopped.
    pub complaints: Vec<String>,
    /// Whether it stopped because others needed its memory or its share of the cores.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evicted: bool,
}

/// The results of a run; `None` if it never started.
#[must_use]
pub fn results(model: &Model) -> Option<Results> {
    let run = model.started.as_ref()?;
    let not_run = not_run(model, &run.tests);
    let counts = model.counts();
    Some(Results {
        version: VERSION,
        run: run.run.clone(),
        armadillo: run.armadillo.clone(),
        package: run.package.clone(),
        binary: run.binary.clone(),
        unix_time: run.unix_time,
        args: run.args.clone(),
        seed: run.seed.to_string(),
        workers: run.workers,
        isolation: run.isolation.clone(),
        shard: run.shard.clone(),
        duration_us: model.now_us,
        exit_code: model.ending.as_ref().map(|ending| ending.exit_code),
        ended_early: model.ended_early().map(str::to_owned),
        totals: Totals {
            passed: counts.passed,
            failed: counts.failed,
            server_crashed: failed_by(model, FailureKind::ServerCrashed),
            sanitizer: failed_by(model, FailureKind::Sanitizer),
            inconclusive: counts.inconclusive,
            flaky: counts.flaky,
            ignored: counts.ignored,
            skipped: counts.skipped,
            filtered_out: run.filtered_out,
            not_run: not_run.len(),
        },
        programs: run.programs.clone(),
        tests: model
            .tests
            .iter()
            .map(|test| test_result(model, test))
            .collect(),
        ignored: model
            .ignored
            .iter()
            .map(|(name, reason)| IgnoredTest {
                name: name.clone(),
                reason: reason.clone(),
            })
            .collect(),
        not_run,
        deployments: model
            .deployments
            .iter()
            .map(|(id, deployment)| {
                let result = DeploymentResult {
                    topology: deployment.topology.clone(),
                    reason: deployment.reason,
                    took_us: deployment.took_us,
                    failed: deployment.failed.clone(),
                    repaired: deployment.repaired.clone(),
                    recycled: deployment.recycled.clone(),
                    complaints: deployment.complaints.clone(),
                    evicted: deployment.evicted,
                };
                (id.clone(), result)
            })
            .collect(),
        warnings: (model.warnings.iter())
            .map(|(_, text)| text.clone())
            .collect(),
    })
}

/// How many tests failed in this way.
fn failed_by(model: &Model, kind: FailureKind) -> usize {
    let failed_so = |test: &&TestRecord| matches!(test.verdict(), Verdict::Failed { kind: found, .. } if *found == kind);
    model.tests.iter().filter(failed_so).count()
}

/// The names of planned tests that did not end.
pub(super) fn not_run(model: &Model, planned: &[PlannedTest]) -> Vec<String> {
    let ended: std::collections::HashSet<&str> =
        model.tests.iter().map(|test| test.name.as_str()).collect();
    let names = planned.iter().map(|test| &test.test);
    names
        .filter(|name| !ended.contains(name.as_str()))
        .cloned()
        .collect()
}

fn test_result(model: &Model, test: &TestRecord) -> TestResult {
    let planned = model.planned(&test.name);
    TestResult {
        name: test.name.clone(),
        id: model.id_of(&test.name),
        place: planned.map_or_else(String::new, |planned| planned.place.clone()),
        markers: planned.map_or_else(Vec::new, |planned| planned.markers.clone()),
        topology: planned.and_then(|planned| planned.topologies()),
        verdict: test.verdict().clone(),
        flaky: test.is_flaky(),
        retries: retries::told(test).map(str::to_owned),
        odds: odds::of(model, test),
        repetitions: model.repeated.get(&test.name).copied(),
        attempts: test.attempts.iter().map(attempt_result).collect(),
    }
}

fn attempt_result(attempt: &Attempt) -> AttemptResult {
    let finished = &attempt.finished;
    AttemptResult {
        attempt: finished.attempt,
        ended_us: attempt.ended_us,
        verdict: finished.verdict.clone(),
        times: finished.times,
        worker: finished.worker,
        deployments: finished.deployments.clone(),
        isolation: finished.isolation,
        company: finished.company.clone(),
        output_bytes: finished.output.bytes,
        output: finished.output.text.clone(),
        artifacts: finished.artifacts.clone(),
    }
}
