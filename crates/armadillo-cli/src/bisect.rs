//! `armadillo bisect`: which of the tests that another one met make it fail.

mod result;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use armadillo_harness::exit_code::Exit;
use armadillo_harness::outcome::{FailureKind, Verdict};
use armadillo_harness::replay::{Bisection, Question, Seen, company, in_words};
use armadillo_harness::report::many;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::replay::{Recorded, ReplayError, Which, os};
use crate::session::{runtime, say};

use result::Outcome;
use steps::Steps;

/// Find the smallest set of tests that make another one fail
///
/// Runs TEST again and again with a part of the tests that used its deployments before it or beside it, each time on new deployments, in
/// the order of the run, until nothing can be left out. Exits with 0 if it found the tests, or found that none are needed.
/// Exits with 1 if TEST did not fail again.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    armadillo bisect latest net::breaks\n  \
    armadillo bisect 4c0243f9 net::breaks --attempts 5 --json found.json")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The name of a test that failed in that run, or a part of it that no other test of the run has
    #[arg(value_name = "TEST")]
    test: String,
    /// How often TEST must pass with some of the tests before they count as harmless; more for a failure that does not always happen
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
    /// Write the result to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The exit code if the test did not fail again.
const NOTHING: u8 = 1;

pub(crate) fn bisect(args: &Args) -> ExitCode {
    search(args).unwrap_or_else(|error| error.said())
}

fn search(args: &Args) -> Result<ExitCode, ReplayError> {
    let recorded = args.which.open(Some(&args.test))?;
    let test = recorded.test(&args.test)?;
    let then = failure(&recorded, test)?;
    let met = company(&recorded.record, test);
    let executable = args.which.executable(&recorded)?;
    say(&format!(
        "bisect of run {}: {} ({then}) met {} on its deployments\n",
        recorded.record.started.run,
        recorded.name(test),
        many(met.companions.len(), "other test"),
    ));
    recorded.say_what_is_not_known(Some(test));
    say(&executable.notes());
    let mut signals = Signals::install()?;
    let mut steps = Steps::new(&recorded, &met, &executable)?;
    let mut search = Bisection::new(met.companions.len(), args.attempts);
    let outcome = loop {
        match search.question() {
            Question::Over(found) => break Outcome::of(found),
            Question::Run(set) => {
                let seen = steps.run(&set, (search.attempt(), args.attempts));
                let is_interrupted = signals.have_come();
                let seen = match seen {
                    // It was ended before it had begun.
                    Err(ReplayError::NotBegun { .. }) if is_interrupted => Seen::Unclear,
                    seen => seen?,
                };
                // At a terminal, the step that ran has ended with Ctrl-C, too, and shows nothing unless the test failed before.
                if seen == Seen::Fails || !is_interrupted {
                    search.answer(seen);
                }
                if is_interrupted {
                    break Outcome::interrupted(search.smallest());
                }
            }
        }
    };
    let result = result::Result::new(&recorded, &met, outcome, &steps, args);
    say(&result.text());
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&result).map_err(std::io::Error::from);
        let written = text.and_then(|text| std::fs::write(path, text + "\n"));
        written.map_err(os(format!("write {}", path.display())))?;
    }
    Ok(match result.outcome() {
        Outcome::Interrupted(_) => Exit::Interrupted.into(),
        Outcome::Nothing => ExitCode::from(NOTHING),
        Outcome::Alone | Outcome::With(_) => ExitCode::SUCCESS,
    })
}

/// Ctrl-C and SIGTERM, which end the search after the step that runs.
struct Signals {
    runtime: Runtime,
    interrupts: Signal,
    ends: Signal,
}

/// How long signals that have come may take to be seen.
const GLANCE: Duration = Duration::from_millis(1);

impl Signals {
    fn install() -> Result<Self, ReplayError> {
        let runtime = runtime().map_err(|error| ReplayError::Refused(error.to_string()))?;
        let entered = runtime.enter();
        let install = |kind| signal(kind).map_err(os("wait for signals"));
        let (interrupts, ends) = (
            install(SignalKind::interrupt())?,
            install(SignalKind::terminate())?,
        );
        drop(entered);
        Ok(Self {
            runtime,
            interrupts,
            ends,
        })
    }

    fn have_come(&mut self) -> bool {
        let (interrupts, ends) = (&mut self.interrupts, &mut self.ends);
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupts.recv() => true,
                _ = ends.recv() => true,
                () = tokio::time::sleep(GLANCE) => false,
            }
        })
    }
}

/// How the test failed in that run.
fn failure(recorded: &Recorded, test: usize) -> Result<String, ReplayError> {
    let verdict = recorded.record.tests[test].verdict.as_ref();
    let name = recorded.name(test);
    match verdict {
        Some(Verdict::Failed {
            kind: FailureKind::Interrupted,
            ..
        }) => Err(ReplayError::Refused(format!(
            "{name} was cut off in that run, so how it would have ended is not known\n\
             help: name a run in which it failed; `armadillo history {name}` shows some"
        ))),
        Some(verdict) if verdict.is_failure() => Ok(in_words(verdict)),
        Some(verdict) => Err(ReplayError::Refused(format!(
            "{name} did not fail in that run ({}), so there is nothing to search for\n\
             help: name a run in which it failed; `armadillo history {name}` shows some",
            in_words(verdict)
        ))),
        None => Err(ReplayError::Refused(format!(
            "{name} did not end in that run"
        ))),
    }
}
