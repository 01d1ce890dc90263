//! One run from its parts, which are shards or ran one topology each: their events on one clock, so that every report of the whole is
//! made as that of a part.

mod topologies;

use std::collections::BTreeMap;

use crate::event::{Event, EventKind, RunStarted, VERSION};
use crate::exit_code::Exit;

/// Why parts of a run cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// One of them is a whole run.
    #[error("{name} is not a shard of a run: it was started without --shard")]
    NoShard {
        /// Where it is from.
        name: String,
    },
    /// They are of different executables.
    #[error("{name} is a run of {of}, and {other_name} one of {other}")]
    Executable {
        /// Where it is from.
        name: String,
        /// Its executable.
        of: String,
        /// Where the first is from.
        other_name: String,
        /// The executable of the first.
        other: String,
    },
    /// Tests were distributed in different ways.
    #[error(
        "{name} (shard {of}) does not fit {other_name} (shard {other}): tests were distributed in different ways\n\
         help: all shards need the same selection, the same N and, with `duration:`, the same history file"
    )]
    Plan {
        /// Where it is from.
        name: String,
        /// Which one it is.
        of: String,
        /// Where the first is from.
        other_name: String,
        /// Which one the first is.
        other: String,
    },
    /// One of them is there twice.
    #[error("shard {number} of {of} ran twice: {name} and {other_name}")]
    Twice {
        /// Its number.
        number: u32,
        /// How many there are.
        of: u32,
        /// Where one is from.
        name: String,
        /// Where the other is from.
        other_name: String,
    },
    /// One of them is not of a single topology, as others are.
    #[error("{name} ran without --topology: a report is made of all topologies, or of all shards")]
    NoTopology {
        /// Where it is from.
        name: String,
    },
    /// One of them is a part of a part.
    #[error(
        "{name} is a shard of the tests of one topology: every job must run all tests of its topology"
    )]
    Both {
        /// Where it is from.
        name: String,
    },
    /// A topology is there twice.
    #[error("the topology `{topology}` ran twice: {name} and {other_name}")]
    TopologyTwice {
        /// The topology.
        topology: String,
        /// Where one is from.
        name: String,
        /// Where the other is from.
        other_name: String,
    },
    /// Some topologies are not there.
    #[error(
        "of {of} topologies, `{missing}` {}: {} tests may not have run",
        if *.many { "are missing" } else { "is missing" },
        if *.many { "their" } else { "its" }
    )]
    TopologyMissing {
        /// How many there are.
        of: usize,
        /// Those that are missing.
        missing: String,
        /// Whether there are several.
        many: bool,
    },
    /// Some are not there.
    #[error("of {of} shards, {missing} {} missing: their tests may not have run", if *.many { "are" } else { "is" })]
    Missing {
        /// How many there are.
        of: u32,
        /// The numbers of those that are missing.
        missing: String,
        /// Whether there are several.
        many: bool,
    },
}

/// The events of one part, in the order of time.
pub struct ShardEvents {
    /// Where they are from, for messages.
    pub name: String,
    /// The events; the first is the start of the run.
    pub events: Vec<Event>,
}

/// The events of the whole.
///
/// # Errors
/// When the parts are not all of one run, or not exactly all of it.
pub fn merge(shards: Vec<ShardEvents>) -> Result<Vec<Event>, MergeError> {
    let shards = match shards.iter().any(topologies::is_one) {
        true => topologies::in_order(shards)?,
        false => in_order(shards)?,
    };
    let starts: Vec<&RunStarted> = shards.iter().filter_map(started).collect();
    let Some((first, others)) = starts.split_first() else {
        return Ok(Vec::new());
    };
    let run = whole_run(&shards, first, others);
    let began = run.unix_time;
    let mut whole = vec![Event {
        v: VERSION,
        us: 0,
        kind: EventKind::RunStarted(run),
    }];
    whole.extend(differing_seeds(&starts));
    let mut endings = Vec::new();
    let mut workers = 0;
    let offsets: Vec<(u64, u32)> = (starts.iter())
        .map(|start| {
            let later = start.unix_time.saturating_sub(began);
            let offset = (later.saturating_mul(1_000_000), workers);
            workers += start.workers;
            offset
        })
        .collect();
    let count = shards.len();
    for (shard, (later_us, workers)) in shards.into_iter().zip(offsets) {
        for mut event in shard.events {
            event.us = event.us.saturating_add(later_us);
            match &mut event.kind {
                EventKind::RunStarted(_) => continue,
                EventKind::RunFinished {
                    exit_code,
                    ended_early,
                } => {
                    endings.push((event.us, *exit_code, ended_early.take()));
                    continue;
                }
                EventKind::TestStarted {
                    worker: Some(worker),
                    ..
                }
                | EventKind::WorkerStarted { worker, .. }
                | EventKind::WorkerEnded { worker, .. } => *worker += workers,
                EventKind::TestFinished(finished) => {
                    finished.worker = finished.worker.map(|worker| worker + workers);
                }
                _ => {}
            }
            whole.push(event);
        }
    }
    whole.sort_by_key(|event| event.us);
    // If one of them never ended, neither did the whole.
    if endings.len() == count {
        whole.extend(ending(&endings));
    }
    Ok(whole)
}

/// What to say if each shard had a seed of its own: the command lines that run failed tests again have that of the first.
fn differing_seeds(starts: &[&RunStarted]) -> Option<Event> {
    let seed = starts.first()?.seed;
    let text = "the parts had different seeds: a command line that runs a failed test again has the seed of the first \
                part; give all of them the same --seed"
        .to_owned();
    let differ = starts.iter().any(|start| start.seed != seed);
    differ.then_some(Event {
        v: VERSION,
        us: 0,
        kind: EventKind::Warning { text },
    })
}

/// The strongest of the exit codes; the first reason to end early.
fn ending(endings: &[(u64, u8, Option<String>)]) -> Option<Event> {
    let us = endings.iter().map(|(us, ..)| *us).max()?;
    let rank = |code: u8| {
        let mut known = Exit::BY_PRECEDENCE.iter();
        known.position(|exit| exit.code() == code)
    };
    let (_, exit_code, _) = endings.iter().min_by_key(|(_, code, _)| rank(*code))?;
    Some(Event {
        v: VERSION,
        us,
        kind: EventKind::RunFinished {
            exit_code: *exit_code,
            ended_early: endings.iter().find_map(|(.., early)| early.clone()),
        },
    })
}

fn started(shard: &ShardEvents) -> Option<&RunStarted> {
    shard.events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted(started) => Some(started),
        _ => None,
    })
}

fn started_mut(shard: &mut ShardEvents) -> Option<&mut RunStarted> {
    let mut events = shard.events.iter_mut();
    events.find_map(|event| match &mut event.kind {
        EventKind::RunStarted(started) => Some(started),
        _ => None,
    })
}

/// The shards from 1 to the last, if they are all of one run.
fn in_order(shards: Vec<ShardEvents>) -> Result<Vec<ShardEvents>, MergeError> {
    let mut by_number: BTreeMap<u32, ShardEvents> = BTreeMap::new();
    let mut first: Option<(String, RunStarted)> = None;
    for shard in shards {
        let name = shard.name.clone();
        let no_shard = || MergeError::NoShard { name: name.clone() };
        let run = started(&shard).ok_or_else(no_shard)?.clone();
        let part = run.shard.clone().ok_or_else(no_shard)?;
        if let Some((other_name, other)) = &first {
            let executable = |run: &RunStarted| format!("{}::{}", run.package, run.binary);
            let is_empty = run.binary.is_empty() || other.binary.is_empty();
            if !is_empty && executable(&run) != executable(other) {
                return Err(MergeError::Executable {
                    name,
                    of: executable(&run),
                    other_name: other_name.clone(),
                    other: executable(other),
                });
            }
            let text = |run: &RunStarted| {
                let part = run.shard.as_ref();
                part.map_or_else(String::new, |part| format!("{}/{}", part.number, part.of))
            };
            let plan = |run: &RunStarted| run.shard.as_ref().map(|part| part.plan.clone());
            if plan(&run) != plan(other) {
                return Err(MergeError::Plan {
                    name,
                    of: text(&run),
                    other_name: other_name.clone(),
                    other: text(other),
                });
            }
        }
        if let Some(other) = by_number.get(&part.number) {
            return Err(MergeError::Twice {
                number: part.number,
                of: part.of,
                name,
                other_name: other.name.clone(),
            });
        }
        by_number.insert(part.number, shard);
        // A shard without tests does not know its executable.
        if first.as_ref().is_none_or(|(_, run)| run.binary.is_empty()) {
            first = Some((name, run));
        }
    }
    let of = first
        .and_then(|(_, run)| run.shard)
        .map_or(0, |part| part.of);
    let missing: Vec<String> = (1..=of)
        .filter(|number| !by_number.contains_key(number))
        .map(|number| number.to_string())
        .collect();
    if missing.is_empty() {
        return Ok(by_number.into_values().collect());
    }
    Err(MergeError::Missing {
        of,
        many: missing.len() > 1,
        missing: missing.join(", "),
    })
}

/// What all of them together were about to do.
fn whole_run(shards: &[ShardEvents], first: &RunStarted, others: &[&RunStarted]) -> RunStarted {
    let mut whole = first.clone();
    // Each shard counts the tests of all others as filtered out.
    let selected = |events: &[Event]| {
        let each = events.iter().map(|event| match &event.kind {
            // Repetitions of a test are tests of a run, and were one when tests were distributed.
            EventKind::RunStarted(started) => {
                let tests = started.tests.iter();
                tests.filter(|test| !test.test.contains('#')).count()
            }
            EventKind::TestIgnored { .. } => 1,
            _ => 0,
        });
        u32::try_from(each.sum::<usize>()).unwrap_or(u32::MAX)
    };
    let elsewhere = shards.iter().skip(1).map(|shard| selected(&shard.events));
    whole.filtered_out = whole.filtered_out.saturating_sub(elsewhere.sum());
    for start in others {
        whole.unix_time = whole.unix_time.min(start.unix_time);
        whole.workers += start.workers;
        whole.tests.extend(start.tests.iter().cloned());
        for (system, program) in &start.programs {
            whole
                .programs
                .entry(system.clone())
                .or_insert_with(|| program.clone());
        }
        if whole.binary.is_empty() {
            whole.binary.clone_from(&start.binary);
            whole.package.clone_from(&start.package);
        }
    }
    whole.directory = None;
    whole.shard = None;
    whole.topology = None;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ShardOf;
    use crate::report::sample;

    fn shard(number: u32, of: u32, plan: &str, later: u64) -> ShardEvents {
        let mut events = sample::run();
        for event in &mut events {
            if let EventKind::RunStarted(started) = &mut event.kind {
                started.unix_time += later;
                started.shard = Some(ShardOf {
                    number,
                    of,
                    by: "topology".to_owned(),
                    tests: 10,
                    plan: plan.to_owned(),
                });
            }
        }
        ShardEvents {
            name: format!("part-{number}"),
            events,
        }
    }

    fn refused(shards: Vec<ShardEvents>) -> String {
        merge(shards)
            .map(|events| events.len())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn all_of_one_run_and_each_once() {
        let two = |plan| vec![shard(1, 2, "a", 0), shard(2, 2, plan, 0)];
        assert!(merge(two("a")).is_ok());
        assert!(
            refused(two("b")).starts_with("part-2 (shard 2/2) does not fit part-1 (shard 1/2)")
        );
        let twice = vec![shard(1, 2, "a", 0), shard(1, 2, "a", 0)];
        assert_eq!(refused(twice), "shard 1 of 2 ran twice: part-1 and part-1");
        let missing = vec![shard(2, 4, "a", 0), shard(4, 4, "a", 0)];
        assert_eq!(
            refused(missing),
            "of 4 shards, 1, 3 are missing: their tests may not have run"
        );
        let whole = ShardEvents {
            name: "whole".to_owned(),
            events: sample::run(),
        };
        assert!(refused(vec![whole]).starts_with("whole is not a shard"));
    }

    #[test]
    fn events_are_on_one_clock_and_workers_are_told_apart() {
        let (one, two) = (shard(1, 2, "a", 5), shard(2, 2, "a", 0));
        let workers = started(&one).map_or(0, |run| run.workers);
        let tests = started(&one).map_or(0, |run| run.tests.len());
        let begun = |events: &[Event]| {
            let each = events.iter().filter_map(|event| match &event.kind {
                EventKind::TestStarted { worker, .. } => Some((event.us, *worker)),
                _ => None,
            });
            each.collect::<Vec<_>>()
        };
        let alone = begun(&one.events);
        let whole = merge(vec![two, one]).unwrap();
        assert!(whole.is_sorted_by_key(|event| event.us));
        let EventKind::RunStarted(run) = &whole[0].kind else {
            panic!("it begins with {:?}", whole[0]);
        };
        assert_eq!((run.tests.len(), run.workers), (2 * tests, 2 * workers));
        assert!(run.shard.is_none());
        let together = begun(&whole);
        for (us, worker) in alone {
            assert!(together.contains(&(us + 5_000_000, worker)));
            assert!(together.contains(&(us, worker.map(|worker| worker + workers))));
        }
        let last = whole.last().map(|event| &event.kind);
        assert!(
            matches!(last, Some(EventKind::RunFinished { .. })),
            "{last:?}"
        );
    }
}
