//! `armadillo history`: the results of earlier runs.

mod detail;
mod json;
mod overview;

use std::path::PathBuf;
use std::process::ExitCode;

use armadillo_harness::history::{History, Known, OpenError, Says, open, percent};
use armadillo_orchestrator::closest::closest;
use clap::ValueEnum;

use crate::session::say;

/// Show how tests ended in earlier runs: which fail, which are flaky, and since which commit
///
/// Without TEST, shows the tests that did not always pass, the worst first. With the name of a test, or a part of it that no other test
/// has, shows everything that is known of it. What is known is in a file that runs add to.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    armadillo history\n  \
    armadillo history net::writes\n  \
    armadillo history net:: --format json\n  \
    armadillo history --history ~/cache/history.jsonl")]
pub(crate) struct Args {
    /// The name of a test, or a part of names
    #[arg(value_name = "TEST")]
    test: Option<String>,
    /// The file [default: the one that runs of this directory add to]
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// How many tests are shown as text
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum HistoryError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{file} knows no test `{test}`{}", help.as_ref().map_or(String::new(), |meant| format!("\nhelp: did you mean `{meant}`?")))]
    Unknown {
        file: String,
        test: String,
        help: Option<String>,
    },
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A test, and what is known of it.
struct Test<'h> {
    /// `package::binary$name`.
    id: &'h str,
    known: Known<'h>,
}

pub(crate) fn history(args: &Args) -> ExitCode {
    match show(args) {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn show(args: &Args) -> Result<String, HistoryError> {
    let opened = open(args.history.as_deref())?;
    if let Some(problem) = &opened.problem {
        eprintln!("warning: {problem}");
    }
    let ids = match &args.test {
        None => opened.history.ids().collect(),
        Some(named) => {
            let found = meant(&opened.history, named);
            if found.is_empty() {
                return Err(HistoryError::Unknown {
                    file: opened.path.display().to_string(),
                    test: named.clone(),
                    help: closest(named, opened.history.ids().map(name)).map(str::to_owned),
                });
            }
            found
        }
    };
    let tests = ids.into_iter().filter_map(|id| {
        let known = opened.history.known(id)?;
        Some(Test { id, known })
    });
    let tests: Vec<Test> = tests.collect();
    Ok(match (&tests[..], args.format) {
        (_, Format::Json) => json::of(&tests, args.test.is_some())?,
        ([test], Format::Text) if args.test.is_some() => detail::of(test),
        (_, Format::Text) => overview::of(&tests, args.limit),
    })
}

/// The tests that are meant: those of that id or name; if there is none, those whose id has it.
fn meant<'h>(history: &'h History, named: &str) -> Vec<&'h str> {
    let exact = |id: &&str| *id == named || name(id) == named;
    let found: Vec<&str> = history.ids().filter(exact).collect();
    match found.is_empty() {
        true => history.ids().filter(|id| id.contains(named)).collect(),
        false => found,
    }
}

/// The name of a test in its executable.
fn name(id: &str) -> &str {
    id.split_once('$').map_or(id, |(_, name)| name)
}

/// The executable of a test.
fn executable(id: &str) -> &str {
    id.split_once('$').map_or("", |(executable, _)| executable)
}

/// What the runs of a test say of it.
fn says(known: &Known) -> String {
    match known.says() {
        Says::Nothing => String::new(),
        Says::Flaky { rate } => format!("known flaky: {}", percent(rate)),
        Says::FailsSince(streak) => streak.in_words(),
    }
}
