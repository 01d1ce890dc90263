//! What a test's attribute says: `etcd(members = 3)`.

use armadillo_orchestrator::StaticTopology;

/// The name of the system, as topologies and settings spell it.
pub(crate) const SYSTEM: &str = "etcd";

/// The only shape: some members that elect a leader. One member is a cluster, too.
pub(crate) const SHAPE: &str = "cluster";

/// The number that says how many members there are.
pub(crate) const MEMBERS: &str = "members";

/// The role of every server.
pub(crate) const ROLE: &str = "member";

/// A builder of topologies, usable in constants.
#[derive(Clone, Copy, Debug)]
pub struct EtcdTopology(StaticTopology);

/// An etcd cluster. Its number of members, unless said, is that of `--etcd-members`, or 3.
#[must_use]
pub const fn etcd() -> EtcdTopology {
    EtcdTopology(StaticTopology::new(SYSTEM, SHAPE))
}

impl EtcdTopology {
    /// The same with this many members: 1, 3, 5, ...
    #[must_use]
    pub const fn members(self, count: u32) -> Self {
        Self(self.0.with(MEMBERS, count))
    }

    /// The same with an option of etcd's command line for every member, without its dashes:
    /// `option("quota-backend-bytes", "16777216")`.
    ///
    /// # Panics
    /// At compile time, when more than eight options are given.
    #[must_use]
    pub const fn option(self, name: &'static str, value: &'static str) -> Self {
        Self(self.0.with_option(name, value))
    }

    /// The topology.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}
