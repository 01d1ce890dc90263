//! The table of rights: `tests/data/rights-3.12.10.tsv`, which explains its form.

use std::collections::HashMap;

const RIGHTS: &str = include_str!("../../data/rights-3.12.10.tsv");

/// Grants by their letters: none was ever made, none, ro, rw.
pub(super) const GRANTS: [char; 4] = ['U', 'N', 'R', 'W'];

/// The server that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Single,
    Coordinator,
    /// A single server in read-only mode.
    ReadOnly,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Coordinator => "coordinator",
            Self::ReadOnly => "read-only",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asker {
    /// A user whose password is the name.
    User(String),
    Superuser,
    Nobody,
}

impl Asker {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::User(name) => name,
            Self::Superuser => "superuser",
            Self::Nobody => "nobody",
        }
    }
}

/// A status and the `errorNum` of the body.
pub(super) type Seen = (u16, u64);

/// Writes what was seen as the table does.
pub(super) fn shown((status, number): Seen) -> String {
    match number {
        0 => status.to_string(),
        number => format!("{status}/{number}"),
    }
}

/// Who asks, and what the real one answered; nothing if it was not asked.
pub(super) struct Cell {
    /// How the users' names are found in lists: with the section where that makes a difference.
    pub(super) asker: Asker,
    /// The grants on the collection and on all collections, of those who have no name.
    pub(super) row: String,
    pub(super) recorded: Option<Seen>,
}

/// One request of the recording.
pub(super) struct Case {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) body: &'static str,
    /// What has to be there before the request.
    pub(super) needs: Vec<&'static str>,
    /// What a request that succeeds leaves behind.
    pub(super) leaves: Option<&'static str>,
    patterns: [&'static str; 3],
    single: &'static str,
    read_only: &'static str,
}

impl Case {
    /// The pattern in a section; nothing if the section has no such request.
    fn pattern(&self, section: char, mode: Mode) -> Option<&'static str> {
        let others = match mode {
            Mode::Coordinator => vec![],
            Mode::Single => vec![self.single],
            Mode::ReadOnly => vec![self.read_only, self.single],
        };
        let mut others = others.iter().flat_map(|names| names.split(' '));
        let place = "CDA".find(section).unwrap();
        let own = self.patterns[place];
        let found = others.find(|name| name.starts_with(section));
        Some(found.unwrap_or(own)).filter(|name| *name != "-")
    }
}

/// The whole table.
pub(super) struct Table {
    pub(super) cases: Vec<Case>,
    patterns: HashMap<&'static str, Vec<&'static str>>,
}

impl Table {
    pub(super) fn read() -> Self {
        let mut table = Self {
            cases: Vec::new(),
            patterns: HashMap::new(),
        };
        for line in RIGHTS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["pattern", name, rows @ ..] => drop(table.patterns.insert(name, rows.to_vec())),
                [
                    "case",
                    _,
                    method,
                    path,
                    body,
                    needs,
                    leaves,
                    c,
                    d,
                    a,
                    single,
                    read_only,
                ] => {
                    let something = |text: &&&str| **text != "-";
                    table.cases.push(Case {
                        method,
                        path,
                        body: Some(body).filter(something).unwrap_or(&""),
                        needs: Some(needs)
                            .filter(something)
                            .map_or_else(Vec::new, |names| names.split(' ').collect()),
                        leaves: Some(leaves).filter(something).copied(),
                        patterns: [c, d, a],
                        single,
                        read_only,
                    });
                }
                other => panic!("{other:?}"),
            }
        }
        table
    }

    /// Everybody who asks in a section, with what was recorded.
    pub(super) fn cells(&self, case: &Case, section: char, mode: Mode) -> Vec<Cell> {
        let Some(pattern) = case.pattern(section, mode) else {
            return Vec::new();
        };
        let rows = &self.patterns[pattern];
        match section {
            'C' => GRANTS
                .iter()
                .flat_map(|own| GRANTS.map(|all| (*own, all)))
                .flat_map(|(own, all)| by_grant(row(rows, own, all), &format!("{own}{all}")))
                .collect(),
            'D' => by_grant(rows[0], "UU"),
            _ => {
                let named = GRANTS.map(|grant| Asker::User(format!("A{grant}")));
                let askers = named.into_iter().chain([Asker::Superuser, Asker::Nobody]);
                cells(rows[0], askers, "")
            }
        }
    }
}

/// The row of these grants.
fn row(rows: &[&'static str], own: char, all: char) -> &'static str {
    let fits = |row: &&str| {
        let (grants, cells) = row.split_once(' ')?;
        let alls = grants.strip_prefix(own)?;
        (alls == "*" || alls.contains(all)).then_some(())?;
        let start = row.len() - cells.len();
        Some(start)
    };
    rows.iter()
        .find_map(|row| fits(row).map(|start| &row[start..]))
        .unwrap_or_else(|| panic!("{rows:?} has no row {own}{all}"))
}

fn by_grant(row: &'static str, rest: &str) -> Vec<Cell> {
    let named = GRANTS.map(|grant| Asker::User(format!("{grant}{rest}")));
    cells(row, named.into_iter().chain([Asker::Nobody]), rest)
}

fn cells(row: &'static str, askers: impl Iterator<Item = Asker>, rest: &str) -> Vec<Cell> {
    let recorded: Vec<&str> = row.split(' ').collect();
    let askers: Vec<Asker> = askers.collect();
    assert_eq!(recorded.len(), askers.len(), "{row}");
    let cell = |(asker, text): (Asker, &str)| Cell {
        asker,
        row: String::from(rest),
        recorded: seen(text),
    };
    askers.into_iter().zip(recorded).map(cell).collect()
}

fn seen(text: &str) -> Option<Seen> {
    if text == "SKIP" {
        return None;
    }
    let (status, number) = text.split_once('/').unwrap_or((text, "0"));
    Some((status.parse().unwrap(), number.parse().unwrap()))
}
