//! Test executables that run at the same time, shown as one run: one header, one live display, the results of all as they come, one
//! summary.
//!
//! The executables show nothing of what happens in them, because they know of their [`group`](crate::group) that it is
//! shown. Their event logs are read while they are written. What else they write, such as an error, is relayed line by line.

mod members;
mod relay;
mod whole;

use std::io;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::MissedTickBehavior;

use super::annotations::annotations;
use super::exec;
use super::interrupts::Interrupts;
use super::printer::Printer;
use crate::clock::Origin;
use crate::exit_code::{Exit, strongest};
use crate::group::{Manner, Verdict};
use crate::options::{Options, Running, Showing};
use crate::report::{self, Model, Reporter, Screen};
use members::Members;
use relay::Relays;
use whole::Whole;

/// How often the logs are looked at. Nobody is told when a file grows.
const LOOK: Duration = Duration::from_millis(100);

/// How long is waited for the rest of what executables wrote that have ended: somebody whom they have left behind may hold the pipe.
const REST: Duration = Duration::from_secs(1);

/// The executables that run, and what is shown of them. Dropping it ends them.
pub struct Together {
    members: Members,
    whole: Whole,
    printer: Printer,
    interrupts: Interrupts,
    showing: Showing,
    max_fail: Option<u32>,
    /// What the run is said to be since somebody interrupted it.
    interrupted: Option<&'static str>,
    /// Why this has ended the executables.
    stopped: Option<String>,
}

impl Together {
    /// Begins to show a run of executables of the group of this file, in this manner. From here on Ctrl-C and SIGTERM end the run.
    ///
    /// # Errors
    /// When the log file cannot be written, or there is no thread to be had.
    pub fn begin(group: &Path, manner: &Manner) -> io::Result<Self> {
        let showing = manner.showing.clone();
        let interrupts = Interrupts::install()?;
        let screen = Screen::of_process(&showing)?;
        let options = Options {
            running: Running {
                shuffle: manner.shuffle,
                ..Running::default()
            },
            showing: showing.clone(),
            ..Options::default()
        };
        let printer = Printer::start(Reporter::new(&options, screen), Origin::now())?;
        Ok(Self {
            members: Members::default(),
            whole: Whole::new(group, printer.way()),
            printer,
            interrupts,
            showing,
            max_fail: manner.max_fail,
            interrupted: None,
            stopped: None,
        })
    }

    /// Shows a line on stderr.
    pub fn note(&self, text: &str) {
        self.printer.way().note(text.to_owned());
    }

    /// One more executable, of this package and crate: it has just been started by this thread, with pipes for what it writes.
    pub fn add(&mut self, package: &str, binary: &str, child: Child) {
        self.members.add(package, binary, child);
    }

    /// Shows what happens until all executables have ended; what they come to.
    ///
    /// # Errors
    /// When the operating system does not tell how an executable has ended.
    pub async fn run(&mut self) -> io::Result<Verdict> {
        LocalSet::new().run_until(self.conduct()).await
    }

    async fn conduct(&mut self) -> io::Result<Verdict> {
        let mut ends = signal(SignalKind::child())?;
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let relays = Relays::to(self.printer.way());
        let mut streams = JoinSet::new();
        for (number, (stdout, stderr)) in self.members.streams().enumerate() {
            streams.spawn_local(relays.clone().stdout(stdout));
            streams.spawn_local(relays.clone().stderr(number, stderr));
        }
        while self.members.any_runs() {
            tokio::select! {
                biased;
                how = self.interrupts.next() => self.interrupt(how),
                _ = ends.recv() => {}
                _ = looks.tick() => {}
            }
            self.look()?;
        }
        let rest = async { while streams.join_next().await.is_some() {} };
        // Whoever holds the pipes is nobody's concern any more.
        _ = tokio::time::timeout(REST, rest).await;
        streams.shutdown().await;
        self.look()?;
        Ok(self.verdict())
    }

    /// Takes in what is new.
    fn look(&mut self) -> io::Result<()> {
        for ended in self.members.reap()? {
            self.note(&format!("warning: {ended}\n"));
        }
        self.whole.read(self.members.running());
        let failures = self.whole.failures();
        if let Some(most) = self.max_fail
            && failures >= most
            && self.stopped.is_none()
        {
            let tests = if failures == 1 { "test" } else { "tests" };
            self.stopped = Some(format!(
                "{failures} {tests} failed, and --maxfail is {most}"
            ));
            self.members.interrupt();
        }
        Ok(())
    }

    /// Somebody ends the run.
    fn interrupt(&mut self, how: &'static str) {
        let is_first = self.interrupted.replace(how).is_none();
        // The terminal has told every process that it has in the foreground.
        let are_told = is_first && how == Interrupts::BY_A_PERSON && exec::is_in_foreground();
        if !are_told {
            self.members.interrupt();
        }
    }

    fn verdict(&self) -> Verdict {
        // What this has ended was not interrupted by anybody.
        let is_own = self.stopped.is_some() && self.interrupted.is_none();
        let codes = self.members.codes().map(|code| match code {
            code if is_own && code == Exit::Interrupted.code() => Exit::Failed.code(),
            code => code,
        });
        let exit_code = codes.fold(Exit::Passed.code(), strongest);
        let is_interrupted = exit_code == Exit::Interrupted.code();
        let by_somebody = self.interrupted.filter(|_| is_interrupted);
        let ended_early = by_somebody
            .map(str::to_owned)
            .or_else(|| self.stopped.clone())
            .or_else(|| self.whole.early(&self.members));
        Verdict {
            exit_code,
            ended_early,
        }
    }

    /// The reports are written: shows the end of the run. Its exit code.
    ///
    /// # Errors
    /// When there can be no runtime to wait in.
    pub fn finish(self, verdict: &Verdict) -> io::Result<u8> {
        let Self {
            mut whole,
            printer,
            interrupts,
            showing,
            ..
        } = self;
        whole.end(verdict);
        let was_interrupted = verdict.exit_code == Exit::Interrupted.code();
        let way = printer.way();
        let mut last_lines = printer.last_lines(interrupts, was_interrupted)?;
        if let Some(model) = last_lines.model() {
            way.note(tell(&model, &showing));
        }
        drop((way, whole));
        Ok(match last_lines.end() {
            true => strongest(verdict.exit_code, Exit::Interrupted.code()),
            false => verdict.exit_code,
        })
    }
}

/// Tells others of the run: viewers of traces, the CI system. What is to be said of that.
fn tell(model: &Model, showing: &Showing) -> String {
    let mut text = String::new();
    let trace = showing.trace.as_deref();
    if let Some(Err(error)) = trace.map(|trace| report::write_trace(trace, model)) {
        text.push_str(&format!("warning: cannot write the trace: {error}\n"));
    }
    match annotations(model, showing.annotations) {
        Ok(lines) => text.push_str(&lines),
        Err(error) => text.push_str(&format!(
            "warning: cannot write the summary of the step: {error}\n"
        )),
    }
    text
}
