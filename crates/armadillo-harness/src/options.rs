//! The resolved options of a run: plain data, after command line, environment and file were merged and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use armadillo_orchestrator::{CorePolicy, Settings};
use serde::{Deserialize, Serialize};

use crate::checking::Policies;
use crate::collect::Rule;
use crate::flags::FlagValues;
use crate::select::Expression;
use crate::select::shard::Shard;
use crate::settings::Settled;

/// Everything that can be said to a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to do.
    pub action: Action,
    /// Which tests.
    pub selection: Selection,
    /// How the tests are run.
    pub running: Running,
    /// How results are shown.
    pub showing: Showing,
    /// What is done when the program of a system is missing, for the systems somebody said it of.
    pub missing: BTreeMap<String, Missing>,
    /// What is done about what checkers find.
    pub checkers: Policies,
    /// The markers that `armadillo.toml` declares, with their meanings.
    pub markers: BTreeMap<String, String>,
    /// Its rules, which add markers to tests.
    pub rules: Vec<Rule>,
    /// What was said of the flags of the suite.
    pub flags: FlagValues,
    /// The settings of the systems, and every other setting that was said, by its name.
    pub settings: Settings,
    /// The file for the findings of `--doctor`.
    pub doctor_file: Option<PathBuf>,
    /// Why tests cannot run on the servers that the settings name, by system.
    pub unreachable: BTreeMap<String, String>,
    /// The command that is run instead of tests, as it was typed.
    pub command: Option<String>,
    /// Everything that was said, and who said it.
    pub said: BTreeMap<&'static str, Settled>,
}

impl Options {
    /// What is done when the program of this system is missing.
    #[must_use]
    pub fn missing(&self, system: &str) -> Missing {
        self.missing_said(system).unwrap_or_default()
    }

    /// The same, if anybody has said it.
    #[must_use]
    pub fn missing_said(&self, system: &str) -> Option<Missing> {
        self.missing.get(system).copied()
    }
}

/// What is done when the program of a system is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// The run ends before it starts (exit 3).
    #[default]
    Error,
    /// The tests that need it are ignored, with the reason.
    Ignore,
    /// The tests that need it fail; the others run.
    Fail,
}

/// Which CI system is told of failed tests in its own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Annotations {
    /// The one this runs on.
    #[default]
    Auto,
    /// GitHub Actions.
    Github,
    /// None.
    Off,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the selected tests.
    Run,
    /// List them.
    List,
    /// List the declared markers.
    ListMarkers,
    /// Say what would run where; start nothing.
    Plan,
    /// The same, for programs.
    PlanForPrograms,
    /// Try out what is assumed of the machine and of the programs.
    Doctor,
    /// Make the reports of an earlier run from this event log, or from the one in this directory; of several, which are the
    /// shards of a run, those of the whole.
    ReportFrom(Vec<PathBuf>),
}

/// Which tests are selected.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Substrings (or names, with `exact`); a test matches any of them.
    pub filters: Vec<String>,
    /// Filters and skips must equal the name.
    pub exact: bool,
    /// Substrings (or names) that rule a test out.
    pub skip: Vec<String>,
    /// `-m`.
    pub markers: Option<Expression>,
    /// `-k`.
    pub keywords: Option<Expression>,
    /// `--ignored` and `--include-ignored`.
    pub ignored: IgnoredTests,
    /// `--runslow`.
    pub slow: bool,
    /// `--stress`.
    pub stress: bool,
    /// `--flaky`.
    pub flaky: bool,
    /// `--shard`.
    pub shard: Option<Shard>,
    /// `--last-failed`.
    pub last_failed: bool,
    /// `--topology`.
    pub topology: Option<String>,
}

impl Selection {
    /// The names of the only tests that can be selected, if that is all the selection says of names.
    #[must_use]
    pub fn only(&self) -> Option<&[String]> {
        (self.exact && !self.filters.is_empty()).then_some(self.filters.as_slice())
    }
}

/// What happens to ignored tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IgnoredTests {
    /// They are shown as ignored.
    #[default]
    Ignore,
    /// Only they run.
    Only,
    /// They run like the others.
    Include,
}

/// Where test bodies run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Decided at run time: in this process under a debugger, under nextest and for one test with `--nocapture`; else in
    /// workers.
    Auto,
    /// In worker processes, one test at a time each, kept for the next.
    Workers,
    /// In a process of its own for each test.
    Process,
    /// On threads of the runner.
    InProcess,
    /// The same, as trials of libtest-mimic, which decides which runs when, and prints.
    None,
}

/// How many deployments of each topology tests may share at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// As many as make the run end sooner by more than their starts cost.
    Auto,
    /// So many, as far as there are tests for them and memory.
    Exactly(NonZeroU32),
}

impl Default for Copies {
    fn default() -> Self {
        Self::Exactly(NonZeroU32::MIN)
    }
}

/// Tests run again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stress {
    /// `--repeat until-fail`: until one has failed.
    pub until_fail: bool,
    /// `--stress-for`: for so long.
    pub limit: Option<Duration>,
}

impl Stress {
    /// Whether they do.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        self.until_fail || self.limit.is_some()
    }
}

/// How the tests are run.
#[derive(Clone, Debug)]
pub struct Running {
    /// How many at once; `None` decides by the number of cores.
    pub parallel: Option<NonZeroUsize>,
    /// Where bodies run.
    pub isolation: Isolation,
    /// The time limit of a test's body.
    pub timeout: Duration,
    /// The time limit of the run.
    pub run_timeout: Option<Duration>,
    /// `--slow-timeout`: how long a test may run before it is said to be slow, before the factor.
    pub slow_timeout: Duration,
    /// What every time limit is multiplied with.
    pub timeout_factor: f64,
    /// How often a failed test is tried again, if it does not say so itself.
    pub retries: u32,
    /// How often every test is run.
    pub repeat: u32,
    /// Whether tests run again and again.
    pub stress: Stress,
    /// The seed; `None` makes one.
    pub seed: Option<u64>,
    /// How many rounds tests play that have rounds; `None` leaves it to them.
    pub rounds: Option<u32>,
    /// Whether the order is random.
    pub shuffle: bool,
    /// After how many failures the run ends.
    pub max_fail: Option<u32>,
    /// What an empty selection is.
    pub no_tests: NoTests,
    /// What a test is that ends as inconclusive.
    pub if_inconclusive: IfInconclusive,
    /// Whether deployments that failed somebody are left running.
    pub keep_on_failure: bool,
    /// `--reuse`: how long deployments stay up after the run, for the next.
    pub reuse: Option<Duration>,
    /// Whether each test in a worker has a thread of its own.
    pub thread_per_test: bool,
    /// The directory of the run's files; `None` looks for cargo's target directory.
    pub output_directory: Option<PathBuf>,
    /// The directory for sockets, secrets and temporary directories; `None` is `/tmp/armadillo-<uid>`.
    pub runtime_directory: Option<PathBuf>,
    /// Whether a run may have a control group of its own.
    pub cgroup: bool,
    /// How often the statistics of deployments are sampled; `None`: not at all.
    pub sample_every: Option<Duration>,
    /// What is done with the cores of servers.
    pub cores: CorePolicy,
    /// The roles whose servers are recorded.
    pub record: BTreeSet<String>,
    /// Memory that deployments may use together, in MiB; `None` decides by the machine.
    pub memory_mib: Option<u64>,
    /// How many deployments of each topology may be shared at the same time.
    pub copies: Copies,
    /// The file with the durations of earlier runs; `None` puts it beside the runs' files.
    pub history: Option<PathBuf>,
    /// `--failed-first`.
    pub failed_first: bool,
    /// `--new-first`.
    pub new_first: bool,
    /// `--script`: the file that says which test begins when and where.
    pub script: Option<PathBuf>,
}

/// What an empty selection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTests {
    /// Fine.
    Pass,
    /// Fine, with a warning.
    Warn,
    /// An error (exit 4).
    Fail,
    /// Not said: a warning, or an error under nextest with `--exact`.
    Auto,
}

/// What a test is that ends as inconclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfInconclusive {
    /// It failed, under that name.
    #[default]
    Fail,
    /// It is ignored, with the reason.
    Ignore,
}

/// The format on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A line for each test.
    Pretty,
    /// A character for each test.
    Terse,
    /// libtest's JSON.
    Json,
}

/// When a failure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureOutput {
    /// When it happens.
    Immediate,
    /// At the end of the run.
    Final,
    /// Both.
    ImmediateFinal,
    /// Not at all: only the name of the test.
    Never,
}

impl FailureOutput {
    /// Whether it is shown when it happens.
    #[must_use]
    pub fn is_immediate(self) -> bool {
        matches!(self, Self::Immediate | Self::ImmediateFinal)
    }

    /// Whether it is shown at the end of the run.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Final | Self::ImmediateFinal)
    }
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

/// How results are shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Showing {
    /// The format on stdout.
    pub format: Format,
    /// Whether to use colours.
    pub color: Color,
    /// `--nocapture`: output is relayed as it comes.
    pub no_capture: bool,
    /// `--show-output`: the output of tests that passed is shown too.
    pub show_output: bool,
    /// `--failure-output`: when failures are shown.
    pub failure_output: FailureOutput,
    /// `--logfile`.
    pub logfile: Option<PathBuf>,
    /// `--trace`.
    pub trace: Option<PathBuf>,
    /// `--annotations`.
    pub annotations: Annotations,
    /// `--durations`: how many of the slowest tests are listed.
    pub durations: Option<usize>,
    /// Whether the report is shown while the run goes on.
    pub report_live: bool,
    /// `--report-time`: each line says how long its test took.
    pub report_time: bool,
    /// `--verbose`: the list says more of each test.
    pub verbose: bool,
    /// Whether nothing is shown unless something fails.
    pub only_failures: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            action: Action::Run,
            selection: Selection::default(),
            running: Running::default(),
            showing: Showing::default(),
            missing: BTreeMap::new(),
            checkers: Policies::default(),
            markers: BTreeMap::new(),
            rules: Vec::new(),
            flags: FlagValues::new(),
            settings: Settings::default(),
            doctor_file: None,
            unreachable: BTreeMap::new(),
            command: None,
            said: BTreeMap::new(),
        }
    }
}

impl Default for Running {
    fn default() -> Self {
        Self {
            parallel: None,
            isolation: Isolation::Auto,
            timeout: Duration::from_secs(60),
            run_timeout: None,
            slow_timeout: Duration::from_secs(30),
            timeout_factor: 1.0,
            retries: 0,
            repeat: 1,
            stress: Stress::default(),
            seed: None,
            rounds: None,
            shuffle: false,
            max_fail: None,
            no_tests: NoTests::Auto,
            if_inconclusive: IfInconclusive::default(),
            keep_on_failure: false,
            reuse: None,
            thread_per_test: true,
            output_directory: None,
            runtime_directory: None,
            cgroup: true,
            sample_every: Some(Duration::from_secs(5)),
            cores: CorePolicy::default(),
            record: BTreeSet::new(),
            memory_mib: None,
            copies: Copies::default(),
            history: None,
            failed_first: false,
            new_first: false,
            script: None,
        }
    }
}

impl Default for Showing {
    fn default() -> Self {
        Self {
            format: Format::Pretty,
            color: Color::Auto,
            no_capture: false,
            show_output: false,
            logfile: None,
            trace: None,
            annotations: Annotations::Auto,
            durations: None,
            failure_output: FailureOutput::ImmediateFinal,
            report_live: false,
            report_time: false,
            verbose: false,
            only_failures: false,
        }
    }
}
