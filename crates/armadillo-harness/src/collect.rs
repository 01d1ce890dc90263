//! The first stage: every registered test, sorted and checked.
//!
//! Registration order means nothing (the linker decides it), so tests are sorted by module, line and case. Two tests of
//! one name, markers nobody declared and markers that contradict the test's deployment end the run here: they are mistakes
//! that would otherwise select or hide tests silently.

mod hooks;
mod marking;
mod rules;
mod shapes;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use armadillo_orchestrator::{Settings, Topology};

use crate::checking::known_checkers;
use crate::fixture::short_name;
use crate::markers::Markers;
use crate::requires::{self, RequirementError};
use crate::settings::UsageError;
use crate::test_def::{MarkerUse, TestDef};

pub use hooks::{CollectHook, CollectedTest, HookError};
pub use marking::{AddedMarker, Marker};
pub use rules::{Rule, idle};
pub use shapes::ShapeError;

/// A collected test.
#[derive(Clone)]
pub struct Test {
    /// Its registration.
    pub def: &'static TestDef,
    /// Its name, as libtest would say it.
    pub name: String,
    /// Its markers: its own, those of its fixtures and those of its topologies.
    pub markers: Cow<'static, [MarkerUse]>,
    /// The markers that rules and hooks have added.
    pub added: Vec<AddedMarker>,
    /// Why a hook ignores it.
    pub skipped: Option<String>,
    /// Where a hook wants it: before those with a greater number.
    pub order: i32,
}

/// Where it is among others: nothing depends on the order in which the linker put them.
fn rank(def: &'static TestDef) -> impl Ord + use<> {
    (def.module, def.line, def.case, def.function)
}

impl Test {
    pub(crate) fn new(def: &'static TestDef, markers: Cow<'static, [MarkerUse]>) -> Self {
        Self {
            def,
            name: def.name(),
            markers,
            added: Vec::new(),
            skipped: None,
            order: 0,
        }
    }

    /// Its place in the order of collection: where hooks want it, then as it is registered.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        (self.order, rank(self.def))
    }

    /// The types of the fixtures it uses, directly or through another one: `Exclusive<Cluster>`.
    #[must_use]
    pub fn fixtures(&self) -> Vec<String> {
        let mut types = Vec::new();
        (self.def.fixtures)(&mut types);
        types.into_iter().map(short_name).collect()
    }

    /// Its source file and line: `tests/suite/main.rs:12`.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.def)
    }

    /// Its markers, written out: `slow`, `suite("auth")`.
    #[must_use]
    pub fn written_markers(&self) -> Vec<String> {
        let own = self.markers.iter().map(ToString::to_string);
        let added = self.added.iter().map(|added| added.marker.to_string());
        own.chain(added).collect()
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Test").field(&self.name).finish()
    }
}

/// Why the tests of this executable cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// Two tests have one name.
    #[error(
        "two tests are named `{name}`:\n    {first}\n    {second}\nhelp: rename one of them; reports, filters and `--exact` identify a test by its name"
    )]
    Duplicate {
        /// The name.
        name: String,
        /// The place of one.
        first: String,
        /// The place of the other.
        second: String,
    },
    /// A test carries a marker that is not declared.
    #[error(
        "the marker `{marker}` of the test `{test}` is not declared:\n    {place}\nhelp: {help}"
    )]
    UndeclaredMarker {
        /// The marker.
        marker: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
        /// What to do.
        help: String,
    },
    /// A test refers to an unknown checker.
    #[error(
        "unknown checker `{checker}` in the test `{test}`:\n    {place}\nhelp: this executable has {known}"
    )]
    UnknownChecker {
        /// The checker.
        checker: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
        /// Those that there are.
        known: String,
    },
    /// What a test requires makes no sense.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// A rule adds what a test cannot have.
    #[error(transparent)]
    Rule(#[from] UsageError),
    /// A hook cannot look at a test.
    #[error(transparent)]
    Hook(#[from] Box<HookError>),
    /// What a test says of its deployment makes no sense.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Collects the tests of this executable, with what rules and hooks say of them. With `only`, the names under `--exact`, just those are looked up.
///
/// # Errors
/// When two have one name, or one carries an undeclared marker, refers to an unknown checker, or has markers that
/// contradict its deployment or each other, a rule adds a marker that no test can get
/// from it, or a hook does or panics.
pub fn collect(
    only: Option<&[String]>,
    markers: &Markers,
    rules: &[Rule],
    settings: &Settings,
) -> Result<Vec<Test>, CollectError> {
    let definitions = inventory::iter::<TestDef>();
    let mut tests = from_definitions(definitions, only, markers, settings)?;
    rules::apply(&mut tests, rules, markers)?;
    hooks::apply(tests, &CollectHook::registered(), markers)
}

/// The registered tests, or only those of these names.
pub(crate) fn definitions(only: Option<&[String]>) -> impl Iterator<Item = &'static TestDef> {
    inventory::iter::<TestDef>()
        .filter(move |def| only.is_none_or(|names| names.iter().any(|name| is_named(def, name))))
}

/// How many tests are registered in this executable. Those that [`collect`] did not look at count as filtered out.
#[must_use]
pub fn registered() -> u32 {
    let count = inventory::iter::<TestDef>().count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// [`collect`], from these definitions.
fn from_definitions(
    definitions: impl IntoIterator<Item = &'static TestDef>,
    only: Option<&[String]>,
    markers: &Markers,
    settings: &Settings,
) -> Result<Vec<Test>, CollectError> {
    let mut topology_markers = TopologyMarkers::new(settings);
    let mut definitions: Vec<&'static TestDef> = definitions
        .into_iter()
        .filter(|def| only.is_none_or(|names| names.iter().any(|name| is_named(def, name))))
        .collect();
    definitions.sort_unstable_by_key(|def| rank(def));
    let tests: Vec<Test> = definitions
        .into_iter()
        .map(|def| Test::new(def, topology_markers.with_own(def)))
        .collect();
    check_markers(&tests, markers)?;
    shapes::check(&tests)?;
    check_checkers(&tests)?;
    for test in tests.iter().filter(|test| !test.def.requires.is_empty()) {
        requires::check(test.def, &test.name, &test.place())?;
    }
    check_names(&tests)?;
    Ok(tests)
}

/// Whether the test has this name, found out without building it.
fn is_named(def: &TestDef, name: &str) -> bool {
    let modules = def.module.split_once("::").map(|(_, modules)| modules);
    let mut rest = name;
    for (index, part) in (modules.into_iter())
        .chain([def.function])
        .chain(def.case)
        .enumerate()
    {
        let tail = if index == 0 {
            Some(rest)
        } else {
            rest.strip_prefix("::")
        };
        match tail.and_then(|tail| tail.strip_prefix(part)) {
            Some(tail) => rest = tail,
            None => return false,
        }
    }
    rest.is_empty()
}

fn check_markers(tests: &[Test], markers: &Markers) -> Result<(), CollectError> {
    for test in tests {
        let own = test.def.markers.iter().map(|marker| marker.name);
        let mut all = own.chain(test.def.fixture_markers.iter().copied());
        if let Some(unknown) = all.find(|name| !markers.declares(name)) {
            return Err(CollectError::UndeclaredMarker {
                marker: unknown.to_owned(),
                test: test.name.clone(),
                place: test.place(),
                help: markers.how_to_declare(unknown),
            });
        }
    }
    Ok(())
}

/// A test may refer to the checkers of every system, because its body may run on several; unknown ones are refused.
fn check_checkers(tests: &[Test]) -> Result<(), CollectError> {
    let said = |test: &&Test| !test.def.checkers.is_empty();
    for test in tests.iter().filter(said) {
        let known = known_checkers();
        if let Some((unknown, _)) = test
            .def
            .checkers
            .iter()
            .find(|(name, _)| !known.contains(name))
        {
            let known: Vec<&str> = known.into_iter().collect();
            return Err(CollectError::UnknownChecker {
                checker: (*unknown).to_owned(),
                test: test.name.clone(),
                place: test.place(),
                known: known.join(", "),
            });
        }
    }
    Ok(())
}

fn check_names(tests: &[Test]) -> Result<(), CollectError> {
    let mut seen: HashMap<&str, &Test> = HashMap::with_capacity(tests.len());
    for test in tests {
        if let Some(other) = seen.insert(&test.name, test) {
            return Err(CollectError::Duplicate {
                name: test.name.clone(),
                first: other.place(),
                second: test.place(),
            });
        }
    }
    Ok(())
}

fn place(def: &TestDef) -> String {
    format!("{}:{}", def.file, def.line)
}

/// The markers systems give to tests by their topology; each topology is asked for once.
struct TopologyMarkers<'s> {
    settings: &'s Settings,
    known: BTreeMap<Topology, Vec<MarkerUse>>,
}

impl<'s> TopologyMarkers<'s> {
    fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            known: BTreeMap::new(),
        }
    }

    /// The test's own markers, those of its fixtures, and those of its topologies.
    fn with_own(&mut self, def: &'static TestDef) -> Cow<'static, [MarkerUse]> {
        let settings = self.settings;
        let mut all = Cow::Borrowed(def.markers);
        for &name in def.fixture_markers {
            if !all.iter().any(|own| own.name == name) {
                all.to_mut().push(MarkerUse { name, args: &[] });
            }
        }
        for wish in def.wishes() {
            let of_topology = (self.known)
                .entry(wish)
                .or_insert_with_key(|wish| markers_of(wish, settings));
            for marker in of_topology {
                if !all.iter().any(|own| own.name == marker.name) {
                    all.to_mut().push(*marker);
                }
            }
        }
        all
    }
}

/// A topology that cannot be completed is left as it is: the plan reports it, if a selected test needs it.
fn markers_of(wish: &Topology, settings: &Settings) -> Vec<MarkerUse> {
    let Some(system) = armadillo_orchestrator::system(&wish.system) else {
        return Vec::new();
    };
    let complete = crate::plan::complete_by(system, wish, settings);
    let names = system.topology_markers(complete.as_ref().unwrap_or(wish));
    let as_use = |name| MarkerUse { name, args: &[] };
    names.into_iter().map(as_use).collect()
}

#[cfg(test)]
pub(crate) mod tests;
