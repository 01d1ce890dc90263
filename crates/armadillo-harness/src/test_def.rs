//! One registered test, as `#[armadillo::test]` submits it.

use std::time::Duration;

use armadillo_orchestrator::topology::ANY_SHAPE;
use armadillo_orchestrator::{StaticTopology, System, Topology};

use crate::checking::CheckPolicy;
use crate::fixture::Run;
use crate::needs::StaticNeed;
use crate::outcome::Outcome;
use crate::requires::Requirement;

/// A marker on a test, with its arguments: `slow`, `rta_suite("auth")`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerUse {
    /// The marker's name.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [&'static str],
}

/// Whether a test must panic to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShouldPanic {
    /// It must not.
    No,
    /// It must.
    Yes,
    /// It must, with a message that contains this.
    With(&'static str),
}

/// A registered test (one for each case of a parametrised one).
pub struct TestDef {
    /// The package of the test's crate.
    pub package: &'static str,
    /// The package's directory when the test was compiled.
    pub directory: &'static str,
    /// `module_path!()` of the function: its first segment is the name of the test binary's crate.
    pub module: &'static str,
    /// The function's name.
    pub function: &'static str,
    /// The case's name, of a parametrised test.
    pub case: Option<&'static str>,
    /// The source file.
    pub file: &'static str,
    /// The line of the function.
    pub line: u32,
    /// Its markers.
    pub markers: &'static [MarkerUse],
    /// The markers that its fixtures give it.
    pub fixture_markers: &'static [&'static str],
    /// Adds the types of the fixtures that it uses, directly or through another one.
    pub fixtures: fn(&mut Vec<&'static str>),
    /// The deployments it needs, in the order of its arguments.
    pub needs: &'static [StaticNeed],
    /// What it says of checkers: name, and what is done about what that finds.
    pub checkers: &'static [(&'static str, CheckPolicy)],
    /// What it requires of the product.
    pub requires: &'static [Requirement],
    /// Its own time limit for the body.
    pub timeout: Option<Duration>,
    /// How often it may be tried again.
    pub retries: Option<u32>,
    /// Whether it wants a worker of its own.
    pub isolated: bool,
    /// Why it is ignored unless asked for.
    pub ignore: Option<&'static str>,
    /// Whether it must panic.
    pub should_panic: ShouldPanic,
    /// Why it is known to fail.
    pub xfail: Option<ExpectedFailure>,
    /// Its body.
    pub run: fn(&mut Run<'_>) -> Outcome,
}

/// What is said of a test that is known to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedFailure {
    /// Why it fails.
    pub reason: &'static str,
    /// Whether it is a failure when it passes.
    pub strict: bool,
}

inventory::collect!(TestDef);

impl TestDef {
    /// The name as libtest would say it: module path without the crate, function, case.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = String::with_capacity(
            self.module.len() + self.function.len() + self.case.map_or(0, str::len) + 4,
        );
        if let Some((_, modules)) = self.module.split_once("::") {
            name.push_str(modules);
            name.push_str("::");
        }
        name.push_str(self.function);
        if let Some(case) = self.case {
            name.push_str("::");
            name.push_str(case);
        }
        name
    }

    /// The crate of the test binary.
    #[must_use]
    pub fn binary(&self) -> &'static str {
        self.module.split("::").next().unwrap_or(self.module)
    }

    /// The topologies it asks for, one for each of [`Self::needs`]. If its fixtures fit every deployment of a system, or of
    /// any system, a marker may say which. Without one, a deployment of any system has no topology and is left out.
    #[must_use]
    pub fn wishes(&self) -> Vec<Topology> {
        self.needs
            .iter()
            .filter_map(|need| self.wish(need))
            .collect()
    }

    fn wish(&self, need: &StaticNeed) -> Option<Topology> {
        let Some(topology) = need.topology else {
            return self.marked_wish();
        };
        let mut wish = topology.to_topology();
        if wish.shape == ANY_SHAPE
            && let Some(system) = armadillo_orchestrator::system(&wish.system)
            && let Some(shape) = self.marked_shape(system)
        {
            wish.shape = shape.to_owned();
        }
        Some(wish)
    }

    /// What a marker asks for.
    fn marked_wish(&self) -> Option<Topology> {
        armadillo_orchestrator::systems()
            .into_iter()
            .find_map(|system| {
                let shape = self.marked_shape(system)?;
                Some(StaticTopology::new(system.name(), shape).to_topology())
            })
    }

    fn marked_shape(&self, system: &dyn System) -> Option<&'static str> {
        let mut markers = self.markers.iter();
        markers.find_map(|marker| system.shape_of_marker(marker.name))
    }

    /// The id across binaries, as nextest writes it: `package::binary$name`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}::{}${}", self.package, self.binary(), self.name())
    }
}
