//! The dispatcher: the process a person or cargo started. It selects, plans, hands tests to executors and reports.

mod again;
mod annotations;
mod answers;
mod attach;
mod attempt;
mod backlog;
mod cancel;
mod children;
mod context;
mod daemon_process;
mod daemons;
mod doctor;
mod environment;
pub(crate) mod exec;
mod executor;
mod files;
mod finish;
mod follower;
mod interrupts;
mod journal;
mod keep;
mod last_failed;
mod listener;
mod log_excerpt;
mod manner;
mod nothing;
mod on_topology;
pub(crate) mod own_main;
mod part;
mod places;
mod prepare;
mod printer;
mod programs;
mod queue;
mod recording;
mod repeats;
mod repetitions;
mod report_from;
mod run;
pub(crate) mod run_directory;
mod script;
mod shard;
pub(crate) mod shared;
mod slot;
mod slots;
mod start_daemons;
pub mod together;
mod trials;
mod without_tls;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::collect::{self, CollectError, Test};
use crate::exit_code::Exit;
use crate::flags;
use crate::group;
use crate::list;
use crate::markers::Markers;
use crate::options::{Action, Format, Options};
use crate::report::console;
use crate::select::{self, Selected};
use crate::settings::{self, Resolved, UsageError};

/// Why a run ends before it has begun.
#[derive(Debug, thiserror::Error)]
enum RunnerError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Expression(#[from] select::ExpressionError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Plan(#[from] crate::plan::PlanProblem),
    #[error(transparent)]
    Program(#[from] armadillo_orchestrator::ProgramError),
    #[error(
        "--repeat until-fail has no effect under `--isolation none`: libtest-mimic runs each test once\n\
         help: use `--isolation in-process`, or `--repeat N`"
    )]
    UntilFail,
    #[error(
        "--script cannot be combined with --repeat or --stress-for: a script says itself how often each test runs\n\
         help: remove one of them"
    )]
    RepeatedScript,
    #[error(
        "--script cannot be combined with --{0}: a script needs new servers, which nobody has used before\n\
         help: remove one of them; the environment or armadillo.toml may name the servers"
    )]
    AttachedScript(String),
    #[error(transparent)]
    Script(#[from] crate::script::ScriptError),
    #[error(transparent)]
    Shard(#[from] shard::ShardError),
    #[error("{0}")]
    Attach(String),
    #[error("{0}")]
    Recording(String),
    #[error(
        "--reuse cannot be combined with --keep-on-failure: a deployment that is kept for inspection cannot be reused\n\
         help: remove one of them"
    )]
    Reuse,
    #[error("{reason}\nhelp: {help}")]
    Command { reason: String, help: String },
    #[error(transparent)]
    Topology(armadillo_orchestrator::PlanError),
    #[error("the servers cannot be started: {0}")]
    NoServers(String),
    #[error(transparent)]
    Directory(#[from] run_directory::RunDirectoryError),
    #[error(
        "{0}\nhelp: use --runtime-dir DIR to choose another directory (or ARMADILLO_RUNTIME_DIR, or `runtime-dir` in \
         armadillo.toml)"
    )]
    RunDir(#[from] armadillo_orchestrator::run_dir::RunDirError),
    #[error(transparent)]
    ReportFrom(#[from] report_from::ReportFromError),
    #[error(transparent)]
    Daemon(#[from] daemon_process::DaemonError),
    #[error(
        "armadillo::trials() was called without armadillo::init(), which must be the first line of the main function, \
         because the harness re-executes this program"
    )]
    NoInit,
    #[error("cannot {action}: {source}")]
    Os {
        action: &'static str,
        source: std::io::Error,
    },
}

impl RunnerError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Expression(_)
            | Self::Collect(_)
            | Self::Plan(_)
            | Self::RepeatedScript
            | Self::AttachedScript(_)
            | Self::UntilFail
            | Self::Script(_)
            | Self::Shard(_)
            | Self::Command { .. }
            | Self::Reuse
            | Self::Topology(_)
            | Self::NoInit => Exit::Usage,
            Self::Program(_)
            | Self::NoServers(_)
            | Self::Attach(_)
            | Self::Recording(_)
            | Self::Directory(_)
            | Self::RunDir(_)
            | Self::Daemon(_)
            | Self::Os { .. } => Exit::Harness,
            Self::ReportFrom(error) => error.exit(),
        }
    }
}

/// The last words of a command line that asks for a plan to be read by a program. What is before them is that of the run, in whatever
/// format it is to be shown.
const PLAN_FOR_PROGRAMS: [&str; 3] = ["--plan", "--format", "json"];

/// The runner's main function.
pub(crate) fn main(args: &[OsString], depth: u32) -> ExitCode {
    environment::end_with_cargo();
    match start(args, depth) {
        Ok(exit) => exit.into(),
        Err(error) => {
            console::error(&error);
            error.exit().into()
        }
    }
}

fn start(args: &[OsString], depth: u32) -> Result<Exit, RunnerError> {
    let words = args.strip_suffix(&PLAN_FOR_PROGRAMS.map(OsString::from));
    let Some(mut options) = options(words.unwrap_or(args))? else {
        return Ok(Exit::Passed);
    };
    let is_plan = match options.action {
        Action::Run => words.is_some(),
        Action::Plan => options.showing.format == Format::Json,
        _ => false,
    };
    if is_plan {
        options.action = Action::PlanForPrograms;
    }
    if let Action::ReportFrom(paths) = &options.action {
        return report_from::report_from(&options, paths);
    }
    if options.action == Action::ListMarkers {
        let markers = Markers::declared(&options.markers);
        console::text(&list::list_markers(&markers));
        return Ok(Exit::Passed);
    }
    if options.action == Action::Doctor {
        return doctor::run(&options, depth);
    }
    if options.doctor_file.is_some() {
        console::warning("--json has no effect without --doctor");
    }
    if options.showing.verbose && options.action != Action::List {
        console::warning("--verbose has no effect without --list");
    }
    let exact = options.selection.exact;
    let names = options.selection.filters.clone();
    let selected = select(&mut options, (exact, &names))?;
    match options.action {
        Action::List => {
            console::text(&list::list(&selected, &options.showing));
            Ok(Exit::Passed)
        }
        Action::PlanForPrograms if selected.is_empty() => {
            let nothing = prepare::nothing_started(selected.filtered_out);
            console::text(&list::plan_json(&nothing, &[], &[], &[], None));
            Ok(Exit::Passed)
        }
        _ if selected.is_empty() => {
            let exit = nothing::selected(&options, &selected);
            // Reports of all shards are merged, those of empty ones too.
            if options.action == Action::Run && selected.shard.is_some() {
                return Ok(exit.and(prepare::run(options, selected, depth)?));
            }
            Ok(exit)
        }
        _ => prepare::run(options, selected, depth),
    }
}

/// What was said to this run; `None` if it asked for a text, which is printed.
fn options(args: &[OsString]) -> Result<Option<Options>, RunnerError> {
    let input = settings::Input {
        args: args.to_vec(),
        ..settings::Input::of_process()
    };
    match settings::resolve(&input)? {
        Resolved::Text(text) => {
            console::text(&text);
            Ok(None)
        }
        Resolved::Options { options, warnings } => {
            for warning in &warnings {
                console::warning(warning);
            }
            flags::settle(&options.flags);
            Ok(Some(*options))
        }
    }
}

/// Names the rules that match nothing here.
fn note_idle_rules(tests: &[Test], options: &Options) {
    let idle = collect::idle(tests, &options.rules);
    if !idle.is_empty() {
        // Among others, it says which one it is.
        let executable = match (group::together(), tests.first()) {
            (Some(_), Some(test)) => format!("{}::{}", test.def.package, test.def.binary()),
            _ => "this executable".to_owned(),
        };
        console::note(format_args!(
            "rules that match no test of {executable}: {}",
            idle.join(", ")
        ));
    }
}

/// The selected tests of this executable. If exactly these names are wanted, no others are collected.
fn select(
    options: &mut Options,
    (exact, names): (bool, &[String]),
) -> Result<Selected, RunnerError> {
    let markers = Markers::declared(&options.markers);
    if let Some(expression) = &options.selection.markers {
        expression.check_declared(&markers.names())?;
    }
    let script = script::read(options)?;
    let scripted = script.as_ref().map(script::names);
    let only = exact.then_some(names).filter(|names| !names.is_empty());
    let only = scripted.as_deref().or(only);
    attach::look(options, only)?;
    let tests = collect::collect(only, &markers, &options.rules, &options.settings)?;
    if only.is_none() && !environment::is_nextest() {
        note_idle_rules(&tests, options);
    }
    let looked_at = tests.len();
    let selected = select::select(tests, &options.selection);
    let mut selected = script::keep(selected, script, looked_at, options);
    attach::ignore_unfit(&mut selected, options);
    let selected = on_topology::keep(selected, options)?;
    let selected = last_failed::keep(selected, options)?;
    shard::cut(selected, options)
}
