//! `armadillo replay`: a run again, with its tests where and in the order in which they ran.

mod executable;
mod told;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use armadillo_harness::exit_code::Exit;
use armadillo_harness::replay::{self, Company, OpenError, Record, company};
use armadillo_harness::script::Script;
use armadillo_orchestrator::closest::closest;
use tokio::signal::unix::{SignalKind, signal};

use crate::complete;
use crate::session::{runtime, say};
use crate::test::TestError;

pub(crate) use executable::{Executable, flag};

/// Run the tests of a run again: on the same copies of their deployments, in the same order, beside the same tests
///
/// A test begins as soon as everything has begun and ended that had before it in that run. With TEST, only the tests run that used
/// the same deployments before it or beside it, up to it. At the end, says how close this came to the run, and whether TEST
/// failed again.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    armadillo replay latest\n  \
    armadillo replay latest net::breaks\n  \
    armadillo replay 4c0243f9 net::breaks --with net::writes\n  \
    armadillo replay latest net::breaks -- --nocapture")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) which: Which,
    /// The name of a test, or a part of it that no other test of the run has
    #[arg(value_name = "TEST")]
    test: Option<String>,
    /// With TEST: of the tests that it met, only this one; may be given several times
    #[arg(long, value_name = "TEST", requires = "test")]
    with: Vec<String>,
    /// With TEST: none of the tests that it met
    #[arg(long, requires = "test", conflicts_with = "with")]
    alone: bool,
    /// Write the script that would be run to this file, and run nothing
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// More flags for the tests (see `cargo test --test NAME -- --help`)
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<OsString>,
}

/// The run that is meant, and what is run.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The run: its directory, or its name where the runs of this directory are; `latest` is the last one
    #[arg(value_name = "RUN", add = complete::recorded_runs())]
    pub(crate) run: PathBuf,
    /// Build the test executable with cargo first
    #[arg(long)]
    build: bool,
}

/// Why nothing is repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Test(#[from] TestError),
    #[error("{run} has no test `{test}` that began{}", help.as_ref().map_or(String::new(), |meant| format!("\nhelp: did you mean `{meant}`?")))]
    Unknown {
        run: String,
        test: String,
        help: Option<String>,
    },
    #[error("`{test}` is a part of several names\nhelp: name one of: {}", found.join(", "))]
    Ambiguous { test: String, found: Vec<String> },
    #[error(
        "`{other}` did not use a deployment of `{test}` until that ended, so it cannot be run with it"
    )]
    NotMet { test: String, other: String },
    #[error(
        "the events of {run} do not say which executable ran: they were put together from those of shards, or are from an earlier version"
    )]
    NoExecutable { run: String },
    #[error("{} is not there any more, and cargo does not build it\nhelp: build the test executable, and run its tests again", .0.display())]
    Gone(PathBuf),
    #[error("cannot {action}: {source}")]
    Os {
        action: String,
        source: std::io::Error,
    },
    #[error("the run was not begun: exit code {}", code.map_or_else(|| "none".to_owned(), |code| code.to_string()))]
    NotBegun { code: Option<i32> },
    #[error("{0}")]
    Refused(String),
}

impl ReplayError {
    /// Prints the error and returns the exit code.
    pub(crate) fn said(&self) -> ExitCode {
        if let Self::Test(error) = self {
            return error.said();
        }
        eprintln!("error: {self}");
        match self {
            Self::Os { .. } | Self::NotBegun { .. } | Self::Gone(_) => Exit::Harness.into(),
            _ => Exit::Usage.into(),
        }
    }
}

pub(crate) fn os(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> ReplayError {
    move |source| ReplayError::Os {
        action: action.into(),
        source,
    }
}

/// A run, and where it is.
pub(crate) struct Recorded {
    pub(crate) directory: PathBuf,
    pub(crate) record: Record,
}

impl Which {
    /// What is known of the run, or of its part with the test.
    pub(crate) fn open(&self, test: Option<&str>) -> Result<Recorded, ReplayError> {
        let directory = replay::find(&self.run)?;
        let record = replay::open(&directory, test)?;
        Ok(Recorded { directory, record })
    }

    /// What is run, and what there is to say of it.
    pub(crate) fn executable(&self, recorded: &Recorded) -> Result<Executable, ReplayError> {
        let again = recorded.record.started.again.as_ref();
        let again = again.ok_or_else(|| ReplayError::NoExecutable {
            run: recorded.directory.display().to_string(),
        })?;
        Executable::of(&recorded.record.started, again, self.build)
    }
}

impl Recorded {
    /// The number of the test of this name.
    pub(crate) fn test(&self, named: &str) -> Result<usize, ReplayError> {
        let named = named.split_once('$').map_or(named, |(_, name)| name);
        if let Some(place) = self.record.place(named) {
            return Ok(place);
        }
        let tests = self.record.tests.iter().enumerate();
        let found: Vec<(usize, &str)> = tests
            .map(|(place, attempt)| (place, attempt.test.as_str()))
            .filter(|(_, test)| test.contains(named))
            .collect();
        match found[..] {
            [(place, _)] => Ok(place),
            [] => Err(ReplayError::Unknown {
                run: self.directory.display().to_string(),
                test: named.to_owned(),
                help: closest(
                    named,
                    self.record.tests.iter().map(|known| known.test.as_str()),
                )
                .map(str::to_owned),
            }),
            _ => Err(ReplayError::Ambiguous {
                test: named.to_owned(),
                found: found.iter().map(|(_, test)| (*test).to_owned()).collect(),
            }),
        }
    }

    /// Where runs lie that repeat it: beside it.
    pub(crate) fn beside(&self) -> &Path {
        self.directory.parent().unwrap_or(&self.directory)
    }

    /// The name of a test.
    pub(crate) fn name(&self, test: usize) -> &str {
        &self.record.tests[test].test
    }

    /// What others had done to the deployments of the test before the run, if anybody knows that there was something.
    pub(crate) fn say_what_is_not_known(&self, test: Option<usize>) {
        let taken_over = &self.record.taken_over;
        let concerns = |test: usize| {
            let mut on = self.record.tests[test].on.iter();
            on.any(|deployment| taken_over.contains(deployment))
        };
        if test.map_or(!taken_over.is_empty(), concerns) {
            say(
                "  tests of other runs or executables had used the same deployments before; they are not repeated\n",
            );
        }
    }

    /// Which of the tests that it met are meant.
    fn companions(&self, met: &Company, args: &Args) -> Result<BTreeSet<usize>, ReplayError> {
        if args.alone {
            return Ok(met.with([]));
        }
        if args.with.is_empty() {
            return Ok(met.all());
        }
        let mut with = Vec::new();
        for named in &args.with {
            let other = self.test(named)?;
            if met.companions.iter().all(|known| known.test != other) {
                return Err(ReplayError::NotMet {
                    test: self.name(met.test).to_owned(),
                    other: self.name(other).to_owned(),
                });
            }
            with.push(other);
        }
        Ok(met.with(with))
    }
}

pub(crate) fn replay(args: &Args) -> ExitCode {
    repeat(args).unwrap_or_else(|error| error.said())
}

fn repeat(args: &Args) -> Result<ExitCode, ReplayError> {
    let recorded = args.which.open(args.test.as_deref())?;
    let test = match &args.test {
        Some(named) => Some(recorded.test(named)?),
        None => None,
    };
    let only = match test {
        Some(test) => Some(recorded.companions(&company(&recorded.record, test), args)?),
        None => None,
    };
    let script = recorded.record.script(only.as_ref());
    if let Some(path) = &args.write {
        write(path, &script)?;
        return Ok(ExitCode::SUCCESS);
    }
    let executable = args.which.executable(&recorded)?;
    say(&told::before(&recorded, &script, test));
    recorded.say_what_is_not_known(test);
    say(&executable.notes());
    let place = tempfile::tempdir().map_err(os("make a temporary directory"))?;
    let file = place.path().join("script.json");
    write(&file, &script)?;
    let runtime = runtime().map_err(|error| ReplayError::Refused(error.to_string()))?;
    // Ctrl-C at a terminal reaches the tests, too, which end; this process then says what was repeated.
    let _entered = runtime.enter();
    let _interrupts = signal(SignalKind::interrupt()).map_err(os("wait for signals"))?;
    let beside = recorded.beside();
    let mut command = executable.command(&file, beside);
    command.args(&args.flags).stdin(Stdio::inherit());
    let ended = command.status();
    let ended = ended.map_err(os(format!("run {}", executable.path().display())))?;
    let now = replay::of_script(beside, &file);
    let now = now.ok_or_else(|| ReplayError::NotBegun { code: ended.code() })?;
    say(&told::after(&recorded, &script, &now, test));
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(Exit::Harness.code())))
}

/// Writes a script.
pub(crate) fn write(path: &Path, script: &Script) -> Result<(), ReplayError> {
    let text = serde_json::to_vec(script).map_err(std::io::Error::from);
    let written = text.and_then(|text| std::fs::write(path, text));
    written.map_err(os(format!("write {}", path.display())))
}
