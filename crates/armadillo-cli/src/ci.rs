//! `armadillo ci`: what CI systems are told, and what they keep.

mod formats;
mod jobs;
mod pack;

use std::process::ExitCode;

use clap::ValueEnum;

pub(crate) use jobs::Unavailable;

use crate::session::say;
use crate::test::{Selection, TestError, is_path, plan};

/// Run tests on several machines, and keep what is needed of a run
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Print the jobs that together run all tests: one for each topology, or N that take equally long
    ///
    /// Builds the test executables and asks them what they would run. A job for a topology has all tests that need these deployments, so
    /// each topology is started by one machine. With --jobs, tests are distributed as --shard does: tests of a topology stay together as
    /// far as all jobs take equally long, by the durations in the history if there are some. Each job has the flags that select its tests.
    #[command(after_help = "Examples:\n  \
        armadillo ci matrix --format github                   a job for each topology\n  \
        armadillo ci matrix --format github --jobs 4 -p shop\n  \
        armadillo ci matrix --format gitlab --template ci/tests.yml > jobs.yml\n  \
        armadillo ci matrix --format json -m 'not slow'")]
    Matrix(Matrix),
    /// Collect what CI should keep of a run: the worse it went, the more
    ///
    /// Makes up to three directories, so that a CI system can keep each for another time. `results` always: events.jsonl, results.json,
    /// junit.xml, report.html and what tests attached. `logs` if tests failed or the run did not end well: everything that was collected
    /// for failed tests, and the logs of servers. `crashes` if a server crashed: cores, stacks, recordings, the data of servers, and the
    /// programs. Prints how much each takes.
    #[command(after_help = "Examples:\n  \
        armadillo ci pack --output artifacts\n  \
        armadillo ci pack target/armadillo/latest --output artifacts --max 500M")]
    Pack(pack::Args),
}

#[derive(clap::Args)]
struct Matrix {
    /// `github`: a value of `strategy.matrix`; `gitlab`: a child pipeline; `json`: for other programs
    #[arg(long, value_enum)]
    format: Format,
    /// How many jobs there are at most [default: one for each topology]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    jobs: Option<u32>,
    /// How tests are distributed to --jobs [default: duration if all executables have durations in the history, topology otherwise]
    #[arg(long, value_enum, requires = "jobs")]
    by: Option<By>,
    /// For gitlab: a file of the repository with a hidden job `.armadillo`, which every job extends
    #[arg(long, value_name = "FILE")]
    template: Option<String>,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Github,
    Gitlab,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Duration,
    Topology,
}

/// Why there are no jobs.
#[derive(Debug, thiserror::Error)]
enum CiError {
    #[error(transparent)]
    Tests(#[from] TestError),
    #[error(
        "jobs cannot be made of paths: which tests are declared there is known to no other machine\nhelp: use parts of names, or -m and -k"
    )]
    Path,
    #[error(
        "there are {0} topologies, but GitHub runs at most {most} jobs of a matrix\nhelp: use --jobs N",
        most = jobs::MOST_ON_GITHUB
    )]
    TooMany(usize),
    #[error("an argument is not UTF-8")]
    NotText,
    #[error("--template is for --format gitlab")]
    Template,
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

pub(crate) fn ci(args: &Args) -> ExitCode {
    let matrix = match &args.action {
        Action::Matrix(matrix) => matrix,
        Action::Pack(args) => return packed(args),
    };
    match print(matrix) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(CiError::Tests(error)) => error.said(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn packed(args: &pack::Args) -> ExitCode {
    match pack::pack(args) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            error.exit().into()
        }
    }
}

fn print(matrix: &Matrix) -> Result<String, CiError> {
    if matrix.template.is_some() && matrix.format != Format::Gitlab {
        return Err(CiError::Template);
    }
    let Selection { build, arguments } = &matrix.selection;
    if is_path(arguments) {
        return Err(CiError::Path);
    }
    let written = arguments
        .iter()
        .map(|word| word.to_str().map(str::to_owned));
    let written: Option<Vec<String>> = written.collect();
    let written = written.ok_or(CiError::NotText)?;
    let planned = plan(build, arguments)?;
    let jobs = match matrix.jobs {
        None => jobs::by_topology(planned.iter().map(|one| &one.plan)),
        Some(count) => jobs::shards(&planned, count, matrix.by)?,
    };
    if jobs.is_empty() {
        return Err(TestError::Nothing.into());
    }
    let command = formats::Command {
        build: build.arguments().into_iter().map(str::to_owned).collect(),
        arguments: written,
    };
    Ok(match matrix.format {
        Format::Github if jobs.len() > jobs::MOST_ON_GITHUB => {
            return Err(CiError::TooMany(jobs.len()));
        }
        Format::Github => formats::github(&jobs, &command)?,
        Format::Gitlab => formats::gitlab(&jobs, &command, matrix.template.as_deref())?,
        Format::Json => formats::json(&jobs, &command)?,
    })
}
