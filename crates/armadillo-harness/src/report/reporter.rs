//! The reports of a running run: each event is shown when it comes.

use std::io::{self, Write};

use super::block::failure_block;
use super::header::header;
use super::json::Json;
use super::libtest::Printer;
use super::live::Display;
use super::model::{Model, files_incomplete};
use super::paint::{Paint, time};
use super::pretty::Pretty;
use super::screen::Screen;
use super::summary::summary;
use super::terminal::tamed;
use super::terse::Terse;
use crate::event::{Event, EventKind, Repetitions, StartReason};
use crate::options::{Format, Options, Showing};
use crate::outcome::Verdict;
use crate::trace::Trace;

/// How often it is said how far a run is that repeats its tests, in microseconds, where there is no live display.
const PROGRESS_US: u64 = 30_000_000;

/// stdout is closed: nobody reads the results any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stdout was closed")]
pub struct Closed;

/// Whether something is not as it should be.
fn is_trouble(kind: &EventKind) -> bool {
    match kind {
        EventKind::Warning { .. }
        | EventKind::FilesIncomplete { .. }
        | EventKind::DeploymentFailed { .. }
        | EventKind::DeploymentRecycled { .. } => true,
        EventKind::TestFinished(finished) => finished.verdict.is_failure(),
        EventKind::RunFinished { exit_code, .. } => *exit_code != 0,
        _ => false,
    }
}

/// Shows a run while it happens, and keeps what is known of it.
///
/// The events of ignored tests directly follow [`EventKind::RunStarted`]: libtest's first line counts them.
pub struct Reporter {
    model: Model,
    printer: Box<dyn Printer>,
    screen: Screen,
    display: Option<Display>,
    showing: Showing,
    shuffle: bool,
    titled: bool,
    closed: bool,
    /// It was said that the disk is full.
    told_incomplete: bool,
    /// When it was last said how often tests ran, in microseconds from the run's start.
    told_progress: u64,
    /// Something was written to stdout that may not be readable yet.
    unflushed: bool,
    /// What is said only if something fails, until something has.
    held: Option<String>,
    /// Somebody else shows what happens.
    is_part: bool,
}

impl Reporter {
    /// A reporter for a run that is shown as part of another: it shows only what is no event.
    pub(crate) fn of_part(options: &Options, screen: Screen) -> Self {
        Self {
            is_part: true,
            ..Self::new(options, screen.without_display())
        }
    }

    /// A reporter for a run with these options.
    #[must_use]
    pub fn new(options: &Options, screen: Screen) -> Self {
        let showing = options.showing.clone();
        let paint = Paint(screen.stdout_color);
        let printer: Box<dyn Printer> = match showing.format {
            Format::Pretty => Box::new(Pretty {
                paint,
                report_time: showing.report_time,
            }),
            Format::Terse => Box::new(Terse::new(paint)),
            Format::Json => Box::new(Json {
                show_output: showing.show_output,
            }),
        };
        Self {
            model: Model::default(),
            held: showing.only_failures.then(String::new),
            printer,
            display: screen
                .live
                .map(|live| Display::new(live, screen.stderr_color)),
            screen,
            showing,
            shuffle: options.running.shuffle,
            titled: false,
            unflushed: false,
            closed: false,
            told_incomplete: false,
            told_progress: 0,
            is_part: false,
        }
    }

    /// What is known of the run.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Takes in and shows the next event.
    ///
    /// # Errors
    /// Once, when stdout is found to be closed. Events are still taken in, and stderr is still written, after that.
    pub fn on(&mut self, event: &Event) -> Result<(), Closed> {
        let finished = self.model.on(event).is_some();
        if self.is_part {
            return Ok(());
        }
        if let Some(display) = &mut self.display {
            display.on(event);
        }
        let mut out = String::new();
        let note = self.show(&event.kind, finished, &mut out);
        let result = self.say(&out);
        match &mut self.held {
            Some(held) if !is_trouble(&event.kind) => held.push_str(&note),
            held => {
                let note = held.take().unwrap_or_default() + &note;
                self.note(&note);
            }
        }
        result
    }

    /// Appends what goes to stdout to `out`, and returns what goes to stderr.
    fn show(&mut self, kind: &EventKind, finished: bool, out: &mut String) -> String {
        let paint = Paint(self.screen.stderr_color);
        match kind {
            EventKind::RunStarted(started) => return header(started, self.screen.stderr_color),
            EventKind::TestIgnored { test, reason } => {
                if self.titled {
                    self.printer.ignored(out, test, reason);
                    self.log("ignored", test);
                }
                return String::new();
            }
            EventKind::FilesIncomplete { directory, error } => {
                if std::mem::replace(&mut self.told_incomplete, true) {
                    return String::new();
                }
                let text = files_incomplete(directory, error);
                return format!("{}: {text}\n", paint.yellow("warning"));
            }
            EventKind::Warning { text } => return format!("{}: {text}\n", paint.yellow("warning")),
            _ => self.title(out),
        }
        match kind {
            EventKind::TestStarted { test, attempt, .. } if *attempt == 1 => {
                self.printer.started(out, test);
            }
            EventKind::TestFinished(_) if finished => {
                self.show_finished(out);
                return self.failure();
            }
            EventKind::TestSlow {
                test,
                for_us,
                traces,
                ..
            } => return slow(test, *for_us, traces, paint),
            EventKind::RunFinished { .. } => return self.end(out),
            EventKind::Repeating(so_far) => return self.progress(*so_far),
            EventKind::DeploymentReady {
                deployment,
                took_us,
            } => {
                return match self.model.reason(deployment) {
                    Some(StartReason::Shared) => format!("{deployment}: already running\n"),
                    Some(StartReason::Attached) => format!("{deployment}: attached\n"),
                    _ => format!("{deployment}: ready after {}\n", time(*took_us)),
                };
            }
            EventKind::DeploymentFailed { deployment, error } => {
                let word = paint.red("failed to start");
                return format!("{deployment}: {word}: {error}\n");
            }
            EventKind::DeploymentRecycled { deployment, reason } => {
                return format!("{deployment}: {}: {reason}\n", paint.yellow("replaced"));
            }
            _ => {}
        }
        String::new()
    }

    /// How far tests are that run again and again. A live display says it itself.
    fn progress(&mut self, so_far: Repetitions) -> String {
        let now = self.model.now_us;
        if self.display.is_some() || now < self.told_progress + PROGRESS_US {
            return String::new();
        }
        self.told_progress = now;
        format!("repetitions after {}: {so_far}\n", time(now))
    }

    /// The run is over without its last event: nothing more is known of it.
    ///
    /// # Errors
    /// As of [`Reporter::on`].
    pub fn cut_off(&mut self) -> Result<(), Closed> {
        let mut out = String::new();
        self.title(&mut out);
        let note = self.end(&mut out);
        let result = self.say(&out);
        self.note(&note);
        result
    }

    /// Appends the last lines for stdout to `out`, and returns the summary.
    fn end(&mut self, out: &mut String) -> String {
        if self.model.started.is_none() {
            return String::new();
        }
        if let Some(logfile) = &mut self.screen.logfile {
            // The log file is a convenience; the results are elsewhere too.
            _ = logfile.flush();
        }
        self.printer.end(out, &self.model, &self.showing);
        let paint = Paint(self.screen.stderr_color);
        summary(&self.model, self.showing.durations, paint)
    }

    /// The first line, once, and with it the ignored tests.
    fn title(&mut self, out: &mut String) {
        if self.titled {
            return;
        }
        let Some(started) = &self.model.started else {
            return;
        };
        self.titled = true;
        let seed = self.shuffle.then_some(started.seed);
        self.printer.title(out, self.model.selected(), seed);
        for (test, reason) in &self.model.ignored {
            self.printer.ignored(out, test, reason);
        }
        if let Some(logfile) = &mut self.screen.logfile {
            for (test, _) in &self.model.ignored {
                _ = writeln!(logfile, "ignored {test}");
            }
        }
    }

    fn show_finished(&mut self, out: &mut String) {
        let Some(test) = self.model.tests.last() else {
            return;
        };
        self.printer.finished(out, &self.model, test);
        let word = match test.verdict() {
            Verdict::Passed => "ok",
            Verdict::Skipped { .. } => "ignored",
            Verdict::Failed { .. } => "failed",
        };
        let name = test.name.clone();
        self.log(word, &name);
    }

    /// The failure of the test that has just ended, if it is to be shown at once.
    fn failure(&self) -> String {
        let last = self.model.tests.last();
        let failed = last.filter(|test| test.verdict().is_failure());
        let showing = &self.showing;
        match failed {
            Some(test)
                if showing.failure_output.is_immediate() && showing.format != Format::Json =>
            {
                let title = Paint(self.screen.stderr_color).red(&test.name);
                format!(
                    "\n---- {title} ----\n{}\n",
                    failure_block(&self.model, test)
                )
            }
            _ => String::new(),
        }
    }

    fn log(&mut self, word: &str, test: &str) {
        if let Some(logfile) = &mut self.screen.logfile {
            // A full disk must not end a run for a convenience.
            _ = writeln!(logfile, "{word} {test}");
        }
    }

    /// Passes on what a test prints, as it comes and as it is (`--nocapture`).
    ///
    /// # Errors
    /// Once, when stdout is found to be closed.
    pub fn relay(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        self.print(bytes)
    }

    /// Shows a line on stderr.
    pub fn note(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // On one terminal lines come in the order in which they were written.
        _ = self.flush();
        self.erase();
        // Nobody reads stderr: there is nobody to tell.
        let text = tamed(text, self.screen.stderr_color);
        _ = self.screen.stderr.write_all(text.as_bytes());
        _ = self.screen.stderr.flush();
    }

    /// Draws the live display, if there is one; to be called some times a second.
    pub fn tick(&mut self, now_us: u64) {
        if let Some(display) = &mut self.display {
            let text = display.draw(&self.model, now_us);
            _ = self.screen.stderr.write_all(text.as_bytes());
            _ = self.screen.stderr.flush();
        }
    }

    /// Takes the live display off the terminal, for good.
    pub fn draw_no_more(&mut self) {
        self.erase();
        self.display = None;
    }

    /// Takes the live display off the terminal.
    pub fn erase(&mut self) {
        if let Some(text) = self.display.as_mut().and_then(Display::erase) {
            _ = self.screen.stderr.write_all(text.as_bytes());
            _ = self.screen.stderr.flush();
        }
    }

    /// Shows lines on stdout.
    fn say(&mut self, text: &str) -> Result<(), Closed> {
        let text = tamed(text, self.screen.stdout_color);
        self.print(text.as_bytes())
    }

    fn print(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        if bytes.is_empty() || self.closed {
            return Ok(());
        }
        if self.screen.live.is_some_and(|live| live.shares_stdout) {
            self.erase();
        }
        let written = self.screen.stdout.write_all(bytes);
        self.unflushed = true;
        self.found_closed(written)
    }

    /// Lets what was written to stdout be read.
    ///
    /// # Errors
    /// Once, when stdout is found to be closed.
    pub fn flush(&mut self) -> Result<(), Closed> {
        if !std::mem::take(&mut self.unflushed) || self.closed {
            return Ok(());
        }
        let flushed = self.screen.stdout.flush();
        self.found_closed(flushed)
    }

    fn found_closed(&mut self, done: io::Result<()>) -> Result<(), Closed> {
        done.map_err(|_| {
            self.closed = true;
            Closed
        })
    }
}

/// A test that takes long, and where it is.
fn slow(test: &str, for_us: u64, traces: &[Trace], paint: Paint) -> String {
    let word = paint.yellow("slow");
    let mut text = format!("{word}: {test} has been running for {}\n", time(for_us));
    for line in traces.iter().flat_map(Trace::lines) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}
