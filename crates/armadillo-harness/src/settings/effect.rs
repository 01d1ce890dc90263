//! What each setting does wherever tests can run: it holds, it holds in another way, or it is refused. The one place that
//! says it: the refusal of a run, what a run says before it starts, and the table in the manual are made from this.

mod effects;

use std::collections::BTreeMap;

use super::error::{UsageError, Wrong};
use super::setting::{Linked, Setting, Settled};
use super::table::all;
use crate::options::Isolation;

use effects::{
    COMMAND_LINE_ACTS, MIMIC_COUNTS, MIMIC_PRINTS, NEXTEST_COUNTS, NEXTEST_ORDERS, NO_LIMITS,
    SCRIPTED, STOPS_EARLY, STRESSED,
};

/// Where the tests of a run are run, and what surrounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// What runs the tests: never [`Isolation::Auto`].
    pub isolation: Isolation,
    /// `main` is not ours: the tests are trials of somebody else's.
    pub own_main: bool,
    /// nextest started this process.
    pub nextest: bool,
    /// A debugger is attached.
    pub debugger: bool,
}

/// What is different from a run with workers. The last that has something to say of a setting says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    InProcess,
    None,
    OwnMain,
    Nextest,
    Debugger,
}

/// What a setting does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its description says.
    Holds,
    /// Something a little different: what, and why.
    Differently(&'static str),
    /// Nothing, so that a run does not begin.
    Refused {
        /// Why it does nothing.
        why: &'static str,
        /// What to use.
        instead: &'static str,
    },
}

/// What one setting does.
struct Row {
    setting: &'static str,
    /// Where it does not simply hold.
    effects: &'static [(Layer, Effect)],
    /// Values that ask for nothing that would not hold.
    harmless: &'static [&'static str],
}

/// Holds wherever tests run.
const fn holds(setting: &'static str) -> Row {
    but(setting, &[])
}

/// Holds, but for these.
const fn but(setting: &'static str, effects: &'static [(Layer, Effect)]) -> Row {
    Row {
        setting,
        effects,
        harmless: &[],
    }
}

const fn differently(how: &'static str) -> Effect {
    Effect::Differently(how)
}

const fn refused(why: &'static str, instead: &'static str) -> Effect {
    Effect::Refused { why, instead }
}

/// A row for each setting of the harness. What systems and suites add holds everywhere: it is for servers, and
/// for the tests themselves.
const TABLE: &[Row] = &[
    holds("markers"),
    holds("keywords"),
    but(
        "exact",
        &[(
            Layer::OwnMain,
            refused(
                "libtest-mimic reads the test names from the command line",
                "pass `--exact` on the command line",
            ),
        )],
    ),
    holds("skip"),
    holds("runslow"),
    holds("stress"),
    holds("flaky"),
    holds("last-failed"),
    holds("topology"),
    but(
        "shard",
        &[(
            Layer::Nextest,
            differently("nextest chooses the tests (use its `--partition`)"),
        )],
    ),
    holds("include-ignored"),
    holds("ignored"),
    but("list", &[COMMAND_LINE_ACTS]),
    but("verbose", &[COMMAND_LINE_ACTS]),
    but("list-markers", &[COMMAND_LINE_ACTS]),
    but("plan", &[COMMAND_LINE_ACTS]),
    but("doctor", &[COMMAND_LINE_ACTS]),
    but("json", &[COMMAND_LINE_ACTS]),
    but("report-from", &[COMMAND_LINE_ACTS]),
    but("parallel", &[NEXTEST_COUNTS, MIMIC_COUNTS]),
    but("test-threads", &[NEXTEST_COUNTS, MIMIC_COUNTS]),
    but("failfast", &STOPS_EARLY),
    but("maxfail", &STOPS_EARLY),
    Row {
        setting: "isolation",
        effects: &[(
            Layer::OwnMain,
            refused(
                "with a custom main function, tests run in its process",
                "remove it, or use `armadillo::main()` as the main function",
            ),
        )],
        harmless: &["none"],
    },
    but(
        "timeout",
        &[
            (
                Layer::InProcess,
                differently(
                    "a test that blocks its thread is reported in time, but the thread keeps running",
                ),
            ),
            NO_LIMITS,
        ],
    ),
    but("slow-timeout", &[NO_LIMITS]),
    but(
        "run-timeout",
        &[
            (
                Layer::OwnMain,
                differently("the whole process ends, including trials that are not Armadillo's"),
            ),
            (Layer::Nextest, differently("each test is a separate run")),
            NO_LIMITS,
        ],
    ),
    but(
        "timeout-factor",
        &[(
            Layer::Debugger,
            differently("it applies only to the limits of deployments; tests and runs have none"),
        )],
    ),
    but(
        "retries",
        &[(
            Layer::InProcess,
            differently(
                "a test is retried in the same process, and from the first retry on it does not share its deployments",
            ),
        )],
    ),
    but(
        "repeat",
        &[(
            Layer::OwnMain,
            refused(
                "trials are selected by name, and a repetition would need a name of its own",
                "run the executable several times",
            ),
        )],
    ),
    but("stress-for", &STRESSED),
    but("script", &SCRIPTED),
    holds("seed"),
    holds("rounds"),
    but("failed-first", &[NEXTEST_ORDERS]),
    but("new-first", &[NEXTEST_ORDERS]),
    but("shuffle", &[NEXTEST_ORDERS]),
    but("shuffle-seed", &[NEXTEST_ORDERS]),
    but(
        "no-tests",
        &[(
            Layer::OwnMain,
            refused(
                "libtest-mimic treats a run without tests as passed",
                "count the trials in the main function",
            ),
        )],
    ),
    holds("inconclusive"),
    but(
        "thread-per-test",
        &[(
            Layer::InProcess,
            refused(
                "each test always has its own thread, because a hanging test cannot be killed",
                "remove it, or use `--isolation workers`",
            ),
        )],
    ),
    holds("missing"),
    holds("checker"),
    but(
        "memory",
        &[(
            Layer::Nextest,
            differently("the limit applies to all tests that share deployments, not to each test"),
        )],
    ),
    but(
        "copies",
        &[(
            Layer::Nextest,
            differently("each test is planned alone, so `auto` starts one copy"),
        )],
    ),
    but(
        "keep-on-failure",
        &[(
            Layer::Nextest,
            differently(
                "there is no terminal to wait at: only the data is kept, and tests do not share deployments",
            ),
        )],
    ),
    but(
        "reuse",
        &[(
            Layer::Nextest,
            differently("the tests of a nextest run share deployments, which stop when it ends"),
        )],
    ),
    holds("cores"),
    holds("tls"),
    holds("record"),
    holds("cgroup"),
    holds("statistics-interval"),
    holds("servers-dir"),
    holds("runtime-dir"),
    holds("output-dir"),
    holds("history"),
    but("format", &[MIMIC_PRINTS]),
    but("quiet", &[MIMIC_PRINTS]),
    but("color", &[MIMIC_PRINTS]),
    holds("nocapture"),
    but(
        "show-output",
        &[(
            Layer::InProcess,
            differently("output is not captured; it appears as tests print it"),
        )],
    ),
    but(
        "failure-output",
        &[(
            Layer::None,
            differently("libtest-mimic always shows the message of each failure at the end"),
        )],
    ),
    holds("durations"),
    but(
        "report-time",
        &[(
            Layer::None,
            refused(
                "libtest-mimic prints the line of each test, without times",
                "use `--durations 0`, or `--isolation in-process`",
            ),
        )],
    ),
    but(
        "logfile",
        &[(
            Layer::Nextest,
            refused(
                "each test is a separate run and would overwrite the file",
                "remove it; `target/armadillo/latest` has the reports of the whole nextest run",
            ),
        )],
    ),
    but(
        "report-live",
        &[(
            Layer::Nextest,
            refused(
                "each test is a separate run, with a report of its own",
                "remove it; `target/armadillo/latest` has the reports of the whole nextest run",
            ),
        )],
    ),
    but(
        "annotations",
        &[(
            Layer::Nextest,
            differently("each test is a separate run, so the summary of the step gets no table"),
        )],
    ),
    but(
        "trace",
        &[(
            Layer::Nextest,
            refused(
                "each test is a separate run and would overwrite the file",
                "remove it; `target/armadillo/latest` has the reports of the whole nextest run",
            ),
        )],
    ),
    holds("profile"),
    holds("config"),
    holds("test"),
    holds("bench"),
    holds("ensure-time"),
    holds("force-run-in-process"),
    holds("exclude-should-panic"),
    holds("unstable"),
];

impl Layer {
    /// Every one, the strongest last.
    const ALL: [Self; 5] = [
        Self::InProcess,
        Self::None,
        Self::OwnMain,
        Self::Nextest,
        Self::Debugger,
    ];

    fn applies(self, to: &Surroundings) -> bool {
        match self {
            Self::InProcess => matches!(to.isolation, Isolation::InProcess | Isolation::None),
            Self::None => to.isolation == Isolation::None,
            Self::OwnMain => to.own_main,
            Self::Nextest => to.nextest,
            Self::Debugger => to.debugger,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::InProcess => "when tests run in the process of the runner",
            Self::None => "under `--isolation none`",
            Self::OwnMain => "with a custom main function",
            Self::Nextest => "under nextest",
            Self::Debugger => "under a debugger",
        }
    }
}

impl Row {
    /// The strongest effect, and where it comes from.
    fn effect(&self, surroundings: &Surroundings) -> Option<(Layer, Effect)> {
        let layers = Layer::ALL
            .into_iter()
            .filter(|layer| layer.applies(surroundings));
        let effects = layers.filter_map(|layer| {
            let found = self.effects.iter().find(|(of, _)| *of == layer);
            found.copied()
        });
        let is_refused = |(_, effect): &(Layer, Effect)| matches!(effect, Effect::Refused { .. });
        effects.max_by_key(is_refused)
    }
}

fn row(setting: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.setting == setting)
}

/// What a setting does in these surroundings, if it asks for anything but its default.
#[must_use]
pub fn effect(setting: &str, surroundings: &Surroundings) -> Effect {
    let found = row(setting).and_then(|row| row.effect(surroundings));
    found.map_or(Effect::Holds, |(_, effect)| effect)
}

/// Refuses what would do nothing in these surroundings; returns what should be known of the rest.
///
/// # Errors
/// For the first setting that was said and does nothing: who said it, where it does nothing, why, and what to use.
pub fn check(
    said: &BTreeMap<&'static str, Settled>,
    surroundings: &Surroundings,
) -> Result<Vec<String>, UsageError> {
    let table = all(&Linked::default());
    let mut notes = Vec::new();
    for (setting, settled) in said {
        let (Some(row), Some(setting)) = (
            row(setting),
            table.iter().find(|known| known.name == *setting),
        ) else {
            continue;
        };
        if asks_for_nothing(setting, row, settled) {
            continue;
        }
        match row.effect(surroundings) {
            None | Some((_, Effect::Holds)) => {}
            Some((layer, Effect::Differently(how))) => {
                notes.push(format!("{} {}: {how}", settled.source, layer.words()));
            }
            Some((layer, Effect::Refused { why, instead })) => {
                let reason = format!("has no effect {}: {why}", layer.words());
                return Err(Wrong::new(reason, instead).said_by(&settled.source));
            }
        }
    }
    Ok(notes)
}

/// Whether the values are the default, or others that hold everywhere.
fn asks_for_nothing(setting: &Setting, row: &Row, settled: &Settled) -> bool {
    let harmless = |value: &String| {
        value == setting.default || row.harmless.iter().any(|harmless| harmless == value)
    };
    settled.values.iter().all(harmless)
}

/// The settings that have a row.
#[cfg(test)]
pub(super) fn settings_of_the_table() -> Vec<&'static str> {
    TABLE.iter().map(|row| row.setting).collect()
}
