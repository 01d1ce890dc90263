//! Topologies as constants: what a test's attribute names and its fixtures ask for.

use armadillo_orchestrator::topology::ANY_SHAPE;
use armadillo_orchestrator::{StaticTopology, Topology};

use crate::attach;
use crate::role::Role;

/// The name of the system in topologies, paths and settings.
pub const SYSTEM: &str = "arangodb";

/// The shape of a single server.
pub(crate) const SINGLE: &str = "single";

/// The shape of a cluster.
pub(crate) const CLUSTER: &str = "cluster";

/// Any deployment of ArangoDB: what a fixture asks for that works on each of them.
pub const ANY: StaticTopology = StaticTopology::new(SYSTEM, ANY_SHAPE);

/// A single server. In a test's attribute: `single`, or `single(option("log.level", "debug"))`.
#[must_use]
pub const fn single() -> Single {
    Single(StaticTopology::new(SYSTEM, SINGLE))
}

/// A single server being described; see [`single`].
#[derive(Clone, Copy, Debug)]
pub struct Single(StaticTopology);

impl Single {
    /// The same with a start-up option added: its name without dashes (`log.level`), and its value. An option of one role
    /// may be written `single.log.level`.
    ///
    /// # Panics
    /// At compile time, when more than eight options are set.
    #[must_use]
    pub const fn option(self, name: &'static str, value: &'static str) -> Self {
        Self(self.0.with_option(name, value))
    }

    /// The same with another program than the run's: a file, or `emulator`.
    #[must_use]
    pub const fn binary(self, program: &'static str) -> Self {
        Self(self.0.with_binary(Role::Single.name(), program))
    }

    /// The topology described.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

/// The number of agents of a cluster.
pub(crate) const AGENTS: &str = "agents";
/// The number of its dbservers.
pub(crate) const DBSERVERS: &str = "dbservers";
/// The number of its coordinators.
pub(crate) const COORDINATORS: &str = "coordinators";
/// How many copies a shard has unless its collection says otherwise.
pub(crate) const REPLICATION_FACTOR: &str = "replication_factor";

/// Whether the supervision acts soon, whatever the settings say.
pub(crate) const FAST_FAILOVER: &str = "fast_failover";

/// A cluster. In a test's attribute: `cluster`, `cluster(dbservers = 5)`, `cluster(minimal)`. Unless said here or on the
/// command line it has 3 agents, 3 dbservers and 1 coordinator, and shards have 2 copies.
#[must_use]
pub const fn cluster() -> Cluster {
    Cluster(StaticTopology::new(SYSTEM, CLUSTER))
}

/// A cluster being described; see [`cluster`].
#[derive(Clone, Copy, Debug)]
pub struct Cluster(StaticTopology);

impl Cluster {
    /// The same with this many agents: 1, 3, 5, ...
    #[must_use]
    pub const fn agents(self, count: u32) -> Self {
        Self(self.0.with(AGENTS, count))
    }

    /// The same with this many dbservers.
    #[must_use]
    pub const fn dbservers(self, count: u32) -> Self {
        Self(self.0.with(DBSERVERS, count))
    }

    /// The same with this many coordinators.
    #[must_use]
    pub const fn coordinators(self, count: u32) -> Self {
        Self(self.0.with(COORDINATORS, count))
    }

    /// The same with this many copies of each shard, for collections that do not say.
    #[must_use]
    pub const fn replication_factor(self, copies: u32) -> Self {
        Self(self.0.with(REPLICATION_FACTOR, copies))
    }

    /// The same with a supervision that fails a silent server after 2.5 s instead of 10 s, as `--failover fast` does for all
    /// clusters. Use it for tests that wait for failovers.
    #[must_use]
    pub const fn fast_failover(self) -> Self {
        Self(self.0.with(FAST_FAILOVER, 1))
    }

    /// One server of each role, and one copy of everything, unless another number is said, before or after: the smallest
    /// cluster, and the fastest to start.
    #[must_use]
    pub const fn minimal(self) -> Self {
        Self(
            self.0
                .with_unless_said(AGENTS, 1)
                .with_unless_said(DBSERVERS, 1)
                .with_unless_said(COORDINATORS, 1)
                .with_unless_said(REPLICATION_FACTOR, 1),
        )
    }

    /// The same with a start-up option added, for every role that has it or, written `dbserver.log.level`, for one; see
    /// [`Single::option`].
    ///
    /// # Panics
    /// At compile time, when more than eight options are set.
    #[must_use]
    pub const fn option(self, name: &'static str, value: &'static str) -> Self {
        Self(self.0.with_option(name, value))
    }

    /// The same with agents that run another program than the run's: a file, or `emulator`. With
    /// [`Self::dbserver_binary`] and [`Self::coordinator_binary`] it makes a cluster of several versions, as there is one
    /// during an upgrade.
    #[must_use]
    pub const fn agent_binary(self, program: &'static str) -> Self {
        Self(self.0.with_binary(Role::Agent.name(), program))
    }

    /// The same with dbservers that run this program.
    #[must_use]
    pub const fn dbserver_binary(self, program: &'static str) -> Self {
        Self(self.0.with_binary(Role::DbServer.name(), program))
    }

    /// The same with coordinators that run this program.
    #[must_use]
    pub const fn coordinator_binary(self, program: &'static str) -> Self {
        Self(self.0.with_binary(Role::Coordinator.name(), program))
    }

    /// The topology described.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

/// The shape that a marker gives to a test on any deployment.
pub(crate) fn shape_of_marker(marker: &str) -> Option<&'static str> {
    match marker {
        "arango_single" => Some(SINGLE),
        "arango_cluster" => Some(CLUSTER),
        _ => None,
    }
}

/// The markers a test on this topology gets without saying so.
pub(crate) fn markers_of(topology: &Topology) -> Vec<&'static str> {
    match topology.shape.as_str() {
        SINGLE => vec!["arango_single"],
        CLUSTER | attach::SHAPE => vec!["arango_cluster"],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: StaticTopology = single().option("log.level", "debug").topology();

    #[test]
    fn the_smallest_cluster_says_every_number_that_is_not_said_in_any_order() {
        const SMALL: StaticTopology = cluster().minimal().dbservers(2).topology();
        const TURNED: StaticTopology = cluster().dbservers(2).minimal().topology();
        assert_eq!(TURNED.to_topology(), SMALL.to_topology());
        assert_eq!(
            SMALL.to_topology().to_string(),
            "arangodb cluster(agents = 1, coordinators = 1, dbservers = 2, replication_factor = 1)"
        );
    }

    #[test]
    fn a_single_server_with_an_option_is_a_constant() {
        let topology = LOUD.to_topology();
        assert_eq!(topology.to_string(), "arangodb single(log.level=debug)");
        assert_eq!(markers_of(&topology), ["arango_single"]);
        assert!(ANY.is_any());
        for shape in [SINGLE, CLUSTER] {
            let topology = StaticTopology::new(SYSTEM, shape).to_topology();
            let markers = markers_of(&topology);
            assert_eq!(shape_of_marker(markers[0]), Some(shape));
        }
        assert_eq!(shape_of_marker("slow"), None);
        assert!(markers_of(&ANY.to_topology()).is_empty());
    }
}
