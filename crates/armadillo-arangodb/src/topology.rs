//! Topologies as constants: what a test's attribute names and its fixtures ask for.

use armadillo_orchestrator::topology::ANY_SHAPE;
use armadillo_orchestrator::{StaticTopology, Topology};

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

    /// The topology described.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

/// The markers a test on this topology gets without saying so.
pub(crate) fn markers_of(topology: &Topology) -> Vec<&'static str> {
    match topology.shape.as_str() {
        SINGLE => vec!["arango_single"],
        CLUSTER => vec!["arango_cluster"],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: StaticTopology = single().option("log.level", "debug").topology();

    #[test]
    fn a_single_server_with_an_option_is_a_constant() {
        let topology = LOUD.to_topology();
        assert_eq!(topology.to_string(), "arangodb single(log.level=debug)");
        assert_eq!(markers_of(&topology), ["arango_single"]);
        assert!(ANY.is_any());
        assert!(markers_of(&ANY.to_topology()).is_empty());
    }
}
