//! `armadillo test`: the tests of a workspace, of all its test executables.

mod build;
mod flags;
mod list;
mod plan;
mod run;
mod sources;
mod together;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

pub(crate) use build::{Build, cargo, one as build_one};
pub(crate) use plan::{Plan, Planned, Test, is_path, plan};

/// Run or list the tests of all test executables of a workspace
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Build all test executables and run their tests, all executables at the same time
    ///
    /// The executables share deployments, and are shown as one run with one report: `--maxfail` counts the failures of all of them. With
    /// flags such as --nocapture, they run one after the other. The exit code is the strongest of all executables: 101 if tests failed or
    /// did not compile, 2 if the command line is wrong, 4 if no test was selected.
    #[command(after_help = "Examples:\n  \
        armadillo test run\n  \
        armadillo test run keys:: -n 4 --retries 1\n  \
        armadillo test run tests/suite/keys.rs\n  \
        armadillo test run tests/suite/keys.rs:40\n  \
        armadillo test run -p shop -m 'not slow'\n  \
        armadillo test run --watch tests/suite/keys.rs\n  \
        armadillo test run --ui")]
    Run {
        /// Run the tests again whenever a source file has changed: those of the executables that it is part of, on deployments that
        /// stay up
        #[arg(long)]
        watch: bool,
        /// Show the report while the tests run: print the address of a page on this machine that is updated as things happen
        #[arg(long, visible_alias = "report-live", conflicts_with = "watch")]
        ui: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Build all test executables and list their tests
    List {
        /// Also show markers, topologies, places, and how long tests took in earlier runs
        #[arg(long)]
        verbose: bool,
        #[command(flatten)]
        selection: Selection,
    },
}

/// Which tests, and how.
#[derive(clap::Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    pub(crate) build: Build,
    /// Name filters or paths (`tests/keys.rs`, `tests/keys.rs:40`), followed by flags for the tests (see
    /// `cargo test --test NAME -- --help`)
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FILTER, PATH OR FLAG"
    )]
    pub(crate) arguments: Vec<OsString>,
}

pub(crate) fn test(args: &Args) -> ExitCode {
    let done = match &args.action {
        Action::Run {
            watch: true,
            selection,
            ..
        } => watch::watch(selection),
        Action::Run { selection, ui, .. } => run::run(selection, *ui),
        Action::List { verbose, selection } => list::list(selection, *verbose),
    };
    done.unwrap_or_else(|error| error.said())
}

/// Why tests are not run or listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error("cannot run cargo: {0}")]
    Cargo(std::io::Error),
    #[error("cargo cannot build the tests")]
    Build,
    #[error(
        "no test executable of Armadillo was built\n\
         help: `armadillo init` adds one to a package; `-p PACKAGE` names a package that has one"
    )]
    None,
    #[error("cannot run {path}: {source}")]
    Executable {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("{executable}: {said}")]
    Refused {
        executable: String,
        said: String,
        code: u8,
    },
    #[error(
        "no selected test is defined at {0}\n\
         help: it may be ignored or excluded by a filter; `armadillo test list` shows ignored tests"
    )]
    Path(String),
    #[error(
        "no test was selected\n\
         help: `armadillo test list` shows all tests; a path must exist, and come before the first flag of a run"
    )]
    Nothing,
    #[error(transparent)]
    Group(#[from] armadillo_harness::group::GroupError),
    #[error("cannot {action}: {source}")]
    Os {
        action: &'static str,
        source: std::io::Error,
    },
}

impl TestError {
    /// Prints the error and returns the exit code.
    pub(crate) fn said(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.code())
    }

    /// As a run of tests would end.
    fn code(&self) -> u8 {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Build => 101,
            Self::Path(_) | Self::None => 2,
            Self::Nothing => 4,
            _ => 3,
        }
    }
}
