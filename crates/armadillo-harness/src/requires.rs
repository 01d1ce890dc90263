//! What a test requires of the product it runs on: the real one, a version, a capability.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use armadillo_orchestrator::{Program, Programs, Settings, System, Topology};

use crate::needs::Need;
use crate::test_def::TestDef;

/// One requirement of a test.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    /// The system it is about; `None`: every one the test uses, or the one that knows the capability.
    pub system: Option<&'static str>,
    /// What is required.
    pub what: Required,
}

/// What is required.
#[derive(Clone, Copy, Debug)]
pub enum Required {
    /// The product itself, not a stand-in.
    Real,
    /// A version that all of these admit.
    Version(&'static [Bound]),
    /// Something that the system has a word for.
    Capability(&'static str),
}

/// A bound on versions: `>=3.12.4`. As many parts are compared as it has.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The sign: `>=`, `>`, `<=`, `<` or `=`.
    pub sign: &'static str,
    /// The parts.
    pub parts: &'static [u32],
}

impl Bound {
    /// Whether it admits a version: `3.12.10`, `3.12.4-devel`. `None` if that is none.
    fn admits(&self, version: &str) -> Option<bool> {
        let numbers = version.split(|c: char| !c.is_ascii_digit());
        let said: Vec<u32> = numbers.map_while(|number| number.parse().ok()).collect();
        if said.is_empty() {
            return None;
        }
        let said = said.into_iter().chain(std::iter::repeat(0));
        let order = said.take(self.parts.len()).cmp(self.parts.iter().copied());
        Some(match self.sign {
            ">=" => order != Ordering::Less,
            ">" => order == Ordering::Greater,
            "<=" => order != Ordering::Greater,
            "<" => order == Ordering::Less,
            _ => order == Ordering::Equal,
        })
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().map(u32::to_string).collect();
        write!(f, "{}{}", self.sign, parts.join("."))
    }
}

/// Requirements that make no sense, whatever a run has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    /// The test uses no deployment.
    #[error(
        "the test `{test}` has `requires(..)`, but it uses no deployment:\n    {place}\nhelp: remove it"
    )]
    NoDeployment {
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
    /// Several systems could be meant.
    #[error(
        "`requires(version = ..)` of the test `{test}` can mean several systems:\n    {place}\nhelp: write `{first}(version = ..)` in it"
    )]
    Ambiguous {
        /// The test.
        test: String,
        /// Its place.
        place: String,
        /// One of the systems.
        first: String,
    },
    /// It is about a system that the test does not use.
    #[error(
        "the test `{test}` requires something of `{system}`, which it does not use:\n    {place}\nhelp: it uses {used}"
    )]
    Unused {
        /// The test.
        test: String,
        /// Its place.
        place: String,
        /// The system.
        system: String,
        /// Those that it uses.
        used: String,
    },
    /// No system that the test uses knows the capability.
    #[error(
        "unknown capability `{capability}` in `requires(..)` of the test `{test}`:\n    {place}\nhelp: known are {known}"
    )]
    UnknownCapability {
        /// The capability.
        capability: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
        /// Those that there are.
        known: String,
    },
}

/// Checks what a test requires against the systems it uses. A deployment of any system leaves that open.
///
/// # Errors
/// The first requirement that makes no sense.
pub(crate) fn check(def: &TestDef, test: &str, place: &str) -> Result<(), RequirementError> {
    if def.requires.is_empty() {
        return Ok(());
    }
    let (test, place) = (test.to_owned(), place.to_owned());
    let used: BTreeSet<String> = def.wishes().into_iter().map(|wish| wish.system).collect();
    let Some(first) = used.first() else {
        return Err(RequirementError::NoDeployment { test, place });
    };
    let names = || {
        used.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    for requirement in def.requires {
        if let Some(system) = requirement.system
            && !used.contains(system)
        {
            let system = system.to_owned();
            return Err(RequirementError::Unused {
                test,
                place,
                system,
                used: names(),
            });
        }
        match requirement.what {
            Required::Version(_) if requirement.system.is_none() && used.len() > 1 => {
                let first = first.clone();
                return Err(RequirementError::Ambiguous { test, place, first });
            }
            Required::Capability(capability) => {
                let asked = used
                    .iter()
                    .filter(|used| requirement.system.is_none_or(|system| system == *used));
                let systems = asked.filter_map(|name| armadillo_orchestrator::system(name));
                let known: Vec<&str> = systems
                    .flat_map(|system| system.capabilities())
                    .map(|(name, _)| *name)
                    .collect();
                if !known.contains(&capability) {
                    let known = match known.as_slice() {
                        [] => "none".to_owned(),
                        known => known.join(", "),
                    };
                    let capability = capability.to_owned();
                    return Err(RequirementError::UnknownCapability {
                        capability,
                        test,
                        place,
                        known,
                    });
                }
            }
            Required::Real | Required::Version(_) => {}
        }
    }
    Ok(())
}

/// Why a test with these needs is not run with these programs: `requires mydb >=3.12.4; this run has 3.11.2`.
pub(crate) fn unmet(
    def: &TestDef,
    needs: &[Need],
    programs: &Programs,
    settings: &Settings,
) -> Option<String> {
    def.requires.iter().find_map(|requirement| {
        let about = |need: &&Need| {
            requirement
                .system
                .is_none_or(|system| system == need.topology.system)
        };
        needs.iter().filter(about).find_map(|need| {
            let system = armadillo_orchestrator::system(&need.topology.system)?;
            let mut used = used_by(system, &need.topology, programs);
            used.find_map(|program| unmet_by(system, requirement.what, program, settings))
        })
    })
}

/// The programs of a deployment, one for each server.
fn used_by<'p>(
    system: &dyn System,
    topology: &'p Topology,
    programs: &'p Programs,
) -> impl Iterator<Item = &'p Program> {
    let plan = system.plan(topology).into_iter();
    plan.filter_map(move |server| programs.get(topology, server.role))
}

fn unmet_by(
    system: &dyn System,
    what: Required,
    program: &Program,
    settings: &Settings,
) -> Option<String> {
    let name = system.name();
    match what {
        Required::Real => program
            .stand_in
            .then(|| format!("requires the real {name}; this run has {}", program.title)),
        Required::Version(bounds) => {
            let wanted: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            let wanted = wanted.join(", ");
            let Some(version) = &program.version else {
                return Some(format!(
                    "requires {name} {wanted}; this run's program does not report a version"
                ));
            };
            let admitted = bounds
                .iter()
                .all(|bound| bound.admits(version) == Some(true));
            (!admitted).then(|| format!("requires {name} {wanted}; this run has {version}"))
        }
        Required::Capability(capability) => {
            if !system
                .capabilities()
                .iter()
                .any(|(known, _)| *known == capability)
            {
                return None;
            }
            let why = system.lacks(capability, program, settings)?;
            Some(format!("requires {capability}; {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_compares_as_many_parts_as_it_has() {
        let admits = |sign, parts, version| Bound { sign, parts }.admits(version);
        for (sign, parts, version, expected) in [
            (">=", &[3, 12, 4][..], "3.12.10", true),
            (">=", &[3, 12, 4], "3.12.4-devel", true),
            (">=", &[3, 12, 4], "3.12.3", false),
            (">=", &[3, 12, 4], "4.0", true),
            (">", &[3, 12], "3.12.10", false),
            (">", &[3, 12], "3.13.0", true),
            ("<=", &[3, 12], "3.12.10", true),
            ("<", &[4], "3.99.99", true),
            ("<", &[4], "4.0.0", false),
            ("=", &[3, 12], "3.12.7", true),
            ("=", &[3, 12, 7], "3.12.8", false),
        ] {
            assert_eq!(
                admits(sign, parts, version),
                Some(expected),
                "{sign}{parts:?} {version}"
            );
        }
        assert_eq!(admits(">=", &[1], "devel"), None);
        assert_eq!(
            Bound {
                sign: ">=",
                parts: &[3, 12, 4]
            }
            .to_string(),
            ">=3.12.4"
        );
    }
}
