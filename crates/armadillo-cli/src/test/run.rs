//! `armadillo test run`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use armadillo_harness::exit_code::{Exit, strongest};
use armadillo_harness::group::{self, GROUP, Group};
use armadillo_harness::live_page::{LivePage, Source};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::plan::{self, Planned};
use super::together::{self, Way};
use super::{Selection, TestError};
use crate::session::say;

/// Runs the tests of each executable, then says what all of them came to.
pub(super) fn run(selection: &Selection, ui: bool) -> Result<ExitCode, TestError> {
    let mut planned = plan::plan(&selection.build, &selection.arguments)?;
    planned.retain(|one| !one.plan.tests.is_empty());
    if planned.is_empty() {
        return Err(TestError::Nothing);
    }
    let runtime = runtime()?;
    // Ctrl-C at a terminal reaches the executable, too, which ends its run; this process reports then.
    let _entered = runtime.enter();
    let _interrupts = signal(SignalKind::interrupt()).map_err(os("wait for signals"))?;
    Ok(ExitCode::from(run_all(&runtime, &planned, ui)?))
}

pub(super) fn runtime() -> Result<Runtime, TestError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(os("make a runtime"))
}

pub(super) fn os(action: &'static str) -> impl Fn(std::io::Error) -> TestError {
    move |source| TestError::Os { action, source }
}

/// Runs these, and shows the report meanwhile if that is wanted: at the same time if they can. One prints as if cargo had started it.
/// The exit code of the whole.
fn run_all(runtime: &Runtime, planned: &[Planned], ui: bool) -> Result<u8, TestError> {
    if planned.len() < 2 {
        return in_turn(runtime, planned, &[], ui);
    }
    match Way::of(planned) {
        Way::Together { manner, host } => together::run(runtime, planned, (&manner, &host), ui),
        Way::InTurn(why) => {
            eprintln!("armadillo: the executables run one after the other because of {why}");
            in_turn(runtime, planned, &[], ui)
        }
    }
}

/// Runs one after the other, with more variables in their environment; each prints as if it were alone. The exit code of the whole.
pub(super) fn in_turn(
    runtime: &Runtime,
    planned: &[Planned],
    variables: &[(&str, &str)],
    ui: bool,
) -> Result<u8, TestError> {
    if planned.len() > 1 {
        say(&preview(planned));
    }
    let group = Group::begin(false).map_err(os("begin the run"))?;
    let page = || LivePage::start(Source::Group(group.file().to_owned()));
    let page = ui.then(page).transpose();
    let page = page.map_err(os("start the live report"))?;
    if let Some(page) = &page {
        say(&format!("live report: {}\n", page.url()));
    }
    let mut exit = Exit::Passed.code();
    for one in planned {
        let code = run_one(one, &group, variables)?;
        exit = strongest(exit, code);
        if code == Exit::Interrupted.code() {
            break;
        }
    }
    let several = planned.len() > 1;
    let directories = runtime.block_on(group.finish(None))?;
    if let Some(page) = page {
        page.finish();
    }
    for directory in directories {
        if several {
            let summary = group::summary(&directory).map_err(os("read the reports"))?;
            say(&format!("\nall executables: {summary}"));
        }
    }
    Ok(exit)
}

/// What is about to run.
fn preview(planned: &[Planned]) -> String {
    let mut text = String::new();
    for one in planned {
        let plan = &one.plan;
        text.push_str(&format!(
            "{}::{}: {}\n",
            plan.package,
            plan.binary,
            tests(plan.tests.len())
        ));
        let mut topologies: BTreeMap<String, usize> = BTreeMap::new();
        for test in plan.tests.iter().filter(|test| !test.topologies.is_empty()) {
            *topologies.entry(test.topologies.join(" + ")).or_default() += 1;
        }
        for (topology, count) in topologies {
            text.push_str(&format!("  {topology}: {}\n", tests(count)));
        }
    }
    text + "\n"
}

fn tests(count: usize) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} test{ending}")
}

/// Runs one executable, which prints as if it were alone. Its exit code.
fn run_one(one: &Planned, group: &Group, variables: &[(&str, &str)]) -> Result<u8, TestError> {
    let mut command = plan::command(&one.executable);
    command.args(&one.arguments).env(GROUP, group.file());
    command.envs(variables.iter().copied());
    let ended = command.status().map_err(|source| TestError::Executable {
        path: one.executable.path.clone(),
        source,
    })?;
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(Exit::Harness.code()))
}
