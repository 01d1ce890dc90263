//! Topologies as constants: what a test's attribute names and its fixtures ask for.

use armadillo_orchestrator::links::{CLIENT_LINKS, LINKS};
use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::topology::{ANY_SHAPE, OfferedTopology};
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

/// What can be asked for by name.
pub(crate) const OFFERED: &[OfferedTopology] = &[
    OfferedTopology {
        name: "single",
        about: "an ArangoDB single server",
        topology: single().topology(),
        numbers: &[],
        words: &[ES256, TLS, CLIENT_LINKS],
    },
    OfferedTopology {
        name: "cluster",
        about: "an ArangoDB cluster: agents, dbservers, coordinators",
        topology: cluster().topology(),
        numbers: &[
            AGENTS,
            DBSERVERS,
            COORDINATORS,
            REPLICATION_FACTOR,
            SPARE_DBSERVERS,
            SPARE_COORDINATORS,
        ],
        words: &[ES256, TLS, LINKS, CLIENT_LINKS],
    },
];

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

    /// The same with tokens signed by ES256: the servers' key is a private key of the curve P-256. Without it they are HS256, with a
    /// key that all who verify know. Older servers do not know such keys.
    #[must_use]
    pub const fn es256(self) -> Self {
        Self(self.0.with_word(ES256))
    }

    /// The same with TLS: servers have certificates of an authority made for the run, for clients and for each other.
    #[must_use]
    pub const fn tls(self) -> Self {
        Self(self.0.with_word(TLS))
    }

    /// The same with a proxy between clients and each server, so that a test can cut, delay and reset the connections of clients.
    #[must_use]
    pub const fn client_links(self) -> Self {
        Self(self.0.with_word(CLIENT_LINKS))
    }

    /// The same with servers that start on a copy of existing data: a directory with one directory for each server, by its key
    /// (`single-1`), that holds what its `--database.directory` held. If the data has users, the file `secret` beside them is that
    /// of the deployment the data is from.
    ///
    /// # Panics
    /// At compile time, when the path is empty.
    #[must_use]
    pub const fn data(self, path: &'static str) -> Self {
        Self(self.0.with_data(path))
    }

    /// The same with another program than the run's: a file, `emulator`, or a version of it, `emulator@3.11.14`.
    #[must_use]
    pub const fn program(self, program: &'static str) -> Self {
        self.binary(program)
    }

    /// The same as [`Self::program`].
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

/// The number of dbservers that a test may add.
pub(crate) const SPARE_DBSERVERS: &str = "spare_dbservers";
/// The number of coordinators that a test may add.
pub(crate) const SPARE_COORDINATORS: &str = "spare_coordinators";

/// Whether the supervision acts soon, whatever the settings say.
pub(crate) const FAST_FAILOVER: &str = "fast_failover";

/// Whether tokens are signed with a pair of keys instead of a shared one.
pub(crate) const ES256: &str = "es256";

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
    /// The same with TLS: servers have certificates of an authority made for the run, for clients and for each other.
    #[must_use]
    pub const fn tls(self) -> Self {
        Self(self.0.with_word(TLS))
    }

    /// The same with a proxy between the servers, so that a test can cut, delay and hold what they send each other.
    #[must_use]
    pub const fn links(self) -> Self {
        Self(self.0.with_word(LINKS))
    }

    /// The same with a proxy between clients and each server, so that a test can cut, delay and reset the connections of clients.
    #[must_use]
    pub const fn client_links(self) -> Self {
        Self(self.0.with_word(CLIENT_LINKS))
    }

    /// The same with servers that start on a copy of existing data: a directory with one directory for each server, by its key
    /// (`agent-1`, `dbserver-1`, ...), that holds what its `--database.directory` held. If the data has users, the file `secret` beside them is that
    /// of the deployment the data is from.
    ///
    /// # Panics
    /// At compile time, when the path is empty.
    #[must_use]
    pub const fn data(self, path: &'static str) -> Self {
        Self(self.0.with_data(path))
    }

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

    /// The same with this many dbservers in reserve: they have ports and directories, but are not started and not part of the
    /// cluster until a test adds them.
    #[must_use]
    pub const fn spare_dbservers(self, count: u32) -> Self {
        Self(self.0.with(SPARE_DBSERVERS, count))
    }

    /// The same with this many coordinators in reserve.
    #[must_use]
    pub const fn spare_coordinators(self, count: u32) -> Self {
        Self(self.0.with(SPARE_COORDINATORS, count))
    }

    /// The same with a supervision that fails a silent server after 2.5 s instead of 10 s, as `--failover fast` does for all
    /// clusters. Use it for tests that wait for failovers.
    #[must_use]
    pub const fn fast_failover(self) -> Self {
        Self(self.0.with(FAST_FAILOVER, 1))
    }

    /// The same with tokens signed by ES256: the servers' key is a private key of the curve P-256. Without it they are HS256, with a
    /// key that all who verify know. Older servers do not know such keys.
    #[must_use]
    pub const fn es256(self) -> Self {
        Self(self.0.with_word(ES256))
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

    /// The same with another program than the run's for all servers: a file, `emulator`, or a version of it,
    /// `emulator@3.11.14`. Those of a role can have one of their own, said behind it.
    #[must_use]
    pub const fn program(self, program: &'static str) -> Self {
        self.agent_binary(program)
            .dbserver_binary(program)
            .coordinator_binary(program)
    }

    /// The same with agents that run another program than the run's, as in [`Self::program`]. With
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
