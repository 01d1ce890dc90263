//! A main function of one's own: our tests as trials of libtest-mimic, among others.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Trial};

use super::environment::{self, Main};
use super::{RunnerError, prepare, trials};
use crate::collect::Test;
use crate::main_entry::exit;
use crate::options::Isolation;
use crate::report::console;
use crate::select::Selected;
use crate::settings;

/// How deep the runs are nested; set by [`init`].
static DEPTH: OnceLock<u32> = OnceLock::new();

/// This process runs tests.
pub(crate) fn init(depth: u32) {
    super::environment::end_with_cargo();
    // Whoever calls it twice says the same twice.
    let _ = DEPTH.set(depth);
}

/// The tests of this executable as trials of libtest-mimic, for a main function of one's own.
///
/// Those that `arguments` select are planned; what they need starts now, and stops when the last of them has been run or
/// dropped. What libtest-mimic's command line does not know (markers, time limits, retries) is said in the environment and in
/// `armadillo.toml`.
///
/// When the run is interrupted or its time limit is reached, the process ends, with exit code 130 or 124. When something
/// that was said makes no sense, it ends with 2, as with a command line that makes none.
///
/// ```ignore
/// fn main() -> std::process::ExitCode {
///     armadillo::init();
///     let arguments = armadillo::libtest_mimic::Arguments::from_args();
///     let mut trials = armadillo::trials(&arguments);
///     trials.push(armadillo::libtest_mimic::Trial::test("mine", || Ok(())));
///     armadillo::libtest_mimic::run(&arguments, trials).exit_code()
/// }
/// ```
#[must_use]
pub fn trials(arguments: &Arguments) -> Vec<Trial> {
    prepared_trials(arguments).unwrap_or_else(|error| {
        console::error(&error);
        exit(error.exit().into())
    })
}

fn prepared_trials(arguments: &Arguments) -> Result<Vec<Trial>, RunnerError> {
    let depth = *DEPTH.get().ok_or(RunnerError::NoInit)?;
    let Some(mut options) = super::options(&[])? else {
        return Ok(Vec::new());
    };
    if !arguments.list {
        // Also if none of our tests is chosen; what is only to be said is said when the run starts.
        let surroundings = environment::surroundings(Isolation::None, Main::Theirs);
        settings::check(&options.said, &surroundings)?;
    }
    options.running.parallel = arguments.test_threads.and_then(std::num::NonZero::new);
    let named = arguments.filter.as_slice();
    let (selected, idle) = choose(
        arguments,
        super::select(&mut options, (arguments.exact, named))?,
    );
    let ignored: BTreeSet<String> = selected
        .ignored
        .iter()
        .map(|(test, _)| test.name.clone())
        .collect();
    // Asked for on libtest-mimic's command line.
    let asked_for = selected.ignored.into_iter().map(|(test, _)| test);
    let selected = Selected {
        run: selected.run.into_iter().chain(asked_for).collect(),
        ignored: Vec::new(),
        filtered_out: selected.filtered_out,
        shard: selected.shard,
        topology: selected.topology,
        script: None,
    };
    if selected.run.is_empty() {
        return Ok(idle);
    }
    let Some(prepared) = prepare::prepare(options, selected, depth, Main::Theirs)? else {
        return Ok(idle);
    };
    let (trials, _) = trials::trials(prepared, Main::Theirs)?;
    let flagged = trials.into_iter().map(|trial| {
        let is_ignored = ignored.contains(trial.name());
        trial.with_ignored_flag(is_ignored)
    });
    Ok(flagged.chain(idle).collect())
}

/// What of the selected tests libtest-mimic will run, and trials for the others: it shows, lists or counts them.
fn choose(arguments: &Arguments, selected: Selected) -> (Selected, Vec<Trial>) {
    let mut chosen = Selected {
        filtered_out: selected.filtered_out,
        shard: selected.shard,
        topology: selected.topology,
        ..Selected::default()
    };
    let mut idle = Vec::new();
    let mut runs = |test: &Test, ignored: bool| {
        let trial = Trial::test(test.name.clone(), || Ok(())).with_ignored_flag(ignored);
        let left_out = arguments.is_filtered_out(&trial) || arguments.is_ignored(&trial);
        if arguments.list || left_out {
            idle.push(trial);
            return false;
        }
        true
    };
    chosen.run = (selected.run.into_iter())
        .filter(|test| runs(test, false))
        .collect();
    chosen.ignored = (selected.ignored.into_iter())
        .filter(|(test, _)| runs(test, true))
        .collect();
    (chosen, idle)
}
