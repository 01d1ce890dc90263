//! The declared markers: the harness's own, those of systems, those of a workspace's `armadillo.toml` and those of code.
//! A marker nobody declared is a slip of the fingers that would select nothing, silently.

use std::collections::BTreeMap;
use std::fmt;

use crate::test_def::MarkerUse;
use armadillo_orchestrator::closest::closest;

/// A marker declared in code, by [`crate::markers!`].
#[derive(Clone, Copy, Debug)]
pub struct MarkerDeclaration {
    /// Its name.
    pub name: &'static str,
    /// What it says of a test.
    pub meaning: &'static str,
}

inventory::collect!(MarkerDeclaration);

/// Declares markers: `markers! { nightly: "runs in the night only", gpu: "needs a GPU" }`.
#[macro_export]
macro_rules! markers {
    ($($name:ident : $meaning:literal),* $(,)?) => {
        $($crate::inventory::submit! {
            $crate::markers::MarkerDeclaration { name: stringify!($name), meaning: $meaning }
        })*
    };
}

/// The harness's own markers. Three of them are ignored unless asked for; the others are labels.
pub const OWN: [(&str, &str); 8] = [
    (
        "crash_test",
        "kills or stops servers; does not share its deployment",
    ),
    ("fast", "takes less than a second"),
    (
        "flaky",
        "fails occasionally; ignored unless --flaky is given",
    ),
    (
        "performance",
        "measures performance; runs alone on its deployment",
    ),
    ("regression", "checks that a fixed bug does not return"),
    (
        "slow",
        "takes a long time; ignored unless --runslow is given",
    ),
    ("smoke_test", "quickly checks the basic functions"),
    (
        "stress_test",
        "puts servers under load; ignored unless --stress is given",
    ),
];

/// All declared markers with their meanings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markers {
    meanings: BTreeMap<String, String>,
}

impl Markers {
    /// The markers of this executable, with those of `armadillo.toml`.
    #[must_use]
    pub fn declared(in_file: &BTreeMap<String, String>) -> Self {
        let systems = armadillo_orchestrator::systems();
        let of_systems = systems.iter().flat_map(|system| system.markers()).copied();
        let of_code = inventory::iter::<MarkerDeclaration>().map(|m| (m.name, m.meaning));
        let built_in = OWN.into_iter().chain(of_systems).chain(of_code);
        let mut meanings: BTreeMap<String, String> = built_in
            .map(|(name, meaning)| (name.to_owned(), meaning.to_owned()))
            .collect();
        meanings.extend(in_file.clone());
        Self { meanings }
    }

    /// Whether this one is declared.
    #[must_use]
    pub fn declares(&self, name: &str) -> bool {
        self.meanings.contains_key(name)
    }

    /// Their names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.meanings.keys().map(String::as_str).collect()
    }

    /// Names and meanings, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.meanings
            .iter()
            .map(|(name, meaning)| (name.as_str(), meaning.as_str()))
    }

    /// What to do about a marker that is not declared.
    #[must_use]
    pub fn how_to_declare(&self, name: &str) -> String {
        let declare =
            format!("declare it in armadillo.toml: `[markers]`, `{name} = \"description\"`");
        match closest(name, self.names()) {
            Some(meant) => format!("did you mean `{meant}`? If not, {declare}"),
            None => declare,
        }
    }
}

impl fmt::Display for MarkerUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.args.is_empty() {
            return Ok(());
        }
        let args: Vec<String> = self.args.iter().map(|arg| format!("{arg:?}")).collect();
        write!(f, "({})", args.join(", "))
    }
}
