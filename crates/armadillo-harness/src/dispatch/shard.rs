//! The shard of a run: which of the selected tests this machine runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::random::seed_of;

use super::{RunnerError, environment, prepare, run_directory};
use crate::collect::Test;
use crate::event::ShardOf;
use crate::history::{self, History};
use crate::options::Options;
use crate::plan;
use crate::select::Selected;
use crate::select::shard::{Part, Shard, ShardBy};

/// The variables by which a CI job says which of how many it is: its number, how many there are, and the number of the first.
const JOBS: [(&str, &str, u32); 4] = [
    ("TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", 0),
    ("CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
    ("CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
    ("BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
];

/// A file that Bazel wants to see touched by whoever knows shards.
const STATUS_FILE: &str = "TEST_SHARD_STATUS_FILE";

/// Why it cannot be said which tests belong to a shard.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShardError {
    #[error(
        "--shard auto: the environment does not say which shard this is\n\
         help: set {} (from {first}) and {}, or write --shard I/N",
        JOBS[0].0,
        JOBS[0].1,
        first = JOBS[0].2
    )]
    NoJob,
    #[error(
        "--shard auto: {number_name}={number} and {of_name}={of} do not name one of several jobs"
    )]
    Job {
        number_name: &'static str,
        number: String,
        of_name: &'static str,
        of: String,
    },
    #[error(
        "--shard duration: {} has no durations of tests\n\
         help: give every machine the same file (--history FILE), or use --shard I/N, which needs none",
        .0.display()
    )]
    NoHistory(PathBuf),
}

/// Leaves only the tests of this shard. Each test, ignored ones too, belongs to exactly one.
pub(super) fn cut(selected: Selected, options: &Options) -> Result<Selected, RunnerError> {
    // nextest lists all tests, and runs each alone by its name.
    let said = options
        .selection
        .shard
        .filter(|_| !environment::is_nextest());
    let Some(shard) = said else {
        return Ok(selected);
    };
    let part = match shard.part {
        Some(part) => part,
        None => part_of_job(&|name| std::env::var(name).ok())?,
    };
    let of = parts(&selected.run, shard, part, options)?;
    let (number, count) = (place(part.number.get()) - 1, place(part.of.get()));
    let plan = of.iter().zip(&selected.run);
    let plan = plan.fold(u64::from(part.of.get()), |plan, (of, test)| {
        seed_of(plan.wrapping_add(*of as u64), &test.name)
    });
    let all = selected.run.len();
    let mut of = of.into_iter();
    let run: Vec<Test> = (selected.run.into_iter())
        .filter(|_| of.next() == Some(number))
        .collect();
    let ignored = selected.ignored.len();
    let mut turn = (0..count).cycle();
    let ignored_here: Vec<(Test, String)> = (selected.ignored.into_iter())
        .filter(|_| turn.next() == Some(number))
        .collect();
    let elsewhere = all - run.len() + ignored - ignored_here.len();
    let elsewhere = u32::try_from(elsewhere).unwrap_or(u32::MAX);
    Ok(Selected {
        run,
        ignored: ignored_here,
        filtered_out: selected.filtered_out.saturating_add(elsewhere),
        shard: Some(ShardOf {
            number: part.number.get(),
            of: part.of.get(),
            by: shard.by.name().to_owned(),
            tests: u32::try_from(all).unwrap_or(u32::MAX),
            plan: format!("{plan:016x}"),
        }),
        topology: selected.topology,
        script: selected.script,
    })
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The part of each test, from 0.
fn parts(
    tests: &[Test],
    shard: Shard,
    part: Part,
    options: &Options,
) -> Result<Vec<usize>, RunnerError> {
    let needing = tests.iter().map(|test| {
        let needs = plan::needs_of(test, &options.settings)?;
        Ok((test, needs))
    });
    let needing: Vec<(&Test, Vec<_>)> = needing.collect::<Result<_, RunnerError>>()?;
    let history = match shard.by {
        ShardBy::Duration => durations(tests, options)?,
        _ => History::default(),
    };
    let of = place(part.of.get());
    Ok(plan::shards::parts(&needing, shard.by, of, &history))
}

/// The durations of earlier runs; an error if there is not one of any of these tests.
fn durations(tests: &[Test], options: &Options) -> Result<History, RunnerError> {
    let parent = run_directory::parent(options.running.output_directory.as_deref());
    let file = run_directory::history_file(options, &prepare::absolute(parent)?)?;
    let asked: BTreeSet<String> = tests.iter().map(|test| test.def.id()).collect();
    let found = history::read(&file, &|test| asked.contains(test));
    if let Some(problem) = found.problem {
        crate::report::console::warning(problem);
    }
    // What the executables before this one have found out, no other machine knows.
    let history = match run_directory::whole_run() {
        Some(whole) => found.history.without(&whole),
        None => found.history,
    };
    let known = tests
        .iter()
        .any(|test| history.test(&test.def.id()).is_some());
    if !known && !tests.is_empty() {
        return Err(ShardError::NoHistory(file).into());
    }
    Ok(history)
}

/// Which of how many jobs the environment says this is.
fn part_of_job(variable: &dyn Fn(&str) -> Option<String>) -> Result<Part, ShardError> {
    let said = JOBS.iter().find_map(|(number, of, first)| {
        let values = variable(number).zip(variable(of))?;
        Some((*number, *of, *first, values))
    });
    let Some((number_name, of_name, first, (number, of))) = said else {
        return Err(ShardError::NoJob);
    };
    if let Some(file) = variable(STATUS_FILE).filter(|_| number_name == JOBS[0].0) {
        // Bazel fails the test without it, and says so better than this could.
        let _ = std::fs::File::create(Path::new(&file));
    }
    let read = |text: &str| text.trim().parse::<u32>().ok();
    let part = read(&number)
        .and_then(|number| number.checked_add(1)?.checked_sub(first))
        .zip(read(&of))
        .and_then(|(number, of)| Part::new(number, of));
    part.ok_or(ShardError::Job {
        number_name,
        number,
        of_name,
        of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let part = part_of_job(&variable);
        part.map(|part| part.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn jobs_are_numbered_as_their_systems_number_them() {
        let bazel = [("TEST_SHARD_INDEX", "0"), ("TEST_TOTAL_SHARDS", "3")];
        assert_eq!(part(&bazel), Ok("1/3".to_owned()));
        let gitlab = [("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "3")];
        assert_eq!(part(&gitlab), Ok("3/3".to_owned()));
        let circle = [("CIRCLE_NODE_INDEX", "1"), ("CIRCLE_NODE_TOTAL", "3")];
        assert_eq!(part(&circle), Ok("2/3".to_owned()));
        for wrong in [("0", "3"), ("4", "3"), ("one", "3"), ("1", "0")] {
            let gitlab = [("CI_NODE_INDEX", wrong.0), ("CI_NODE_TOTAL", wrong.1)];
            let said = part(&gitlab).unwrap_err();
            assert!(
                said.contains("CI_NODE_INDEX=") && said.contains("CI_NODE_TOTAL="),
                "{said}"
            );
        }
        assert!(part(&[("CI_NODE_INDEX", "1")]).is_err());
        let names: BTreeSet<&str> = JOBS
            .iter()
            .flat_map(|(number, of, _)| [*number, *of])
            .collect();
        assert_eq!(names.len(), 2 * JOBS.len());
    }
}
