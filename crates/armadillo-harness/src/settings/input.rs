//! What the settings are made from: arguments, environment, directory, flags of systems and suite.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::error::{Source, UsageError, Wrong};
use super::setting::Linked;
use crate::test_def::TestDef;

/// Everything the settings are made from, so that resolving them touches nothing but the file.
#[derive(Clone, Debug)]
pub struct Input {
    /// The arguments, without the program's name.
    pub args: Vec<OsString>,
    /// The environment.
    pub environment: Environment,
    /// Where the search for `armadillo.toml` begins: the package's directory.
    pub directory: PathBuf,
    /// The flags that this executable adds.
    pub linked: Linked,
}

impl Input {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let environment = Environment::of_process();
        let directory = match environment.get("CARGO_MANIFEST_DIR") {
            Some(directory) => PathBuf::from(directory),
            // Started by hand or by a debugger: the package the tests were compiled in, if it is still there.
            None => (compiled_in().or_else(|| std::env::current_dir().ok())).unwrap_or_default(),
        };
        Self {
            args: std::env::args_os().skip(1).collect(),
            environment,
            directory,
            linked: Linked::registered(),
        }
    }
}

/// The package's directory at compile time; all tests of an executable have the same.
fn compiled_in() -> Option<PathBuf> {
    let test = inventory::iter::<TestDef>().next()?;
    Some(PathBuf::from(test.directory)).filter(|directory| directory.is_dir())
}

/// Environment variables.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// These.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Self(variables.iter().map(owned).collect())
    }

    /// The value of a variable. An empty one counts as not set, which is how CI systems leave it out.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?;
        (!value.is_empty()).then_some(value.as_os_str())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, UsageError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(
                Wrong::new("the value is not valid UTF-8", "set it to valid UTF-8")
                    .said_by(&Source::Variable(name.to_owned())),
            ),
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }
}
