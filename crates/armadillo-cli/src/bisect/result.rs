//! What a search has found.

use armadillo_harness::replay::{Company, Found, Seen};
use armadillo_harness::report::{in_shell, many};
use serde::Serialize;

use super::Args;
use super::steps::Steps;
use crate::replay::Recorded;

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Alone,
    /// With these companions.
    With(Vec<usize>),
    /// Before its end; the smallest set that was seen to fail, if there is one.
    Interrupted(Option<Vec<usize>>),
}

impl Outcome {
    pub(super) fn of(found: Found) -> Self {
        match found {
            Found::Nothing => Self::Nothing,
            Found::Alone => Self::Alone,
            Found::With(set) => Self::With(set),
        }
    }

    pub(super) fn interrupted(smallest: Option<&[usize]>) -> Self {
        Self::Interrupted(smallest.map(<[usize]>::to_vec))
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "not_reproduced",
            Self::Alone => "fails_alone",
            Self::With(_) => "found",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

/// The result, as `--json` writes it.
#[derive(Serialize)]
pub(super) struct Result {
    run: String,
    test: String,
    result: &'static str,
    /// The tests with which it fails, in the order in which they begin.
    with: Vec<Companion>,
    /// How many tests it met in the run.
    met: usize,
    attempts: u32,
    runs: usize,
    steps: Vec<Step>,
    /// The command that makes it fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// The directory with the files of the last runs.
    files: String,
    #[serde(skip)]
    outcome: Outcome,
}

#[derive(Serialize)]
struct Companion {
    test: String,
    /// `before` or `beside`.
    met: &'static str,
}

#[derive(Serialize)]
struct Step {
    with: Vec<String>,
    result: &'static str,
    took_ms: u64,
}

impl Result {
    pub(super) fn new(
        recorded: &Recorded,
        met: &Company,
        outcome: Outcome,
        steps: &Steps,
        args: &Args,
    ) -> Self {
        let name = |companion: usize| recorded.name(met.companions[companion].test).to_owned();
        let set = match &outcome {
            Outcome::With(set) | Outcome::Interrupted(Some(set)) => set.clone(),
            Outcome::Nothing | Outcome::Alone | Outcome::Interrupted(None) => Vec::new(),
        };
        let has_command = !matches!(outcome, Outcome::Nothing | Outcome::Interrupted(None));
        let test = recorded.name(met.test);
        let names: Vec<String> = set.iter().map(|one| name(*one)).collect();
        let step = |step: &super::steps::Step| Step {
            with: step.with.iter().map(|one| name(*one)).collect(),
            result: match step.seen {
                Seen::Fails => "fails",
                Seen::Passes => "passes",
                Seen::Unclear => "inconclusive",
            },
            took_ms: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
        };
        let companion = |one: &usize| Companion {
            test: name(*one),
            met: met.companions[*one].met.word(),
        };
        Self {
            run: recorded.record.started.run.clone(),
            test: test.to_owned(),
            result: outcome.word(),
            with: set.iter().map(companion).collect(),
            met: met.companions.len(),
            attempts: args.attempts,
            runs: steps.done.len(),
            steps: steps.done.iter().map(step).collect(),
            command: has_command.then(|| command(recorded, test, &names)),
            files: steps.output().display().to_string(),
            outcome,
        }
    }

    pub(super) fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let test = &self.test;
        let runs = many(self.runs, "run");
        let mut text = match &self.outcome {
            Outcome::Nothing => format!(
                "\n{test} did not fail in {runs} with all {} that it met\n\
                 help: it may fail only now and then: --attempts {} tries more often\n",
                many(self.met, "test"),
                (2 * self.attempts).max(5)
            ),
            Outcome::Alone => {
                format!("\n{test} fails alone: no other test is needed ({runs})\n")
            }
            Outcome::With(_) => format!("\n{test} fails with ({runs}):\n"),
            Outcome::Interrupted(None) => {
                format!("\ninterrupted after {runs}: {test} was not seen to fail\n")
            }
            Outcome::Interrupted(Some(_)) => {
                format!("\ninterrupted after {runs}: so far, {test} was seen to fail with:\n")
            }
        };
        for companion in &self.with {
            text.push_str(&format!("  {} ({} it)\n", companion.test, companion.met));
        }
        if let Some(command) = &self.command {
            text.push_str(&format!("to see it: {command}\n"));
        }
        text.push_str(&format!("files of the last runs: {}\n", self.files));
        text
    }
}

fn command(recorded: &Recorded, test: &str, with: &[String]) -> String {
    let run = recorded.directory.display().to_string();
    let mut words = vec![
        "armadillo".to_owned(),
        "replay".to_owned(),
        in_shell(&run),
        in_shell(test),
    ];
    match with {
        [] => words.push("--alone".to_owned()),
        with => words.extend(with.iter().map(|name| format!("--with {}", in_shell(name)))),
    }
    words.join(" ")
}
