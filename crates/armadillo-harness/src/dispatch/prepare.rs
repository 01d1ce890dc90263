//! From the selected tests to a run: programs, plan, directories, daemon, header; afterwards the files of the run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use armadillo_orchestrator::random::{bytes, hex};
use armadillo_orchestrator::run_dir;
use armadillo_orchestrator::{Secret, Settings};
use libtest_mimic::{Arguments, ColorSetting, FormatSetting};

use crate::clock::Origin;
use crate::collect::Test;
use crate::event::{
    Captured, Company, EventKind, PlannedTest, RunStarted, TestFinished, TestIsolation, Times,
};
use crate::exit_code::Exit;
use crate::history::History;
use crate::list;
use crate::options::{Action, Color, Format, Isolation, Options, Showing};
use crate::outcome::Verdict;
use crate::plan::{self, Plan};
use crate::protocol::daemon::Start;
use crate::report::{Reporter, Screen, console};
use crate::select::Selected;
use crate::settings;

use super::children::Children;
use super::daemon_process::DaemonProcess;
use super::environment::Main;
use super::interrupts::Interrupts;
use super::journal::Journal;
use super::printer::Printer;
use super::programs::{self, Found, Needing};
use super::run::{self, Work};
use super::run_directory::{self, RunDirectory};
use super::slots::slots;
use super::trials;
use super::{RunnerError, attach, environment, finish};

/// Everything a run needs once it is prepared.
pub(super) struct Run {
    pub(super) options: Options,
    pub(super) plan: Arc<Plan>,
    pub(super) isolation: Isolation,
    /// How many tests run at once.
    pub(super) slots: usize,
    pub(super) seed: u64,
    /// What tests come to that failed before they could begin.
    pub(super) exit: Exit,
    /// Whether time limits hold.
    pub(super) limits: bool,
    pub(super) directory: PathBuf,
    pub(super) daemon: Option<DaemonProcess>,
    pub(super) children: Children,
    pub(super) journal: Arc<Journal>,
    pub(super) interrupts: Interrupts,
}

/// What a run leaves to be done at its end.
pub(super) struct Ending {
    pub(super) printer: Printer,
    pub(super) journal: Arc<Journal>,
    /// Held until everything is written: other runs take a directory that nobody holds for that of a run that has ended.
    pub(super) directory: RunDirectory,
    pub(super) history: History,
    pub(super) history_file: PathBuf,
}

/// A run that can begin.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// Tests that do not run, with the reasons.
    pub(super) ignored: Vec<(String, String)>,
    /// Tests that failed before they could begin, with the reasons.
    pub(super) failed: Vec<(String, String)>,
    pub(super) ending: Ending,
}

/// Runs what was selected, or says what would be run.
pub(super) fn run(options: Options, selected: Selected, depth: u32) -> Result<Exit, RunnerError> {
    let showing = options.showing.clone();
    let Some(prepared) = prepare(options, selected, depth, Main::Ours)? else {
        return Ok(Exit::Passed);
    };
    if prepared.run.isolation == Isolation::None {
        let slots = prepared.run.slots;
        let (trials, session) = trials::trials(prepared, Main::Ours)?;
        let arguments = libtest_arguments(&showing, slots);
        let conclusion = libtest_mimic::run(&arguments, trials);
        // What libtest-mimic counts as failed, the run has counted, too.
        let exit = session.end().unwrap_or(Exit::Harness);
        return Ok(if conclusion.has_failed() && exit == Exit::Passed {
            Exit::Failed
        } else {
            exit
        });
    }
    let Prepared { run, ending, .. } = prepared;
    let ran = run::run(run, Work::Slots)?;
    finish::finish(ending, ran)
}

/// Everything up to the first event; `None` if there was only something to say.
pub(super) fn prepare(
    options: Options,
    selected: Selected,
    depth: u32,
    main: Main,
) -> Result<Option<Prepared>, RunnerError> {
    let Selected {
        run,
        ignored,
        filtered_out,
    } = selected;
    plan::check_number(run.len(), options.running.repeat)?;
    let mut tests: Vec<Needing> = Vec::with_capacity(run.len());
    for test in run {
        let needs = plan::needs_of(&test, &options.settings)?;
        tests.push((test, needs));
    }
    attach::check(&tests, &options)?;
    let children = Children::watch(main);
    let found = programs::find(&mut tests, &options);
    children.end_inherited("");
    let found = found?;
    let (isolation, why) = environment::isolation(&options, tests.len(), main);
    if let Some(why) = why {
        console::note(format_args!("running tests in this process: {why}"));
    }
    let surroundings = environment::surroundings(isolation, main);
    if surroundings.debugger {
        console::note("a debugger is attached: time limits of tests and runs are disabled");
    }
    for note in settings::check(&options.said, &surroundings)? {
        console::note(note);
    }
    if matches!(isolation, Isolation::InProcess | Isolation::None) && tests.len() > 1 {
        note_isolated(&tests);
    }
    // Absolute, because tests that run in this process may change the working directory.
    let parent = absolute(run_directory::parent(
        options.running.output_directory.as_deref(),
    ))?;
    let history_file = match &options.running.history {
        Some(named) => absolute(named.clone())?,
        None => parent.join("history.json"),
    };
    let (history, history_problem) = History::read(&history_file);
    let seed = match options.running.seed {
        Some(seed) => seed,
        None => u64::from_ne_bytes(bytes().map_err(no_random_numbers)?),
    };
    let mut plan = plan::plan(tests, &options.running, seed, &|test| {
        history.test(&test.def.id())
    });
    plan.attached = options
        .settings
        .attached_systems()
        .map(str::to_owned)
        .collect();
    let memory_mib = options.running.memory_mib;
    let memory_mib = memory_mib.unwrap_or_else(memory_for_deployments);
    let slots = slots(options.running.parallel, plan.tests.len());
    if let Some(note) = slots.note {
        console::note(note);
    }
    let slots = slots.number;
    let copies = options.running.copies;
    let copies = plan::copies::decide(&mut plan, copies, slots, memory_mib, &history);
    let preview = RunStarted {
        copies,
        workers: u32::try_from(slots).unwrap_or(u32::MAX),
        ..preview(
            &plan,
            &found,
            &options.settings,
            (isolation, seed, filtered_out),
        )?
    };
    let reasons = |tests: &[(Test, String)]| -> Vec<(String, String)> {
        let named = tests
            .iter()
            .map(|(test, reason)| (test.name.clone(), reason.clone()));
        named.collect()
    };
    let ignored: Vec<(String, String)> = [reasons(&ignored), reasons(&found.ignored)].concat();
    let failed = reasons(&found.failed);
    if options.action == Action::Plan {
        console::text(&list::plan_text(
            &preview.tests,
            &ignored,
            &preview.programs,
            preview.copies.as_ref(),
        ));
        return Ok(None);
    }
    let origin = Origin::now();
    let run_directory = run_directory::make(&parent, &preview.run)?;
    let directory = run_directory.path.clone();
    let token = Secret::new(hex::<16>().map_err(no_random_numbers)?);
    let daemon = start_daemon(
        &options, &plan, &found, isolation, &preview, &directory, origin, depth, memory_mib,
        &children, &token,
    )?;
    let started = RunStarted {
        protections: daemon
            .as_ref()
            .map(|daemon| daemon.started.protections.clone())
            .unwrap_or_default(),
        directory: Some(directory.display().to_string()),
        ..preview
    };
    // Until here a signal ends this process, and with it the daemon; from here on the run ends with its reports.
    let interrupts = Interrupts::install().map_err(|source| RunnerError::Os {
        action: "wait for signals",
        source,
    })?;
    let screen = Screen::of_process(&options.showing).map_err(|source| RunnerError::Os {
        action: "write the log file",
        source,
    })?;
    // With no isolation libtest-mimic prints; our reporter then writes only what it does not.
    let reporter = Reporter::new(
        &options,
        if isolation == Isolation::None {
            screen.without_stdout()
        } else {
            screen
        },
    );
    let printer = Printer::start(reporter, origin).map_err(|source| RunnerError::Os {
        action: "start a thread",
        source,
    })?;
    let journal = Arc::new(Journal::new(origin, token, printer.way()));
    announce(
        &journal,
        started,
        &ignored,
        &failed,
        history_problem.as_deref(),
    );
    if let Some(daemon) = &daemon {
        for swept in &daemon.started.swept {
            journal.warn(format!("cleaned up after an earlier run: {swept}"));
        }
    }
    let run = Run {
        exit: if failed.is_empty() {
            Exit::Passed
        } else {
            Exit::Harness
        },
        limits: !surroundings.debugger,
        slots,
        plan: Arc::new(plan),
        isolation,
        seed,
        directory,
        daemon,
        children,
        journal: journal.clone(),
        interrupts,
        options,
    };
    let ending = Ending {
        printer,
        journal,
        directory: run_directory,
        history,
        history_file,
    };
    Ok(Some(Prepared {
        run,
        ignored,
        failed,
        ending,
    }))
}

/// Names the tests that want a process of their own and share this one.
fn note_isolated(tests: &[Needing]) {
    let isolated = tests.iter().filter(|(test, _)| test.def.isolated);
    let names: Vec<&str> = isolated.map(|(test, _)| test.name.as_str()).collect();
    if !names.is_empty() {
        console::note(format_args!(
            "these tests are `isolated` but run in this process with the others: {}",
            names.join(", ")
        ));
    }
}

pub(super) fn absolute(path: PathBuf) -> Result<PathBuf, RunnerError> {
    std::path::absolute(path).map_err(|source| RunnerError::Os {
        action: "tell the working directory",
        source,
    })
}

/// What libtest-mimic is told of the settings.
fn libtest_arguments(showing: &Showing, threads: usize) -> Arguments {
    Arguments {
        test_threads: Some(threads),
        color: Some(match showing.color {
            Color::Auto => ColorSetting::Auto,
            Color::Always => ColorSetting::Always,
            Color::Never => ColorSetting::Never,
        }),
        format: Some(match showing.format {
            Format::Pretty => FormatSetting::Pretty,
            Format::Terse => FormatSetting::Terse,
            Format::Json => FormatSetting::Json,
        }),
        ..Arguments::default()
    }
}

/// The first event, as far as it is known before anything is started.
fn preview(
    plan: &Plan,
    found: &Found,
    settings: &Settings,
    (isolation, seed, filtered_out): (Isolation, u64, u32),
) -> Result<RunStarted, RunnerError> {
    let first = plan.tests.first().map(|planned| planned.test.def);
    Ok(RunStarted {
        run: hex::<4>().map_err(no_random_numbers)?,
        unix_time: SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |time| time.as_secs()),
        binary: first.map_or("", |def| def.binary()).to_owned(),
        package: first.map_or("", |def| def.package).to_owned(),
        args: std::env::args().skip(1).collect(),
        seed,
        isolation: environment::isolation_word(isolation).to_owned(),
        tests: (plan.tests.iter().map(plan::Planned::to_event))
            .chain(found.failed.iter().map(|(test, _)| never_to_begin(test)))
            .collect(),
        programs: programs::infos(&found.found, settings),
        ..nothing_started(filtered_out)
    })
}

pub(super) fn no_random_numbers(source: std::io::Error) -> RunnerError {
    RunnerError::Os {
        action: "get random numbers",
        source,
    }
}

/// The first event of a run without tests.
pub(super) fn nothing_started(filtered_out: u32) -> RunStarted {
    RunStarted {
        run: String::new(),
        unix_time: 0,
        armadillo: env!("CARGO_PKG_VERSION").to_owned(),
        binary: String::new(),
        package: String::new(),
        args: Vec::new(),
        seed: 0,
        workers: 0,
        isolation: String::new(),
        tests: Vec::new(),
        filtered_out,
        programs: BTreeMap::new(),
        protections: Vec::new(),
        directory: None,
        copies: None,
    }
}

/// Starts the daemon, if the run needs one: for its workers, or for a deployment.
#[expect(
    clippy::too_many_arguments,
    reason = "each is one part of the daemon's orders"
)]
fn start_daemon(
    options: &Options,
    plan: &Plan,
    found: &Found,
    isolation: Isolation,
    started: &RunStarted,
    directory: &std::path::Path,
    origin: Origin,
    depth: u32,
    memory_mib: u64,
    children: &Children,
    journal: &Secret,
) -> Result<Option<DaemonProcess>, RunnerError> {
    let processes = matches!(isolation, Isolation::Workers | Isolation::Process);
    if plan.tests.is_empty() || (!processes && plan.topologies.is_empty()) {
        return Ok(None);
    }
    if let Some(named) = &options.running.runtime_directory {
        run_dir::settle_in(&absolute(named.clone())?);
    }
    run_dir::check()?;
    let working_directory = std::env::current_dir().map_err(|source| RunnerError::Os {
        action: "tell the working directory",
        source,
    })?;
    let orders = Start {
        version: crate::protocol::VERSION,
        directory: directory.to_owned(),
        run: started.run.clone(),
        runner: std::process::id(),
        journal: journal.clone(),
        origin,
        working_directory,
        settings: options.settings.clone(),
        programs: found.found.clone(),
        checkers: options.checkers.clone(),
        memory_mib,
        hidden_variables: environment::hidden_variables(),
        keep_on_failure: options.running.keep_on_failure,
        timeout_factor: options.running.timeout_factor,
        cgroup: options.running.cgroup,
    };
    Ok(Some(DaemonProcess::start(
        &orders,
        &directory.join("daemon.log"),
        depth,
        children,
    )?))
}

/// Three quarters of the memory that is free now, in MiB.
fn memory_for_deployments() -> u64 {
    // Where it cannot be told, one small cluster at a time is what is surely possible.
    const UNKNOWN: u64 = 2048;
    crate::memory::available_mib().map_or(UNKNOWN, |free| free * 3 / 4)
}

/// The first events: what is about to happen, and what will not.
fn announce(
    journal: &Journal,
    started: RunStarted,
    ignored: &[(String, String)],
    failed: &[(String, String)],
    warning: Option<&str>,
) {
    journal.emit(EventKind::RunStarted(started));
    if let Some(warning) = warning {
        journal.warn(warning);
    }
    for (test, reason) in ignored {
        journal.emit(EventKind::TestIgnored {
            test: test.clone(),
            reason: reason.clone(),
        });
    }
    for (test, reason) in failed {
        journal.emit(EventKind::TestFinished(never_begun(test, reason)));
    }
}

/// A test that lacks its program, as planned.
fn never_to_begin(test: &Test) -> PlannedTest {
    PlannedTest {
        test: test.name.clone(),
        place: test.place(),
        markers: test.written_markers(),
        needs: Vec::new(),
    }
}

/// A test that failed before it could begin.
fn never_begun(test: &str, reason: &str) -> TestFinished {
    TestFinished {
        test: test.to_owned(),
        attempt: 1,
        retried: false,
        isolation: TestIsolation::default(),
        verdict: Verdict::error(reason.to_owned()),
        times: Times::default(),
        output: Captured::default(),
        worker: None,
        deployments: Vec::new(),
        company: Company::default(),
        server_logs: BTreeMap::new(),
        artifacts: None,
    }
}
