//! What is done about what checkers find: said for a run, and by a test for itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The checker that every system has: lines of servers' logs that say they crashed or gave up.
pub const LOG: &str = "log";

/// What is done about what one checker finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckPolicy {
    /// After a test: the test fails as leaked. On a deployment that nobody uses: it is replaced.
    #[default]
    Fail,
    /// It is said.
    Warn,
    /// It is not looked for.
    Off,
}

/// The policies that were said, by the name of the checker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Policies(BTreeMap<String, CheckPolicy>);

impl Policies {
    /// What is done about what this checker finds.
    #[must_use]
    pub fn of(&self, checker: &str) -> CheckPolicy {
        self.0.get(checker).copied().unwrap_or_default()
    }

    /// Says it of one.
    pub fn set(&mut self, checker: &str, policy: CheckPolicy) {
        self.0.insert(checker.to_owned(), policy);
    }

    /// The same with what a test says for itself.
    #[must_use]
    pub fn with(&self, own: &[(&str, CheckPolicy)]) -> Self {
        let mut policies = self.clone();
        for (checker, policy) in own {
            policies.set(checker, *policy);
        }
        policies
    }

    /// What is wrong, and what is only to be said, of what was found.
    #[must_use]
    pub fn sort(&self, found: Vec<(String, String)>) -> Sorted {
        let mut sorted = Sorted::default();
        for (checker, what) in found {
            match self.of(&checker) {
                CheckPolicy::Fail => sorted.wrong.push((checker, what)),
                CheckPolicy::Warn => sorted.to_say.push((checker, what)),
                CheckPolicy::Off => {}
            }
        }
        sorted
    }
}

/// What checkers found: the name of each with what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// What a test fails for, or a deployment is replaced for.
    pub wrong: Vec<(String, String)>,
    /// What is only said.
    pub to_say: Vec<(String, String)>,
}

impl Sorted {
    pub(crate) fn add(&mut self, other: Self) {
        self.wrong.extend(other.wrong);
        self.to_say.extend(other.to_say);
    }
}

/// The names of all checkers of this executable's systems.
#[must_use]
pub fn known_checkers() -> BTreeSet<&'static str> {
    let systems = armadillo_orchestrator::systems();
    let of_systems = systems
        .iter()
        .flat_map(|system| system.checkers())
        .map(|checker| checker.name());
    of_systems.chain([LOG]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_the_last_word() {
        let mut policies = Policies::default();
        policies.set("databases", CheckPolicy::Warn);
        policies.set("users", CheckPolicy::Off);
        let own = policies.with(&[("users", CheckPolicy::Fail), (LOG, CheckPolicy::Off)]);
        let found = ["databases", "users", LOG, "collections"]
            .map(|name| (name.to_owned(), format!("{name}!")));
        let sorted = own.sort(found.into());
        let names = |list: &[(String, String)]| -> Vec<String> {
            list.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&sorted.wrong), ["users", "collections"]);
        assert_eq!(names(&sorted.to_say), ["databases"]);
    }
}
