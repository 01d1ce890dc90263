//! Rules of `armadillo.toml`: markers for the tests that have a fixture, a name or a source file.

use super::marking::{Marker, Refused};
use super::{CollectError, Test};
use crate::fixture::is_named;
use crate::markers::Markers;
use crate::select::Expression;
use crate::settings::{Source, UsageError};

/// A rule: every test that meets all of its conditions has these markers.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The markers.
    pub markers: Vec<Marker>,
    /// The type of a fixture that the test uses, directly or through another fixture.
    pub fixture: Option<String>,
    /// What its name must match, as with `-k`.
    pub name: Option<Expression>,
    /// The source file, or a directory above it.
    pub path: Option<String>,
    /// Where the rule is.
    pub source: Source,
}

impl Rule {
    /// Whether a test meets all conditions.
    fn applies(&self, test: &Test) -> bool {
        let uses = |fixture: &String| test.fixtures().iter().any(|name| is_named(name, fixture));
        (self.path.as_ref()).is_none_or(|path| is_below(test.def.file, path))
            && (self.name.as_ref()).is_none_or(|name| name.matches_name(&test.name))
            && self.fixture.as_ref().is_none_or(uses)
    }

    /// `armadillo.toml:12`.
    fn place(&self) -> String {
        match &self.source {
            Source::File { path, line, .. } => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                format!("{}:{line}", name.display())
            }
            other => other.to_string(),
        }
    }
}

/// Adds the markers of rules to the tests.
pub(super) fn apply(
    tests: &mut [Test],
    rules: &[Rule],
    declared: &Markers,
) -> Result<(), CollectError> {
    for rule in rules {
        // Another suite of the workspace may know them.
        if !tests.iter().any(|test| rule.applies(test)) {
            continue;
        }
        for marker in &rule.markers {
            marker.check(declared).map_err(|refused| {
                let Refused { why, help } = refused;
                UsageError::Value {
                    said_by: rule.source.clone(),
                    reason: why,
                    help,
                }
            })?;
        }
        let place = rule.place();
        for test in tests.iter_mut().filter(|test| rule.applies(test)) {
            for marker in &rule.markers {
                test.add_marker(marker, &place);
            }
        }
    }
    Ok(())
}

/// The places of the rules that none of these tests meets.
#[must_use]
pub fn idle(tests: &[Test], rules: &[Rule]) -> Vec<String> {
    let idle = (rules.iter()).filter(|rule| !tests.iter().any(|test| rule.applies(test)));
    idle.map(Rule::place).collect()
}

/// Whether the source file has these parts of a path, one after the other.
fn is_below(file: &str, path: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    let wanted = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let wanted: Vec<&str> = wanted.collect();
    !wanted.is_empty() && parts.windows(wanted.len()).any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_file_or_a_directory_above_it() {
        let file = "shop/tests/suite/cluster/losses.rs";
        for path in [
            "tests/suite/cluster/losses.rs",
            "tests/suite/cluster",
            "./tests/suite/cluster/",
            "losses.rs",
            "shop",
            file,
        ] {
            assert!(is_below(file, path), "{path}");
        }
        for path in ["losses", "suite/losses.rs", "", "/", "ests/suite", "x/shop"] {
            assert!(!is_below(file, path), "{path}");
        }
    }
}
