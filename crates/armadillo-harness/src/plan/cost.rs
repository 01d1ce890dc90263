//! What a deployment costs: memory, cores, and the time of its start and of its repair.

use super::{PlannedTopology, micros, servers_of};
use crate::history::History;
use crate::leases::Moment;
use crate::resources::Resources;

/// How long a start is thought to take for each server if no start of any of these deployments is known, in microseconds.
const UNKNOWN_START: Moment = 500_000;

/// What a deployment of one topology costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) takes: Resources,
    /// How long its start takes, in microseconds.
    pub(super) start: Moment,
    /// How long it takes to put it in order after a test had it alone.
    pub(super) repair: Moment,
}

/// What each costs: as recorded, or as others of this run took for each of their servers.
pub(super) fn costs(topologies: &[PlannedTopology], history: &History) -> Vec<Cost> {
    let recorded = |planned: &PlannedTopology| {
        let took = history.start(&planned.topology.to_string())?;
        Some((micros(took), u64::from(servers_of(&planned.topology))))
    };
    let known = topologies.iter().filter_map(recorded);
    let (took, servers) = known.fold((0, 0), |(took, servers), (more, of)| {
        (took + more, servers + of)
    });
    let for_each_server = match servers {
        0 => UNKNOWN_START,
        servers => took / servers,
    };
    let cost = |planned: &PlannedTopology| {
        let topology = &planned.topology;
        let guessed = for_each_server * u64::from(servers_of(topology));
        let system = armadillo_orchestrator::system(&topology.system);
        Cost {
            takes: system
                .map(|system| Resources::of_deployment(system, topology))
                .unwrap_or_default(),
            start: recorded(planned).map_or(guessed, |(took, _)| took),
            repair: history.repair(&topology.to_string()).map_or(0, micros),
        }
    };
    topologies.iter().map(cost).collect()
}
