//! `armadillo exec` and `armadillo up`: a run with one test. Its body is a command in any language, which is told in its
//! environment how to reach the deployments; or it holds them for others. Everything else is as for a test.

mod check;
mod child;
mod signals;
mod variables;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use armadillo_orchestrator::duration::times;
use armadillo_orchestrator::{Fut, StaticTopology};

use super::environment;
use super::executor::evidence;
use super::programs::Found;
use super::{RunnerError, options, prepare};
use crate::collect::Test;
use crate::exit_code::Exit;
use crate::fixture::{Run, TestContext};
use crate::main_entry;
use crate::needs::{LeaseMode, StaticNeed};
use crate::options::{IgnoredTests, Isolation, Options, Stress};
use crate::outcome::Outcome;
use crate::protocol::daemon::Grant;
use crate::report::{console, in_shell};
use crate::select::Selected;
use crate::session::{SESSION, Session};
use crate::settings::{Source, is_for_commands};
use crate::test_def::{ShouldPanic, TestDef};

use signals::Waiting;
pub(super) use signals::{is_in_foreground, pass_on};
use variables::{Variables, of_leases};

/// The name of the one test.
const NAME: &str = "command";

/// What ends a command is its own time limit, if it has one: as a test, it would be told that its thread goes on.
const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);

/// The exit code for a command that passed on deployments that did not: libtest's for a failure.
const FAILED: u8 = 101;

/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

/// A run without tests of its own.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Flags, as for a run of tests: `--tls`, `--output-dir DIR`.
    pub flags: Vec<OsString>,
    /// What it needs: a deployment of its own for each.
    pub topologies: Vec<StaticTopology>,
    /// What happens on them.
    pub body: Body,
    /// The whole as it was typed, for reports.
    pub typed: Vec<OsString>,
    /// Whether nothing is printed unless something fails.
    pub quiet: bool,
}

/// What happens on the deployments of a run without tests of its own.
#[derive(Clone, Debug)]
pub enum Body {
    /// A command.
    Command {
        /// The program and its arguments.
        words: Vec<OsString>,
        /// Variables for it that are made from those of the deployments, each with its template: `URL` and
        /// `{MYDB_ENDPOINTS}/status`.
        variables: Vec<(String, String)>,
    },
    /// They are held for others, until this ends.
    Hold(fn(Held) -> Fut<'static, Result<(), String>>),
}

/// Deployments that are held.
pub struct Held {
    /// They, as others join them.
    pub session: Session,
    /// How a program of any language reaches them, as variables of its environment. Some are secrets.
    pub variables: BTreeMap<String, String>,
    waiting: Waiting,
}

impl Held {
    /// Waits for Ctrl-C or SIGTERM.
    pub async fn told_to_end(&mut self) {
        self.waiting.told().await;
    }
}

/// The variable with the path of the `armadillo` command, for clients in other languages.
const PROGRAM: &str = "ARMADILLO_BIN";

/// The command of this process, and how it ended.
static COMMAND: OnceLock<Order> = OnceLock::new();
static ENDED: OnceLock<Ended> = OnceLock::new();

/// What this process is to do.
struct Order {
    exec: Exec,
    /// How long it may take, before the factor.
    limit: Option<Duration>,
    /// How deep runs are nested in which this one takes place.
    depth: u32,
}

/// How a command ended that did not pass.
enum Ended {
    Exited(ExitStatus),
    /// Its time was up.
    Late,
}

/// Starts the deployments, runs the command on them, and stops them. The exit code is the command's; if that is 0 but a server
/// crashed meanwhile, or the run could not do its part, it is that of a run of tests.
#[must_use]
pub fn exec(exec: Exec) -> ExitCode {
    let depth = match main_entry::depth() {
        Ok(depth) => depth,
        Err(code) => return code,
    };
    match start(exec, depth) {
        Ok(exit) => exit_code(exit, ENDED.get()),
        Err(error) => {
            console::error(&error);
            error.exit().into()
        }
    }
}

fn start(exec: Exec, depth: u32) -> Result<Exit, RunnerError> {
    let Some(mut options) = options(&exec.flags)? else {
        return Ok(Exit::Passed);
    };
    check::check(&exec, &options)?;
    for warning in check::without_effect(&exec.topologies, &options) {
        console::warning(warning);
    }
    let has_limit = is_on_command_line(&options, "timeout") && !environment::is_traced();
    let limit = has_limit.then_some(options.running.timeout);
    adapt(&mut options);
    options.command = Some(exec.typed());
    if exec.quiet {
        options.showing.only_failures = true;
        console::say_no_notes();
    }
    let def = Box::leak(Box::new(definition(&exec.topologies)));
    let test = Test::new(def, Cow::Borrowed(&[]));
    // Each process runs one command.
    let _ = COMMAND.set(Order { exec, limit, depth });
    let selected = Selected {
        run: vec![test],
        ..Selected::default()
    };
    prepare::run(options, selected, depth)
}

impl Exec {
    /// The whole as a shell reads it.
    fn typed(&self) -> String {
        let words = self
            .typed
            .iter()
            .map(|word| in_shell(&word.to_string_lossy()));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// What a command is run like, whatever was said of tests elsewhere: it is one command, and runs once.
fn adapt(options: &mut Options) {
    if !is_on_command_line(options, "run-timeout") {
        options.running.run_timeout = None;
    }
    options.running.isolation = Isolation::InProcess;
    options.running.slow_timeout = UNLIMITED;
    options.running.retries = 0;
    options.running.repeat = 1;
    options.running.stress = Stress::default();
    options.running.max_fail = None;
    options.showing.no_capture = true;
    // Without its servers, a command cannot be ignored as a test can.
    options.missing.clear();
    options.selection.ignored = IgnoredTests::Include;
    // The time limit of a command is not that of a test, and what is said of such does not hold.
    options
        .said
        .retain(|name, _| is_for_commands(name) && *name != "timeout");
}

/// A command runs with its servers, or not at all.
pub(super) fn check_servers(options: &Options, found: &Found) -> Result<(), RunnerError> {
    let mut missing = found.ignored.iter().chain(&found.failed);
    match missing.next().filter(|_| options.command.is_some()) {
        Some((_, reason)) => Err(RunnerError::NoServers(reason.clone())),
        None => Ok(()),
    }
}

fn is_on_command_line(options: &Options, name: &str) -> bool {
    let said = options.said.get(name);
    said.is_some_and(|said| matches!(said.source, Source::CommandLine(_)))
}

fn definition(topologies: &[StaticTopology]) -> TestDef {
    let needs: Vec<StaticNeed> = topologies
        .iter()
        .map(|topology| StaticNeed {
            topology: Some(*topology),
            lease: LeaseMode::Fresh,
        })
        .collect();
    TestDef {
        package: "armadillo",
        directory: "",
        module: "armadillo",
        function: NAME,
        case: None,
        file: NAME,
        line: 0,
        markers: &[],
        fixture_markers: &[],
        fixtures: |_| {},
        needs: Vec::leak(needs),
        checkers: &[],
        requires: &[],
        timeout: Some(UNLIMITED),
        retries: None,
        isolated: false,
        ignore: None,
        should_panic: ShouldPanic::No,
        xfail: None,
        run: body,
    }
}

/// The body of the one test.
fn body(run: &mut Run<'_>) -> Outcome {
    let (context,) = match run.fixtures::<(Arc<TestContext>,)>() {
        Ok(inputs) => inputs,
        Err(outcome) => return outcome,
    };
    let Some(order) = COMMAND.get() else {
        return Outcome::Failed("there is no command".into());
    };
    let outcome = run.body_async(Box::pin(async {
        let ended = on_deployments(order, &context).await;
        ended.unwrap_or_else(|error| Outcome::Failed(error.into()))
    }));
    match (ENDED.get(), outcome) {
        (Some(Ended::Late), Outcome::Failed(why)) => run.time_up(why.message),
        (_, outcome) => outcome,
    }
}

async fn on_deployments(order: &Order, context: &TestContext) -> Result<Outcome, String> {
    let exec = &order.exec;
    let mut deployments = of_leases(context.leases());
    let session = Session::begin(context, exec.typed(), deployments.all());
    let session = session.map_err(|error| error.to_string())?;
    deployments.add(SESSION, session.found().path().display().to_string());
    let limit = order
        .limit
        .map(|limit| times(limit, context.timeout_factor()));
    match &exec.body {
        Body::Command { words, variables } => {
            let name = name(words);
            let filled = deployments.filled(variables)?;
            let mut command = command(words, &deployments, filled, order.depth);
            let ended = within(limit, context, child::run(&mut command)).await;
            let Some(ended) = ended else {
                let limit = limit.unwrap_or_default();
                let why = format!("{name} did not end within {limit:?}, the limit of --timeout");
                return Ok(Outcome::Failed(why.into()));
            };
            let status = ended.map_err(|error| format!("cannot run {name}: {error}"))?;
            if !status.success() {
                let _ = ENDED.set(Ended::Exited(status));
            }
            Ok(outcome(&name, status))
        }
        Body::Hold(hold) => {
            let held = Held {
                session,
                variables: deployments.all().clone(),
                waiting: Waiting::listens(),
            };
            match within(limit, context, hold(held)).await {
                Some(ended) => ended.map(|()| Outcome::Passed),
                None => {
                    let limit = limit.unwrap_or_default();
                    let why = format!("the servers were up for {limit:?}, the limit of --timeout");
                    Ok(Outcome::Failed(why.into()))
                }
            }
        }
    }
}

/// What this comes to; `None` if it takes longer. Then the evidence is collected while it goes on, and it is ended.
async fn within<T>(
    limit: Option<Duration>,
    context: &TestContext,
    does: impl Future<Output = T>,
) -> Option<T> {
    let Some(limit) = limit else {
        return Some(does.await);
    };
    let mut does = pin!(does);
    if let Ok(done) = tokio::time::timeout(limit, &mut does).await {
        return Some(done);
    }
    let _ = ENDED.set(Ended::Late);
    let leases: Vec<Grant> = context.leases().cloned().collect();
    evidence::collect(std::process::id(), &leases, context.files()).await;
    None
}

/// The command as it is started: in the runner's own environment, without what is said to the runner there.
fn command(
    words: &[OsString],
    variables: &Variables,
    filled: BTreeMap<String, String>,
    depth: u32,
) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(words);
    for hidden in environment::hidden_variables() {
        command.env_remove(hidden);
    }
    if std::env::var_os(SESSION).is_some() {
        // They are about the servers of that session, whatever these are.
        for name in variables::of_any_session() {
            command.env_remove(name);
        }
    }
    command.env(main_entry::DEPTH, (depth + 1).to_string());
    // The same command, for whoever calls it from there.
    if let Ok(this) = std::env::current_exe() {
        command.env(PROGRAM, this);
    }
    command.envs(variables.all());
    command.envs(filled);
    command
}

fn outcome(name: &str, status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Passed,
        (Some(code), _) => Outcome::Failed(format!("{name} exited with code {code}").into()),
        (None, signal) => {
            let signal = signal.unwrap_or_default();
            Outcome::Failed(format!("{name} was killed by signal {signal}").into())
        }
    }
}

/// The command's name for messages.
fn name(words: &[OsString]) -> String {
    let program = words.first().map(|program| program.to_string_lossy());
    format!("`{}`", program.unwrap_or_default())
}

/// What this process ends with.
fn exit_code(exit: Exit, ended: Option<&Ended>) -> ExitCode {
    let status = match ended.filter(|_| exit == Exit::Failed) {
        Some(Ended::Exited(status)) => status,
        Some(Ended::Late) => return Exit::Deadline.into(),
        None => return exit.into(),
    };
    let code = status
        .code()
        .or(status.signal().map(|signal| signal + SIGNALLED));
    ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(FAILED),
    )
}
