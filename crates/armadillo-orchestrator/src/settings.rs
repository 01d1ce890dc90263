//! Settings as a system sees them: resolved values by name, and the declaration of flags a system adds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attach::Attached;

/// A flag that a system adds to the command line; its environment twin (`ARMADILLO_<NAME>`) and its place in
/// `armadillo.toml` follow from its name.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The long name without dashes: `mydb`, `server-option`.
    pub name: &'static str,
    /// The short name: `c` for `-c`. It goes to the first system that asks for it, unless the harness has it itself.
    pub short: Option<char>,
    /// What the value is called in `--help`: `PATH`, `N`. Empty for a switch.
    pub value: &'static str,
    /// Whether it may be given several times.
    pub repeats: bool,
    /// One or two sentences for `--help`.
    pub help: &'static str,
}

/// Values by setting name (the long flag without dashes), after command line, environment and file were merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    values: BTreeMap<String, Vec<String>>,
    /// What was found of the servers that the settings name, by system.
    #[serde(default)]
    attached: BTreeMap<String, Attached>,
}

impl Settings {
    /// The last value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// All values of `name`, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the switch `name` is on: given, and not `false` or `0`.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !matches!(value, "false" | "0" | "no" | "off"))
    }

    /// The servers of this system that somebody else started, if tests run on such.
    #[must_use]
    pub fn attached(&self, system: &str) -> Option<&Attached> {
        self.attached.get(system)
    }

    /// The systems whose servers somebody else started.
    pub fn attached_systems(&self) -> impl Iterator<Item = &str> {
        self.attached.keys().map(String::as_str)
    }

    /// Those of these names, and what was found of the servers that are named.
    #[must_use]
    pub fn only(&self, names: impl Fn(&str) -> bool) -> Self {
        let values = self.values.iter().filter(|(name, _)| names(name));
        Self {
            values: values
                .map(|(name, values)| (name.clone(), values.clone()))
                .collect(),
            attached: self.attached.clone(),
        }
    }

    /// Adds what was found of the servers of this system.
    pub fn attach(&mut self, system: &str, attached: Attached) {
        self.attached.insert(system.to_owned(), attached);
    }

    /// Replaces every value of `name`.
    pub fn set(&mut self, name: &str, values: Vec<String>) {
        self.values.insert(name.to_owned(), values);
    }
}
