//! Which tests belong to which shard.

use std::collections::BTreeMap;
use std::time::Duration;

use armadillo_orchestrator::Topology;
use armadillo_orchestrator::random::seed_of;

use super::cost::costs;
use super::{PlannedTopology, UNKNOWN, micros};
use crate::collect::Test;
use crate::history::History;
use crate::needs::Need;
use crate::select::shard::{Group, ShardBy, distribute};

/// The part of each test, from 0. Without durations every test counts the same, and a start as much as its servers.
pub(crate) fn parts(
    tests: &[(&Test, Vec<Need>)],
    by: ShardBy,
    parts: usize,
    history: &History,
) -> Vec<usize> {
    match by {
        ShardBy::Count => (0..tests.len()).map(|at| at % parts).collect(),
        ShardBy::Hash => (tests.iter())
            .map(|(test, _)| usize::try_from(seed_of(0, &test.name) % parts as u64).unwrap_or(0))
            .collect(),
        ShardBy::Topology => by_topology(tests, parts, &History::default()),
        ShardBy::Duration => by_topology(tests, parts, history),
    }
}

fn by_topology(tests: &[(&Test, Vec<Need>)], parts: usize, history: &History) -> Vec<usize> {
    let took = |test: &Test| history.test(&test.def.id());
    let recorded: Vec<Duration> = tests.iter().filter_map(|(test, _)| took(test)).collect();
    let unknown = match u32::try_from(recorded.len()) {
        Ok(0) | Err(_) => UNKNOWN,
        Ok(count) => recorded.iter().sum::<Duration>() / count,
    };
    let starts = starts(tests, history);
    let start = |topology: &Topology| starts.get(topology).copied().unwrap_or(0);
    // The deployments that tests share, and the places of these tests.
    let mut groups: BTreeMap<Vec<&Topology>, (Group, Vec<usize>)> = BTreeMap::new();
    for (at, (test, needs)) in tests.iter().enumerate() {
        let shared = needs.iter().filter(|need| !need.mode.is_fresh());
        let mut shared: Vec<&Topology> = shared.map(|need| &need.topology).collect();
        shared.sort_unstable();
        let own = needs.iter().filter(|need| need.mode.is_fresh());
        let own: u64 = own.map(|need| start(&need.topology)).sum();
        let cost = micros(took(test).unwrap_or(unknown)) + own;
        let whole = shared.iter().map(|topology| start(topology)).sum();
        let (group, places) = groups.entry(shared).or_insert_with(|| {
            let group = Group {
                start: whole,
                tests: Vec::new(),
            };
            (group, Vec::new())
        });
        group.tests.push(cost);
        places.push(at);
    }
    let (groups, places): (Vec<Group>, Vec<Vec<usize>>) = groups.into_values().unzip();
    let mut of = vec![0; tests.len()];
    for (places, parts) in places.into_iter().zip(distribute(&groups, parts)) {
        for (place, part) in places.into_iter().zip(parts) {
            of[place] = part;
        }
    }
    of
}

/// What the start of each topology costs, in microseconds.
fn starts(tests: &[(&Test, Vec<Need>)], history: &History) -> BTreeMap<Topology, u64> {
    let mut topologies: Vec<&Topology> = (tests.iter())
        .flat_map(|(_, needs)| needs.iter().map(|need| &need.topology))
        .collect();
    topologies.sort_unstable();
    topologies.dedup();
    let planned: Vec<PlannedTopology> = (topologies.into_iter())
        .map(|topology| PlannedTopology {
            topology: topology.clone(),
            copies: 1,
            apart: 0,
        })
        .collect();
    let costs = costs(&planned, history);
    let each = planned.into_iter().zip(costs);
    each.map(|(planned, cost)| (planned.topology, cost.start))
        .collect()
}
