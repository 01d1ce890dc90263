//! The topologies that a system offers by name, and reading one as a person writes it: `ring(servers = 5, tls)`.

use super::StaticTopology;
use crate::closest::closest;

/// A topology that can be asked for by its name, outside of a test's attribute.
#[derive(Clone, Copy, Debug)]
pub struct OfferedTopology {
    /// Its name, the same as in a test's attribute: `cluster`.
    pub name: &'static str,
    /// What it is, in a few words, for `--help`.
    pub about: &'static str,
    /// The topology with nothing said.
    pub topology: StaticTopology,
    /// The numbers that can be set: `servers`.
    pub numbers: &'static [&'static str],
    /// The words that can be said: `tls`.
    pub words: &'static [&'static str],
}

/// Why a text names no topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {says}; {help}")]
pub struct TopologyTextError {
    /// The whole text.
    pub text: String,
    /// What is wrong with it.
    pub says: String,
    /// What would be right.
    pub help: String,
}

/// What is said of a topology between its parentheses.
enum Item {
    Word(&'static str),
    Number(&'static str, u32),
}

/// Reads `NAME` or `NAME(ITEM, ..)`, where an item is a word (`tls`) or a number with its name (`servers = 5`).
///
/// # Errors
/// When no system of this executable offers such a topology, or the text is not written like that.
pub fn read_topology(text: &str) -> Result<StaticTopology, TopologyTextError> {
    read(text, &offered())
}

/// Every topology that the systems of this executable offer, by name.
#[must_use]
pub fn offered() -> Vec<OfferedTopology> {
    let systems = crate::registry::systems().into_iter();
    let mut all: Vec<OfferedTopology> = systems
        .flat_map(|system| system.offered().iter().copied())
        .collect();
    all.sort_by_key(|offered| offered.name);
    all
}

fn read(text: &str, all: &[OfferedTopology]) -> Result<StaticTopology, TopologyTextError> {
    let wrong = |says: String, help: String| TopologyTextError {
        text: text.to_owned(),
        says,
        help,
    };
    let (name, items) = match text.split_once('(') {
        None => (text.trim(), ""),
        Some((name, rest)) => match rest.trim_end().strip_suffix(')') {
            Some(items) => (name.trim(), items),
            None => {
                let help = format!("write `{}(..)`", name.trim());
                return Err(wrong("the closing parenthesis is missing".to_owned(), help));
            }
        },
    };
    let Some(offered) = all.iter().find(|offered| offered.name == name) else {
        let names: Vec<&str> = all.iter().map(|offered| offered.name).collect();
        let help = match closest(name, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the topologies are {}", names.join(", ")),
        };
        return Err(wrong(format!("there is no topology `{name}`"), help));
    };
    let mut topology = offered.topology;
    let items: Vec<&str> = items
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect();
    for item in items {
        let read = offered.item(item);
        topology = match read.map_err(|says| wrong(says, offered.in_words()))? {
            Item::Word(word) => topology.with_word(word),
            Item::Number(name, value) => topology.with(name, value),
        };
    }
    Ok(topology)
}

impl OfferedTopology {
    /// What can be said of it, as a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        let numbers = self.numbers.iter().map(|name| format!("{name} = N"));
        let words = self.words.iter().map(|word| (*word).to_owned());
        let parts: Vec<String> = numbers.chain(words).collect();
        match parts.is_empty() {
            true => format!("`{}` has nothing to set", self.name),
            false => format!("`{}` takes {}", self.name, parts.join(", ")),
        }
    }

    fn item(&self, item: &str) -> Result<Item, String> {
        let known = |names: &'static [&'static str], name| {
            let mut names = names.iter();
            names.find(|known| **known == name).copied()
        };
        let Some((name, value)) = item.split_once('=') else {
            return match known(self.words, item) {
                Some(word) => Ok(Item::Word(word)),
                None if known(self.numbers, item).is_some() => {
                    Err(format!("`{item}` needs a number"))
                }
                None => Err(format!("unknown word `{item}`")),
            };
        };
        let (name, value) = (name.trim(), value.trim());
        let Some(name) = known(self.numbers, name) else {
            return Err(format!("unknown number `{name}`"));
        };
        match value.parse() {
            Ok(value) => Ok(Item::Number(name, value)),
            Err(_) => Err(format!("`{value}` is not a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[OfferedTopology] = &[OfferedTopology {
        name: "ring",
        about: "a ring",
        topology: StaticTopology::new("db", "ring"),
        numbers: &["servers", "spares"],
        words: &["tls", "links"],
    }];

    #[test]
    fn numbers_and_words_in_any_order() {
        for (text, expected) in [
            ("ring", "db ring"),
            ("ring()", "db ring"),
            (" ring ( tls ) ", "db ring(tls)"),
            ("ring(links, servers=5)", "db ring(servers = 5, links)"),
            (
                "ring(servers = 5, spares = 1, tls,)",
                "db ring(servers = 5, spares = 1, tls)",
            ),
        ] {
            let read = read(text, ALL).unwrap();
            assert_eq!(read.to_topology().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_there_is() {
        let takes = "`ring` takes servers = N, spares = N, tls, links";
        for (text, says, help) in [
            (
                "rign(tls)",
                "there is no topology `rign`",
                "did you mean `ring`?",
            ),
            (
                "galaxy",
                "there is no topology `galaxy`",
                "the topologies are ring",
            ),
            (
                "ring(tls",
                "the closing parenthesis is missing",
                "write `ring(..)`",
            ),
            ("ring(tsl)", "unknown word `tsl`", takes),
            ("ring(servers)", "`servers` needs a number", takes),
            ("ring(members = 3)", "unknown number `members`", takes),
            ("ring(servers = many)", "`many` is not a number", takes),
            ("ring(servers = -1)", "`-1` is not a number", takes),
        ] {
            let error = read(text, ALL).unwrap_err();
            assert_eq!((error.says.as_str(), error.help.as_str()), (says, help));
        }
    }
}
