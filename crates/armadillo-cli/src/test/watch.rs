//! `armadillo test run --watch`: the tests that a change can affect run again, on deployments that stay up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use armadillo_harness::exit_code::Exit;
use armadillo_harness::warm;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::plan::{self, Planned};
use super::run::{in_turn, os, runtime};
use super::sources::{SETTINGS, Sources, written};
use super::{Selection, TestError, build};
use crate::session::say;

/// How often files are looked at. Nothing has to be asked of the operating system for that, on any file system.
const PAUSE: Duration = Duration::from_millis(200);

/// The setting that leaves deployments up from one run to the next.
const REUSE: (&str, &str) = ("ARMADILLO_REUSE", "10m");

/// Flags with which deployments cannot stay up for the next run, or which say so themselves.
const OTHERWISE: [&str; 2] = ["--keep-on-failure", "--reuse"];

/// Why the tests run again.
enum Cause {
    /// A file was written: what was built from it runs.
    Change,
    /// Somebody has pressed Enter: everything runs.
    Wish,
    /// Ctrl-C, or another signal that ends what runs.
    End,
}

/// The signals that end this: a run that has caught them leaves them caught.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ends {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Runs the tests until Ctrl-C. What is wrong with them is to be mended meanwhile.
pub(super) fn watch(selection: &Selection) -> Result<ExitCode, TestError> {
    let runtime = runtime()?;
    let entered = runtime.enter();
    let mut ends = Ends::install().map_err(os("wait for signals"))?;
    let mut lines = lines().map_err(os("read standard input"))?;
    let mut ran = BTreeMap::new();
    drop(entered);
    let here = std::env::current_dir().map_err(os("tell the working directory"))?;
    let mut sources = Sources::below(&here);
    let mut cause = Cause::Wish;
    let mut code = Exit::Passed.code();
    loop {
        // What is written while this builds and runs is a change.
        let before = sources.renewed();
        match run(selection, &cause, &runtime, &mut ran) {
            Ok((ended, found)) => {
                match ended {
                    Some(ended) => code = ended,
                    None => _ = say("no test executable has changed\n"),
                }
                sources = match before.changed() {
                    None => found,
                    Some(_) => before,
                };
            }
            Err(error) => {
                eprintln!("error: {error}");
                code = error.code();
                // The file that is missing may not exist yet, so new files count, too.
                sources = before.and(Sources::below(&here));
            }
        }
        if code == Exit::Interrupted.code() {
            break;
        }
        say(&format!(
            "\nwatching {} files; Enter runs everything again, Ctrl-C ends\n",
            sources.count()
        ));
        cause = runtime.block_on(next(&sources, &mut lines, &mut ends));
        match cause {
            Cause::End => break,
            Cause::Change => {
                let changed = sources.changed().unwrap_or_default();
                let changed = changed.strip_prefix(&here).unwrap_or(&changed);
                say(&format!("{} has changed\n", changed.display()));
                if changed.ends_with(SETTINGS) {
                    cause = Cause::Wish;
                }
            }
            Cause::Wish => {}
        }
    }
    if warm::all().iter().any(|shared| !shared.is_used()) {
        say("deployments stay up for a while; `armadillo down --all` stops them\n");
    }
    Ok(ExitCode::from(code))
}

/// Executables, and when each was written.
type Executables = BTreeMap<PathBuf, Option<SystemTime>>;

/// Builds, and runs what the cause concerns: after a change, the executables that are not those that ran last. Returns the exit code,
/// or `None` if nothing is to be run, and what the executables were built from.
fn run(
    selection: &Selection,
    cause: &Cause,
    runtime: &tokio::runtime::Runtime,
    ran: &mut Executables,
) -> Result<(Option<u8>, Sources), TestError> {
    let built = build::build(&selection.build)?;
    let sources = Sources::of(&built.notes);
    let mut planned = plan::of_built(built.executables, &selection.arguments)?;
    planned.retain(|one| !one.plan.tests.is_empty());
    if planned.is_empty() {
        return Err(TestError::Nothing);
    }
    let there: Executables = (planned.iter())
        .map(|one| (one.executable.path.clone(), written(&one.executable.path)))
        .collect();
    if matches!(cause, Cause::Change) {
        planned.retain(|one| {
            let path = &one.executable.path;
            ran.get(path) != there.get(path)
        });
        if planned.is_empty() {
            return Ok((None, sources));
        }
    }
    let code = in_turn(runtime, &planned, variables(&planned), false)?;
    *ran = there;
    Ok((Some(code), sources))
}

fn variables(planned: &[Planned]) -> &'static [(&'static str, &'static str)] {
    let says_otherwise = |word: &OsString| {
        let word = word.to_string_lossy();
        let flag = word.split('=').next().unwrap_or_default();
        OTHERWISE.contains(&flag)
    };
    let is_said = std::env::var_os(REUSE.0).is_some();
    let mut arguments = planned.iter().flat_map(|one| &one.arguments);
    match is_said || arguments.any(says_otherwise) {
        true => &[],
        false => &[REUSE],
    }
}

/// Waits for the next cause. When files change, waits until they are quiet: an editor or git may write several.
async fn next(sources: &Sources, lines: &mut UnboundedReceiver<()>, ends: &mut Ends) -> Cause {
    let change = async {
        while sources.changed().is_none() {
            tokio::time::sleep(PAUSE).await;
        }
        loop {
            let now = sources.renewed();
            tokio::time::sleep(PAUSE).await;
            if now.changed().is_none() {
                return;
            }
        }
    };
    // What was typed while the tests ran was not for this.
    while lines.try_recv().is_ok() {}
    tokio::select! {
        () = ends.next() => Cause::End,
        Some(()) = lines.recv() => Cause::Wish,
        () = change => Cause::Change,
    }
}

/// Something comes for each line that a person types. Where nobody types, nothing ever comes.
fn lines() -> std::io::Result<UnboundedReceiver<()>> {
    let (typed, lines) = unbounded_channel();
    if !std::io::stdin().is_terminal() {
        return Ok(lines);
    }
    // A blocking read cannot be given up: the thread ends with the process.
    let reader = std::thread::Builder::new().name("stdin".into());
    reader.spawn(move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            if typed.send(()).is_err() {
                return;
            }
        }
    })?;
    Ok(lines)
}
