//! Parts that each ran the tests of one topology (`--topology`): whether they are all there, and how their tests are named.

use std::collections::{BTreeMap, BTreeSet};

use super::{MergeError, ShardEvents, started, started_mut};
use crate::event::{EventKind, RunStarted, TestOrigin};

/// Whether a part ran the tests of one topology.
pub(super) fn is_one(part: &ShardEvents) -> bool {
    started(part).is_some_and(|run| run.topology.is_some())
}

/// The parts by their topology, if each is there once. Every executable knows the topologies of all of its tests, so those of
/// all parts together are all.
pub(super) fn in_order(parts: Vec<ShardEvents>) -> Result<Vec<ShardEvents>, MergeError> {
    let mut known: BTreeMap<String, ShardEvents> = BTreeMap::new();
    let mut all = BTreeSet::new();
    for part in parts {
        let run = started(&part);
        let of = run.and_then(|run| Some((run.topology.clone()?, run.shard.is_some())));
        let name = part.name.clone();
        let topology = match of {
            None => return Err(MergeError::NoTopology { name }),
            Some((_, true)) => return Err(MergeError::Both { name }),
            Some((of, false)) => {
                all.extend(of.all);
                of.topology
            }
        };
        if let Some(other) = known.get(&topology) {
            return Err(MergeError::TopologyTwice {
                topology,
                name,
                other_name: other.name.clone(),
            });
        }
        known.insert(topology, part);
    }
    let missing: Vec<&str> = (all.iter())
        .filter(|topology| !known.contains_key(*topology))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Err(MergeError::TopologyMissing {
            of: all.len(),
            many: missing.len() > 1,
            missing: missing.join("`, `"),
        });
    }
    let mut parts: Vec<ShardEvents> = known.into_values().collect();
    name_by_executable(&mut parts);
    Ok(parts)
}

/// Gives tests the names of their executables, too, if there are several: not every executable has tests of every topology.
fn name_by_executable(parts: &mut [ShardEvents]) {
    let executables: BTreeSet<(String, String)> = (parts.iter())
        .filter_map(|part| started(part).map(|run| (run.package.clone(), run.binary.clone())))
        .collect();
    if executables.len() < 2 {
        return;
    }
    for part in parts {
        let Some(run) = started_mut(part) else {
            continue;
        };
        if run.binary.is_empty() {
            continue;
        }
        let prefix = format!("{}$", run.executable());
        name_planned(run, &prefix);
        for event in &mut part.events {
            name_event(&mut event.kind, &prefix);
        }
    }
}

/// The tests of a run, each of which remembers its executable.
fn name_planned(run: &mut RunStarted, prefix: &str) {
    let (package, binary) = (run.package.clone(), run.binary.clone());
    for test in &mut run.tests {
        let own = test.test.clone();
        test.test.insert_str(0, prefix);
        test.origin.get_or_insert_with(|| {
            Box::new(TestOrigin {
                package: package.clone(),
                binary: binary.clone(),
                test: own,
                seed: run.seed,
                args: run.args.clone(),
            })
        });
    }
    run.package.clear();
    run.binary.clear();
}

fn name_event(kind: &mut EventKind, prefix: &str) {
    match kind {
        EventKind::TestIgnored { test, .. }
        | EventKind::TestStarted { test, .. }
        | EventKind::TestSlow { test, .. }
        | EventKind::TestPutBack { test, .. }
        | EventKind::LeaseGranted { test, .. } => test.insert_str(0, prefix),
        EventKind::TestFinished(finished) => finished.test.insert_str(0, prefix),
        EventKind::Repeated { tests } => {
            let named = std::mem::take(tests).into_iter();
            *tests = named
                .map(|(test, counts)| (format!("{prefix}{test}"), counts))
                .collect();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{Event, TopologyOf};
    use crate::report::merge::merge;
    use crate::report::sample;

    use super::*;

    const ALL: [&str; 2] = ["none", "tally"];

    fn part(topology: &str, binary: &str) -> ShardEvents {
        let mut part = ShardEvents {
            name: format!("part-{topology}"),
            events: sample::run(),
        };
        if let Some(run) = started_mut(&mut part) {
            binary.clone_into(&mut run.binary);
            run.topology = Some(Box::new(TopologyOf {
                topology: topology.to_owned(),
                all: ALL.map(str::to_owned).into(),
            }));
        }
        part
    }

    fn refused(parts: Vec<ShardEvents>) -> String {
        let merged = merge(parts).map(|events| events.len());
        merged.unwrap_err().to_string()
    }

    #[test]
    fn every_topology_is_there_once() {
        let (none, tally) = (|| part("none", "suite"), || part("tally", "suite"));
        assert!(merge(vec![none(), tally()]).is_ok());
        let expected = "of 2 topologies, `tally` is missing: its tests may not have run";
        assert_eq!(refused(vec![none()]), expected);
        let expected = "the topology `none` ran twice: part-none and part-none";
        assert_eq!(refused(vec![none(), tally(), none()]), expected);
        let whole = ShardEvents {
            name: "whole".to_owned(),
            events: sample::run(),
        };
        assert!(refused(vec![none(), whole]).starts_with("whole ran without --topology"));
    }

    #[test]
    fn tests_of_several_executables_are_told_apart() {
        let planned = |events: &[Event]| -> (String, Vec<String>) {
            let EventKind::RunStarted(run) = &events[0].kind else {
                panic!("{:?}", events[0]);
            };
            let names = run.tests.iter().map(|test| test.test.clone());
            (run.binary.clone(), names.collect())
        };
        let one = merge(vec![part("none", "suite"), part("tally", "suite")]).unwrap();
        let two = merge(vec![part("none", "suite"), part("tally", "other")]).unwrap();
        let (binary, names) = planned(&one);
        assert!(binary == "suite" && names.iter().all(|name| !name.contains('$')));
        let (binary, names) = planned(&two);
        assert_eq!(binary, "");
        for executable in ["::suite$", "::other$"] {
            assert!(
                names.iter().any(|name| name.contains(executable)),
                "{names:?}"
            );
        }
        let finished = two.iter().filter_map(|event| match &event.kind {
            EventKind::TestFinished(finished) => Some(&finished.test),
            _ => None,
        });
        assert!(finished.into_iter().all(|test| names.contains(test)));
    }
}
