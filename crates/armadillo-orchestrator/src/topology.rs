//! Topologies: the value that says what must run.
//!
//! There are two forms. [`StaticTopology`] is `const`: what a test's attribute and its fixtures ask for, known before
//! `main`. [`Topology`] is owned and serialisable: what crosses process boundaries, is planned, grouped and reported.

mod offered;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use offered::{OfferedTopology, TopologyTextError, offered, read_topology};

/// How many numbers, words, options and binaries one [`StaticTopology`] can carry of each.
const CAPACITY: usize = 8;

/// The shape that fits every deployment of a system: what a fixture asks for that works on each of them.
pub const ANY_SHAPE: &str = "any";

/// A topology as a constant. The system named in it gives its parameters a meaning.
#[derive(Clone, Copy, Debug)]
pub struct StaticTopology {
    /// The name of the system, as [`crate::System::name`] says it.
    pub system: &'static str,
    /// The shape within the system: `single`, `cluster`, or [`ANY_SHAPE`].
    pub shape: &'static str,
    params: [(&'static str, u32); CAPACITY],
    param_count: usize,
    words: [&'static str; CAPACITY],
    word_count: usize,
    options: [(&'static str, &'static str); CAPACITY],
    option_count: usize,
    binaries: [(&'static str, &'static str); CAPACITY],
    binary_count: usize,
    /// Empty: none.
    data: &'static str,
}

impl StaticTopology {
    /// A topology of `system` with the given shape and nothing else said.
    #[must_use]
    pub const fn new(system: &'static str, shape: &'static str) -> Self {
        Self {
            system,
            shape,
            params: [("", 0); CAPACITY],
            param_count: 0,
            words: [""; CAPACITY],
            word_count: 0,
            options: [("", ""); CAPACITY],
            option_count: 0,
            binaries: [("", ""); CAPACITY],
            binary_count: 0,
            data: "",
        }
    }

    /// The same with the number `name` set, such as `members` = 3.
    ///
    /// # Panics
    /// At compile time, when more than eight numbers are set.
    #[must_use]
    pub const fn with(mut self, name: &'static str, value: u32) -> Self {
        let mut i = 0;
        while i < self.param_count {
            if str_eq(self.params[i].0, name) {
                self.params[i].1 = value;
                return self;
            }
            i += 1;
        }
        assert!(
            self.param_count < CAPACITY,
            "a topology takes at most eight numbers"
        );
        self.params[self.param_count] = (name, value);
        self.param_count += 1;
        self
    }

    /// The same with the number `name` set unless it is already: for a builder's word that sets what is not said.
    ///
    /// # Panics
    /// At compile time, when more than eight numbers are set.
    #[must_use]
    pub const fn with_unless_said(self, name: &'static str, value: u32) -> Self {
        if self.says(name) {
            self
        } else {
            self.with(name, value)
        }
    }

    const fn says(&self, name: &str) -> bool {
        let mut i = 0;
        while i < self.param_count {
            if str_eq(self.params[i].0, name) {
                return true;
            }
            i += 1;
        }
        false
    }

    /// The same with the word `word` said, such as `tls`.
    ///
    /// # Panics
    /// At compile time, when more than eight words are said.
    #[must_use]
    pub const fn with_word(mut self, word: &'static str) -> Self {
        let mut i = 0;
        while i < self.word_count {
            if str_eq(self.words[i], word) {
                return self;
            }
            i += 1;
        }
        assert!(
            self.word_count < CAPACITY,
            "a topology takes at most eight words"
        );
        self.words[self.word_count] = word;
        self.word_count += 1;
        self
    }

    /// The same with a server option added: `[ROLE.]name` and its value, as `--server-option` takes them.
    ///
    /// # Panics
    /// At compile time, when more than eight options are set.
    #[must_use]
    pub const fn with_option(mut self, name: &'static str, value: &'static str) -> Self {
        assert!(
            self.option_count < CAPACITY,
            "a topology takes at most eight server options"
        );
        self.options[self.option_count] = (name, value);
        self.option_count += 1;
        self
    }

    /// The same with the servers of one role on a program of their own: a file, or a word the system knows.
    ///
    /// # Panics
    /// At compile time, when more than eight roles get one.
    #[must_use]
    pub const fn with_binary(mut self, role: &'static str, program: &'static str) -> Self {
        let mut i = 0;
        while i < self.binary_count {
            if str_eq(self.binaries[i].0, role) {
                self.binaries[i].1 = program;
                return self;
            }
            i += 1;
        }
        assert!(
            self.binary_count < CAPACITY,
            "a topology takes at most eight binaries"
        );
        self.binaries[self.binary_count] = (role, program);
        self.binary_count += 1;
        self
    }

    /// The same with servers that start on a copy of existing data: a directory with one directory for each server, by its key,
    /// that holds what the server's data directory held.
    ///
    /// # Panics
    /// At compile time, when the path is empty.
    #[must_use]
    pub const fn with_data(mut self, path: &'static str) -> Self {
        assert!(!path.is_empty(), "the path of existing data is empty");
        self.data = path;
        self
    }

    /// Whether both are of the same system and shape.
    #[must_use]
    pub const fn same_kind(&self, other: &Self) -> bool {
        str_eq(self.system, other.system) && str_eq(self.shape, other.shape)
    }

    /// Whether the shape is [`ANY_SHAPE`].
    #[must_use]
    pub const fn is_any(&self) -> bool {
        str_eq(self.shape, ANY_SHAPE)
    }

    /// Whether nothing is said but system and shape.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.param_count == 0
            && self.word_count == 0
            && self.option_count == 0
            && self.binary_count == 0
            && self.data.is_empty()
    }

    /// Whether both say the same, in the same order.
    #[must_use]
    pub const fn same(&self, other: &Self) -> bool {
        if !self.same_kind(other)
            || self.param_count != other.param_count
            || self.word_count != other.word_count
            || self.option_count != other.option_count
            || self.binary_count != other.binary_count
            || !str_eq(self.data, other.data)
        {
            return false;
        }
        let mut i = 0;
        while i < CAPACITY {
            let (param, other_param) = (self.params[i], other.params[i]);
            if param.1 != other_param.1
                || !str_eq(param.0, other_param.0)
                || !str_eq(self.words[i], other.words[i])
                || !same_pair(self.options[i], other.options[i])
                || !same_pair(self.binaries[i], other.binaries[i])
            {
                return false;
            }
            i += 1;
        }
        true
    }

    /// The owned form.
    #[must_use]
    pub fn to_topology(&self) -> Topology {
        Topology {
            system: self.system.to_owned(),
            shape: self.shape.to_owned(),
            params: self.params[..self.param_count]
                .iter()
                .map(|&(name, value)| (name.to_owned(), value))
                .collect(),
            words: self.words[..self.word_count]
                .iter()
                .map(|&word| word.to_owned())
                .collect(),
            options: self.options[..self.option_count]
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            binaries: self.binaries[..self.binary_count]
                .iter()
                .map(|&(role, program)| (role.to_owned(), program.to_owned()))
                .collect(),
            data: (!self.data.is_empty()).then(|| self.data.into()),
        }
    }
}

const fn same_pair(one: (&str, &str), other: (&str, &str)) -> bool {
    str_eq(one.0, other.0) && str_eq(one.1, other.1)
}

/// Equality of strings in a constant context.
#[must_use]
pub const fn str_eq(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A topology as a value: equal topologies share deployments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Topology {
    /// The name of the system.
    pub system: String,
    /// The shape within the system.
    pub shape: String,
    /// Numbers by name. After [`crate::System::complete`], every number the system knows is there.
    #[serde(default)]
    pub params: BTreeMap<String, u32>,
    /// What it is or is not besides, by words of the system: `tls`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub words: BTreeSet<String>,
    /// Server options, `[ROLE.]name` and value, in the order given.
    #[serde(default)]
    pub options: Vec<(String, String)>,
    /// The programs of roles that do not run the system's own, by role: a file, or a word the system knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub binaries: BTreeMap<String, String>,
    /// The directory with the data that its servers start on; a relative path is one from where the run was started. They get a
    /// copy of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
}

impl Topology {
    /// The number `name`, if it was said.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<u32> {
        self.params.get(name).copied()
    }

    /// Whether `word` was said.
    #[must_use]
    pub fn says(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// The program named for the servers of a role; `None`: the system's own.
    #[must_use]
    pub fn binary(&self, role: &str) -> Option<&str> {
        self.binaries.get(role).map(String::as_str)
    }

    /// One word for logs, paths and events: `mydb-cluster-members3`. Letters, digits and `-` only; server options
    /// and binaries are not in it, so it is a label, not a key.
    #[must_use]
    pub fn label(&self) -> String {
        let mut label = format!("{}-{}", self.system, self.shape);
        for (name, value) in &self.params {
            label.push_str(&format!("-{name}{value}"));
        }
        for word in &self.words {
            label.push_str(&format!("-{word}"));
        }
        label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect()
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.system, self.shape)?;
        let numbers = self
            .params
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        let options = self
            .options
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let binaries = self
            .binaries
            .iter()
            .map(|(role, program)| format!("{role}_binary = {program:?}"));
        let words = self.words.iter().cloned();
        let data = self.data.iter();
        let data = data.map(|path| format!("data = {:?}", path.display().to_string()));
        let all: Vec<String> = numbers
            .chain(words)
            .chain(options)
            .chain(binaries)
            .chain(data)
            .collect();
        if all.is_empty() {
            Ok(())
        } else {
            write!(f, "({})", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: StaticTopology = StaticTopology::new("db", "cluster")
        .with("servers", 3)
        .with("servers", 5);

    #[test]
    fn setting_a_number_twice_keeps_the_last() {
        assert_eq!(FIVE.to_topology().param("servers"), Some(5));
        assert_eq!(FIVE.to_topology().label(), "db-cluster-servers5");
        assert_eq!(FIVE.to_topology().to_string(), "db cluster(servers = 5)");
    }

    #[test]
    fn a_number_that_was_said_stays() {
        const KEPT: StaticTopology = FIVE
            .with_unless_said("servers", 1)
            .with_unless_said("gates", 2);
        assert_eq!(
            KEPT.to_topology().to_string(),
            "db cluster(gates = 2, servers = 5)"
        );
    }

    #[test]
    fn a_word_is_said_once_and_shown() {
        const SAID: StaticTopology = FIVE.with_word("tls").with_word("tls");
        let said = SAID.to_topology();
        assert!(said.says("tls") && !said.says("plain"));
        assert_eq!(said.label(), "db-cluster-servers5-tls");
        assert_eq!(said.to_string(), "db cluster(servers = 5, tls)");
        assert!(!SAID.same(&FIVE) && !StaticTopology::new("db", "x").with_word("tls").is_plain());
    }

    #[test]
    fn topologies_are_the_same_if_they_say_the_same() {
        const PLAIN: StaticTopology = StaticTopology::new("db", "cluster");
        assert!(PLAIN.is_plain() && !FIVE.is_plain());
        assert!(FIVE.same(&PLAIN.with("servers", 5)));
        assert!(!FIVE.same(&PLAIN) && !FIVE.same(&PLAIN.with("servers", 3)));
        let option = |value| PLAIN.with_option("log", value);
        assert!(option("debug").same(&option("debug")));
        assert!(!option("debug").same(&option("info")));
        assert!(
            !PLAIN
                .with_binary("server", "a")
                .same(&PLAIN.with_binary("server", "b"))
        );
        assert!(!PLAIN.same(&StaticTopology::new("db", "single")));
    }

    #[test]
    fn servers_may_start_on_existing_data() {
        const OLD: StaticTopology = FIVE.with_data("tests/data/old");
        assert!(!OLD.same(&FIVE) && OLD.same(&FIVE.with_data("tests/data/old")));
        assert!(
            !StaticTopology::new("db", "cluster")
                .with_data("x")
                .is_plain()
        );
        let old = OLD.to_topology();
        assert_eq!(
            old.to_string(),
            r#"db cluster(servers = 5, data = "tests/data/old")"#
        );
        let json = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<Topology>(&json).unwrap(), old);
    }

    #[test]
    fn a_role_may_have_a_program_of_its_own() {
        const MIXED: StaticTopology = FIVE
            .with_binary("server", "/opt/old")
            .with_binary("gate", "/opt/gate")
            .with_binary("server", "/opt/new");
        const SAME: StaticTopology = FIVE
            .with_binary("gate", "/opt/gate")
            .with_binary("server", "/opt/new");
        let mixed = MIXED.to_topology();
        assert_eq!(mixed, SAME.to_topology());
        assert_ne!(mixed, FIVE.to_topology());
        assert_eq!(
            (mixed.binary("server"), mixed.binary("other")),
            (Some("/opt/new"), None)
        );
        assert_eq!(
            mixed.to_string(),
            r#"db cluster(servers = 5, gate_binary = "/opt/gate", server_binary = "/opt/new")"#
        );
        let json = serde_json::to_string(&mixed).unwrap();
        assert_eq!(serde_json::from_str::<Topology>(&json).unwrap(), mixed);
    }
}
