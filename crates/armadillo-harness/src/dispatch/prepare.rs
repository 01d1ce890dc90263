//! From the selected tests to a run: programs, plan, directories, daemon, header; afterwards the files of the run.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use armadillo_orchestrator::random::{bytes, hex, seed_of};
use armadillo_orchestrator::{Secret, Settings};

use crate::clock::Origin;
use crate::collect::Test;
use crate::commit;
use crate::event::{
    Captured, Company, EventKind, PlannedTest, RunStarted, Shown, TestFinished, TestIsolation,
    Times,
};
use crate::exit_code::Exit;
use crate::group;
use crate::history;
use crate::list;
use crate::options::{Action, Isolation, Options};
use crate::outcome::Verdict;
use crate::plan::{self, Plan};
use crate::protocol::daemon::Conditions;
use crate::report::{Reporter, Screen, console};
use crate::resources::Resources;
use crate::select::Selected;
use crate::settings;

use super::children::Children;
use super::daemons::Daemons;
use super::environment::Main;
use super::interrupts::Interrupts;
use super::journal::Journal;
use super::printer::Printer;
use super::programs::{self, Found, Needing};
use super::run::{self, Work};
use super::run_directory;
use super::slots::slots;
use super::start_daemons::{self, Said};
use super::trials;
use super::{
    RunnerError, again, answers, attach, environment, exec, finish, last_failed, manner, part,
    recording, shared, without_tls,
};

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
    /// Whether it is part of a run of nextest.
    pub(super) is_part: bool,
    pub(super) daemons: Daemons,
    /// What servers are started with.
    pub(super) conditions: Conditions,
    pub(super) children: Children,
    pub(super) journal: Arc<Journal>,
    pub(super) interrupts: Interrupts,
}

/// A run that can begin.
pub(super) struct Prepared {
    pub(super) run: Run,
    /// Tests that do not run, with the reasons.
    pub(super) ignored: Vec<(String, String)>,
    /// Tests that failed before they could begin, with the reasons.
    pub(super) failed: Vec<(String, String)>,
    pub(super) ending: finish::Ending,
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
        let arguments = trials::arguments(&showing, slots);
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
    mut options: Options,
    selected: Selected,
    depth: u32,
    main: Main,
) -> Result<Option<Prepared>, RunnerError> {
    let Selected {
        run,
        ignored,
        filtered_out,
        shard,
        topology,
        script,
    } = selected;
    plan::check_number(run.len(), options.running.repeat)?;
    let mut tests: Vec<Needing> = Vec::with_capacity(run.len());
    for test in run {
        let needs = plan::needs_of(&test, &options.settings)?;
        tests.push((test, needs));
    }
    attach::check(&tests, &options)?;
    let together = group::together();
    if together.is_some() {
        options.showing = part::left_to_show(&options.showing);
    }
    if let Some(note) = without_tls::note(&tests, &options.settings) {
        console::note(note);
    }
    recording::check(&tests, &options)?;
    // Absolute, because tests that run in this process may change the working directory.
    let parent = absolute(run_directory::parent(
        options.running.output_directory.as_deref(),
    ))?;
    let mut answers = answers::known(run_directory::of_whole(&parent).as_deref());
    let children = Children::watch(main);
    let found = programs::find(&mut tests, &options, &mut answers);
    children.end_inherited("");
    let found = found?;
    exec::check_servers(&options, &found)?;
    if let Some(note) = programs::slow_down(&found.found, &mut options) {
        console::note(note);
    }
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
    if options.running.stress.until_fail && isolation == Isolation::None {
        return Err(RunnerError::UntilFail);
    }
    if matches!(isolation, Isolation::InProcess | Isolation::None) && tests.len() > 1 {
        note_isolated(&tests);
    }
    let history_file = run_directory::history_file(&options, &parent)?;
    let asked: HashSet<String> = tests.iter().map(|(test, _)| test.def.id()).collect();
    let earlier = history::read(&history_file, &|test| asked.contains(test));
    let history = earlier.history;
    let seed = match options.running.seed {
        Some(seed) => seed,
        None => match std::env::var("NEXTEST_RUN_ID") {
            // One for all tests of the run: its reports name one.
            Ok(run) if environment::is_nextest() => seed_of(0, &run),
            _ if let Some(group) = &together => seed_of(0, &group.id),
            _ => u64::from_ne_bytes(bytes().map_err(no_random_numbers)?),
        },
    };
    let took = |test: &Test| history.test(&test.def.id());
    let mut plan = match &script {
        None => plan::plan(tests, &options.running, seed, &took),
        Some(script) => {
            let (plan, missing) = plan::scripted(&tests, script, &options.running, &took);
            super::script::note_missing(script, &missing);
            plan
        }
    };
    last_failed::remember(&mut plan, &history, &options);
    plan.attached = options
        .settings
        .attached_systems()
        .map(str::to_owned)
        .collect();
    let has = Resources::of_machine(options.running.memory_mib);
    let slots = slots(options.running.parallel, plan.tests.len());
    if let Some(note) = slots.note {
        console::note(note);
    }
    let slots = slots.number;
    let copies = options.running.copies;
    let copies = plan::copies::decide(&mut plan, copies, slots, has, &history);
    let preview = RunStarted {
        copies,
        expected_us: plan::copies::expected_end(&plan, slots, has, &history),
        again: again::of(&options).map(Box::new),
        shard,
        topology,
        command: options.command.clone(),
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
    if options.action == Action::PlanForPrograms {
        console::text(&list::plan_json(
            &preview,
            &plan.tests,
            &ignored,
            &found.lacking,
            Some(manner::of(&options, isolation, !plan.attached.is_empty())),
        ));
        return Ok(None);
    }
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
    answers::tell(run_directory.group.as_deref(), &answers);
    let directory = run_directory.path.clone();
    let token = Secret::new(hex::<16>().map_err(no_random_numbers)?);
    let said = Said {
        options: &options,
        plan: &plan,
        found: &found,
        isolation,
        started: &preview,
        directory: &run_directory,
        parent: &parent,
        origin,
        depth,
        memory_mib: has.memory_mib,
        children: &children,
        journal: &token,
    };
    let start = || start_daemons::start(&said);
    let (commit, daemons) = commit::of_run_while(run_directory.group.as_deref(), start);
    let daemons = daemons?;
    let conditions = shared::conditions(&options.settings, &found.found);
    let conditions = conditions.map_err(|source| RunnerError::Os {
        action: "read the file information of programs",
        source,
    })?;
    let started = RunStarted {
        protections: (daemons.started().next())
            .map(|started| started.protections.clone())
            .unwrap_or_default(),
        directory: Some(directory.display().to_string()),
        commit,
        part: (run_directory.group.as_ref())
            .map(|group| part::of(group, origin, &daemons, &options, ignored.len())),
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
    // With no isolation libtest-mimic prints, and a command does itself; our reporter then writes only what they do not.
    let prints_itself = isolation == Isolation::None || options.command.is_some();
    let reporter = match together {
        Some(_) => Reporter::of_part(&options, screen),
        None if prints_itself => Reporter::new(&options, screen.without_stdout()),
        None => Reporter::new(&options, screen),
    };
    let printer = Printer::start(reporter, origin).map_err(|source| RunnerError::Os {
        action: "start a thread",
        source,
    })?;
    let (live, page) = finish::live_page(options.showing.report_live)?.unzip();
    let journal = Arc::new(Journal::new(origin, token, printer.way(), live));
    if let Some(page) = &page {
        journal.note(format!("live report: {}\n", page.url()));
    }
    announce(
        &journal,
        started,
        &ignored,
        &failed,
        earlier.problem.as_deref(),
    );
    for swept in daemons.started().flat_map(|started| &started.swept) {
        journal.warn(format!("cleaned up after an earlier run: {swept}"));
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
        is_part: run_directory.group.is_some(),
        daemons,
        conditions,
        children,
        journal: journal.clone(),
        interrupts,
        options,
    };
    let trace = run.options.showing.trace.clone();
    let annotations = run.options.showing.annotations;
    let ending = finish::Ending {
        printer,
        journal,
        directory: run_directory,
        history_file,
        old_history: earlier.old,
        trace,
        annotations,
        page,
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

/// The first event, as far as it is known before anything is started.
fn preview(
    plan: &Plan,
    found: &Found,
    settings: &Settings,
    (isolation, seed, filtered_out): (Isolation, u64, u32),
) -> Result<RunStarted, RunnerError> {
    let never_run = found.ignored.iter().chain(&found.failed);
    let mut defs = (plan.tests.iter().map(|planned| planned.test.def))
        .chain(never_run.map(|(test, _)| test.def));
    let first = defs.next();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    Ok(RunStarted {
        run: hex::<4>().map_err(no_random_numbers)?,
        unix_time: now.as_secs(),
        unix_millis: now.subsec_millis(),
        binary: first.map_or("", |def| def.binary()).to_owned(),
        package: first.map_or("", |def| def.package).to_owned(),
        args: (std::env::args_os().skip(1))
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
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
        unix_millis: 0,
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
        shard: None,
        topology: None,
        command: None,
        part: None,
        expected_us: None,
        commit: None,
        again: None,
    }
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
        earlier: None,
        recorded: None,
        expected_us: None,
        origin: None,
    }
}

/// A test that failed before it could begin.
fn never_begun(test: &str, reason: &str) -> TestFinished {
    TestFinished {
        test: test.to_owned(),
        attempt: 1,
        repetition: None,
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
        shown: Shown::default(),
    }
}
