//! What a test needs, as a constant: its topology and its kind of lease.

use armadillo_orchestrator::topology::str_eq;
use armadillo_orchestrator::{StaticTopology, Topology};
use serde::{Deserialize, Serialize};

/// The kinds of lease: a test's right to use a deployment for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseMode {
    /// With other tests at the same time.
    Shared,
    /// Alone, once the others have left: for tests that kill or stop servers.
    Exclusive,
    /// On a new deployment that ends with the test.
    Fresh,
    /// The same, of which nothing runs before the test starts it.
    Unstarted,
}

impl LeaseMode {
    /// Whether the deployment is made for the test and ends with it.
    #[must_use]
    pub const fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh | Self::Unstarted)
    }
}

impl std::fmt::Display for LeaseMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Fresh => "fresh",
            Self::Unstarted => "unstarted",
        })
    }
}

/// One deployment a test needs, as planned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Need {
    /// The complete topology.
    pub topology: Topology,
    /// The kind of lease.
    pub mode: LeaseMode,
}

/// What a test needs. Built at compile time from the types of its arguments and its attribute.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The topology; `None` for a test that needs no deployment.
    pub topology: Option<StaticTopology>,
    /// The kind of lease; meaningless without a topology.
    pub lease: LeaseMode,
    /// Whether something among the fixtures acts on a deployment without naming one.
    pub acts: bool,
}

impl Needs {
    /// No deployment.
    pub const NOTHING: Self = Self {
        topology: None,
        lease: LeaseMode::Shared,
        acts: false,
    };

    /// Whatever deployment the other fixtures, the attribute or a marker name.
    pub const WHATEVER_THERE_IS: Self = Self {
        acts: true,
        ..Self::NOTHING
    };

    /// A shared lease on this topology.
    #[must_use]
    pub const fn of(topology: StaticTopology) -> Self {
        Self {
            topology: Some(topology),
            ..Self::NOTHING
        }
    }

    /// The same with another kind of lease.
    #[must_use]
    pub const fn lease(mut self, lease: LeaseMode) -> Self {
        self.lease = lease;
        self
    }

    /// Both at once: a test has one deployment, so the topologies must agree.
    ///
    /// # Errors
    /// When the two cannot be had together; why.
    pub const fn and(self, other: Self) -> Result<Self, &'static str> {
        let lease = match (self.lease, other.lease) {
            (LeaseMode::Fresh, LeaseMode::Exclusive) | (LeaseMode::Exclusive, LeaseMode::Fresh) => {
                return Err(
                    "a test has one deployment: it cannot be both Exclusive<_> and Fresh<_>",
                );
            }
            (LeaseMode::Unstarted, LeaseMode::Exclusive | LeaseMode::Fresh)
            | (LeaseMode::Exclusive | LeaseMode::Fresh, LeaseMode::Unstarted) => {
                return Err(
                    "a test has one deployment: it cannot be Unstarted<_> and also Exclusive<_> or Fresh<_>",
                );
            }
            (LeaseMode::Shared, lease) | (lease, _) => lease,
        };
        let topology = match (self.topology, other.topology) {
            (None, topology) | (topology, None) => topology,
            (Some(a), Some(b)) => {
                if !str_eq(a.system, b.system) {
                    return Err(
                        "a test has one deployment: its fixtures ask for two different systems",
                    );
                }
                if a.is_any() {
                    Some(b)
                } else if b.is_any() || a.same_kind(&b) {
                    Some(a)
                } else {
                    return Err(
                        "a test has one deployment: its fixtures ask for two different topologies",
                    );
                }
            }
        };
        Ok(Self {
            topology,
            lease,
            acts: self.acts || other.acts,
        })
    }

    /// The fixtures' needs with the topology named in the test's attribute.
    ///
    /// # Errors
    /// When no fixture uses or acts on a deployment, or when it is not that topology; why.
    pub const fn refine(mut self, topology: StaticTopology) -> Result<Self, &'static str> {
        match self.topology {
            None if self.acts => {}
            None => {
                return Err(
                    "the test names a topology, but none of its fixtures uses a deployment: take a handle on it, or an \
                     Orchestrator, as an argument",
                );
            }
            Some(fixtures) => {
                let same_system = str_eq(fixtures.system, topology.system);
                if !same_system || !(fixtures.is_any() || fixtures.same_kind(&topology)) {
                    return Err("the topology in the attribute is not the one its fixtures use");
                }
            }
        }
        self.topology = Some(topology);
        Ok(self)
    }

    /// The needs of a whole test. If it is `marked`, a marker may name what it acts on: which markers do is known when tests
    /// are collected.
    ///
    /// # Errors
    /// When something acts on a deployment and nothing names one.
    pub const fn of_test(self, marked: bool) -> Result<Self, &'static str> {
        if self.acts && self.topology.is_none() && !marked {
            return Err(
                "an Orchestrator acts on a deployment, but nothing names one: take a handle on it as another argument, or \
                 name a topology in the attribute",
            );
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_cannot_be_a_test_s_own_in_two_ways() {
        let own = [LeaseMode::Exclusive, LeaseMode::Fresh, LeaseMode::Unstarted];
        for one in own {
            let of = |lease| Needs::NOTHING.lease(lease);
            let shared = of(LeaseMode::Shared).and(of(one));
            assert_eq!(shared.map(|needs| needs.lease), Ok(one));
            for other in own {
                assert_eq!(of(one).and(of(other)).is_ok(), one == other);
            }
        }
    }
}
