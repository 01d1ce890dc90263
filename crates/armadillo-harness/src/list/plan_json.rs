//! `--plan --format json`: what would run where, for programs.

use armadillo_orchestrator::duration::millis;
use serde::Serialize;

use crate::collect::Test as Collected;
use crate::event::{PlannedTest, RunStarted};
use crate::flags::FlagDeclaration;
use crate::group::Manner;
use crate::needs::Need;
use crate::plan::Planned;

/// What would run.
#[derive(Serialize)]
struct Plan<'a> {
    /// The version of this format.
    plan: u32,
    package: &'a str,
    binary: &'a str,
    tests: Vec<Test<'a>>,
    ignored: Vec<Ignored<'a>>,
    /// The flags of the suite.
    flags: Vec<SuiteFlag>,
    /// How it would run; of no tests, nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    manner: Option<Manner>,
    /// Tests that cannot run for lack of a program, or of what they require of one: a machine that has it would run them.
    unavailable: Vec<Unavailable<'a>>,
}

#[derive(Serialize)]
struct Test<'a> {
    /// As in the first event of a run.
    #[serde(flatten)]
    planned: PlannedTest,
    /// The markers that it has from rules and hooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added_markers: Vec<Added<'a>>,
    /// The topologies it needs, as text, in the order of its needs.
    topologies: Vec<String>,
    /// The limit of its body in milliseconds, before the factor.
    timeout_ms: u64,
    /// How long it took in earlier runs, in milliseconds.
    expected_ms: Option<u64>,
}

/// A flag of the suite, so that one command line can be given to several executables.
#[derive(Serialize)]
struct SuiteFlag {
    name: &'static str,
    /// Whether it takes no value.
    is_switch: bool,
}

/// A marker, and what added it.
#[derive(Serialize)]
struct Added<'a> {
    marker: String,
    by: &'a str,
}

#[derive(Serialize)]
struct Ignored<'a> {
    test: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Unavailable<'a> {
    test: &'a str,
    topologies: Vec<String>,
}

/// The plan as one line of JSON.
pub(crate) fn plan_json(
    started: &RunStarted,
    tests: &[Planned],
    ignored: &[(String, String)],
    lacking: &[(Collected, Vec<Need>)],
    manner: Option<Manner>,
) -> String {
    let tests = tests.iter().map(|test| Test {
        planned: test.to_event(),
        added_markers: (test.test.added.iter())
            .map(|added| Added {
                marker: added.marker.to_string(),
                by: &added.by,
            })
            .collect(),
        topologies: topologies(&test.needs),
        timeout_ms: millis(test.limit),
        expected_ms: test.expected.map(millis),
    });
    let ignored = ignored
        .iter()
        .map(|(test, reason)| Ignored { test, reason });
    let unavailable = lacking.iter().map(|(test, needs)| Unavailable {
        test: &test.name,
        topologies: topologies(needs),
    });
    let plan = Plan {
        plan: 1,
        package: &started.package,
        binary: &started.binary,
        tests: tests.collect(),
        ignored: ignored.collect(),
        flags: (FlagDeclaration::registered().iter())
            .map(|flag| SuiteFlag {
                name: flag.name,
                is_switch: flag.value.is_empty(),
            })
            .collect(),
        manner,
        unavailable: unavailable.collect(),
    };
    // Only a map with keys that are no text cannot be written, and there is none.
    serde_json::to_string(&plan).unwrap_or_default() + "\n"
}

/// As text, in the order of the needs.
fn topologies(needs: &[Need]) -> Vec<String> {
    let each = needs.iter().map(|need| need.topology.to_string());
    each.collect()
}
