//! The official list of start-up options, `data/arangod-options-3.12.txt`: what `arangod --dump-options` of 3.12.10 says,
//! as the documentation publishes it (`site/data/3.12/arangod.json`). Obsolete options that `arangod` still swallows are
//! not in it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::role::Role;

const LIST: &str = include_str!("../../data/arangod-options-3.12.txt");

/// One option of the official list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfficialOption {
    /// The name without dashes: `server.endpoint`.
    pub name: &'static str,
    /// The type: `boolean`, `uint64`, `string`, or `string...` for one that may be given several times.
    pub kind: &'static str,
    roles: &'static str,
}

impl OfficialOption {
    /// Whether a server of this role has the option. A few have no role in the list; every server has those.
    #[must_use]
    pub fn applies_to(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(role.letter())
    }

    /// Whether giving it again adds a value instead of replacing it.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.kind.ends_with("...")
    }
}

/// The option of that name (without dashes).
#[must_use]
pub fn official(name: &str) -> Option<&'static OfficialOption> {
    all().get(name)
}

/// Whether some option's name begins with `section.`
pub(super) fn is_section(section: &str) -> bool {
    all().keys().any(|name| {
        name.split_once('.')
            .is_some_and(|(known, _)| known == section)
    })
}

/// The official name nearest to `name`, if it is near enough to be meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let limit = (name.len() / 4).clamp(1, 3);
    all()
        .keys()
        .map(|known| (distance(name, known), *known))
        .min()
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, known)| known)
}

fn all() -> &'static BTreeMap<&'static str, OfficialOption> {
    static ALL: OnceLock<BTreeMap<&'static str, OfficialOption>> = OnceLock::new();
    ALL.get_or_init(|| {
        LIST.lines()
            .filter_map(|line| {
                let mut columns = line.strip_prefix("--")?.split('\t');
                let name = columns.next()?;
                let kind = columns.next()?;
                let roles = columns.nth(2).unwrap_or("");
                Some((name, OfficialOption { name, kind, roles }))
            })
            .collect()
    })
}

/// The number of characters to change, add or leave out to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_whole() {
        assert_eq!(all().len(), 475);
        let level = official("log.level").unwrap();
        assert!(level.repeats());
        assert!(Role::ALL.into_iter().all(|role| level.applies_to(role)));
        let size = official("agency.size").unwrap();
        assert!(size.applies_to(Role::Agent) && !size.applies_to(Role::Single));
        assert!(
            official("server.descriptors-minimum")
                .unwrap()
                .applies_to(Role::Single)
        );
        assert_eq!(official("--log.level"), None);
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("log.levl"), Some("log.level"));
        assert_eq!(nearest("sever.endpoint"), Some("server.endpoint"));
        assert_eq!(nearest("snapshot-count"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
