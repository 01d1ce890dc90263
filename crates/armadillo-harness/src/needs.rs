//! What a test needs: deployments, each with its topology and its kind of lease.
//!
//! A fixture says what it needs as a constant, [`Needs`]. [`join`] finds out, at compile time, how many deployments the
//! arguments of one function need together and which argument uses which; [`Bindings`] is the answer.

mod binding;
mod fit;
mod join;
mod problem;
#[cfg(test)]
mod tests;

use armadillo_orchestrator::{StaticTopology, Topology};
use serde::{Deserialize, Serialize};

pub(crate) use binding::Binding;
#[doc(hidden)]
pub use binding::Bindings;
#[doc(hidden)]
pub use join::{Argument, Joined, join};
#[doc(hidden)]
pub use problem::Text;

/// The most deployments that one test can have.
pub(crate) const MOST: usize = 8;

/// The kinds of lease: a test's right to use a deployment for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

    pub(crate) const fn is(self, other: Self) -> bool {
        self as u8 == other as u8
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Need {
    /// The complete topology.
    pub topology: Topology,
    /// The kind of lease.
    pub mode: LeaseMode,
}

/// One deployment a test needs, as a constant.
#[derive(Clone, Copy, Debug)]
pub struct StaticNeed {
    /// The topology; `None` for whatever a marker names.
    pub topology: Option<StaticTopology>,
    /// The kind of lease.
    pub lease: LeaseMode,
}

/// One deployment that somebody asks for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    need: StaticNeed,
    /// Whether the one who asks is a handle, which names a deployment; everything else is content with any that fits.
    by_handle: bool,
    /// Whether its topology was said in an attribute: it is told apart from those of its kind.
    said: bool,
}

/// What a fixture or a test needs: a list of deployments, built at compile time.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    wanted: [Option<Wanted>; MOST],
    count: usize,
    bindings: Bindings,
}

impl Needs {
    /// No deployment.
    pub const NOTHING: Self = Self {
        wanted: [None; MOST],
        count: 0,
        bindings: Bindings::NONE,
    };

    /// Whatever deployment the other fixtures, the attribute or a marker name.
    pub const WHATEVER_THERE_IS: Self = Self::one(None);

    /// A shared lease on this topology.
    #[must_use]
    pub const fn of(topology: StaticTopology) -> Self {
        Self::one(Some(topology))
    }

    const fn one(topology: Option<StaticTopology>) -> Self {
        let mut needs = Self::NOTHING;
        needs.wanted[0] = Some(Wanted {
            need: StaticNeed {
                topology,
                lease: LeaseMode::Shared,
            },
            by_handle: true,
            said: false,
        });
        needs.count = 1;
        needs
    }

    /// The same with another kind of lease.
    #[must_use]
    pub const fn lease(mut self, lease: LeaseMode) -> Self {
        let mut i = 0;
        while i < self.count {
            if let Some(wanted) = &mut self.wanted[i] {
                wanted.need.lease = lease;
            }
            i += 1;
        }
        self
    }

    /// How many deployments there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// One of the deployments.
    #[must_use]
    pub const fn get(&self, index: usize) -> Option<StaticNeed> {
        if index >= self.count {
            return None;
        }
        match self.wanted[index] {
            Some(wanted) => Some(wanted.need),
            None => None,
        }
    }

    /// All deployments; `N` is [`Self::count`].
    ///
    /// # Panics
    /// When it is not, at compile time.
    #[must_use]
    pub const fn list<const N: usize>(&self) -> [StaticNeed; N] {
        assert!(N == self.count, "a list is as long as what it lists");
        let nothing = StaticNeed {
            topology: None,
            lease: LeaseMode::Shared,
        };
        let mut list = [nothing; N];
        let mut i = 0;
        while i < N {
            if let Some(need) = self.get(i) {
                list[i] = need;
            }
            i += 1;
        }
        list
    }

    /// Which of them each fixture uses that this one is made from.
    pub(crate) const fn bindings(&self) -> Bindings {
        self.bindings
    }

    /// Whether one of them is a deployment of a certain system.
    pub(crate) const fn name_a_system(&self) -> bool {
        let mut i = 0;
        while i < self.count {
            if let Some(StaticNeed {
                topology: Some(_), ..
            }) = self.get(i)
            {
                return true;
            }
            i += 1;
        }
        false
    }

    /// The needs with a topology named in the test's attribute: that of the one deployment it fits.
    ///
    /// # Errors
    /// When it fits none, several, or one whose topology is said already; why.
    pub const fn refine(mut self, topology: StaticTopology) -> Result<Self, &'static str> {
        if self.count == 0 {
            return Err(
                "the test names a topology, but none of its fixtures uses a deployment: add an argument with a \
                 handle on it, or with an Orchestrator",
            );
        }
        match self.only_that_fits(&topology) {
            Fitting::None => {
                Err("the topology in the attribute does not match the one of the fixtures")
            }
            Fitting::Said => Err("the topology of that deployment is already set"),
            Fitting::Several => Err(
                "the topology in the attribute matches several of the test's deployments: add `#[topology(..)]` to \
                 the argument it is meant for",
            ),
            Fitting::One(index) => {
                self.say(index, topology);
                Ok(self)
            }
        }
    }

    /// The needs of a whole test. If it is `marked`, a marker may name what it acts on: which markers do is known when tests
    /// are collected.
    ///
    /// # Errors
    /// When something acts on a deployment and nothing names one.
    pub const fn of_test(self, marked: bool) -> Result<Self, &'static str> {
        if self.count > 0 && !self.name_a_system() && !marked {
            return Err(
                "an Orchestrator needs a deployment, but nothing selects one: add an argument with a handle on it, or \
                 name a topology in the attribute",
            );
        }
        Ok(self)
    }

    /// The deployment that a topology said in an attribute can be that of.
    const fn only_that_fits(&self, topology: &StaticTopology) -> Fitting {
        let mut found = Fitting::None;
        let mut i = 0;
        while i < self.count {
            if let Some(wanted) = &self.wanted[i]
                && same_kind(&wanted.need.topology, &Some(*topology))
            {
                found = match found {
                    Fitting::None | Fitting::Said if !wanted.said => Fitting::One(i),
                    Fitting::None => Fitting::Said,
                    Fitting::One(_) if !wanted.said => Fitting::Several,
                    found => found,
                };
            }
            i += 1;
        }
        found
    }

    const fn say(&mut self, index: usize, topology: StaticTopology) {
        if let Some(wanted) = &mut self.wanted[index] {
            wanted.need.topology = Some(topology);
            wanted.said = true;
        }
    }
}

/// What a topology said in an attribute fits.
#[derive(Clone, Copy)]
enum Fitting {
    None,
    /// Only such as have theirs said already.
    Said,
    One(usize),
    Several,
}

/// Whether both can be one deployment as far as system and shape are concerned.
const fn same_kind(one: &Option<StaticTopology>, other: &Option<StaticTopology>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            armadillo_orchestrator::topology::str_eq(one.system, other.system)
                && (one.is_any() || other.is_any() || one.same_kind(other))
        }
        _ => true,
    }
}
