//! The tables: which endpoint answers what.

use std::collections::BTreeMap;

use crate::read::{self, Named};
use crate::shape::Shape;

/// The files, each with its name for error messages.
const FILES: [(&str, &str); 5] = [
    ("sources.tsv", include_str!("../data/sources.tsv")),
    ("server.tsv", include_str!("../data/server.tsv")),
    ("cluster.tsv", include_str!("../data/cluster.tsv")),
    ("agency.tsv", include_str!("../data/agency.tsv")),
    ("data.tsv", include_str!("../data/data.tsv")),
];

/// A line of a table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct ContractError {
    file: &'static str,
    line: usize,
    what: String,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A server without a cluster.
    Single,
    /// A member of the agency.
    Agent,
    /// A server that keeps shards.
    DbServer,
    /// A server that clients of a cluster talk to.
    Coordinator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Single, Self::Agent, Self::DbServer, Self::Coordinator];

    /// As the tables write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Agent => "agent",
            Self::DbServer => "dbserver",
            Self::Coordinator => "coordinator",
        }
    }

    fn read(text: &str) -> Result<Vec<Self>, String> {
        text.split(' ')
            .map(|word| match word {
                "all" => Ok(Self::ALL.to_vec()),
                "single" => Ok(vec![Self::Single]),
                "agent" => Ok(vec![Self::Agent]),
                "dbserver" => Ok(vec![Self::DbServer]),
                "coordinator" => Ok(vec![Self::Coordinator]),
                other => Err(format!("{other:?} is no role")),
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|roles| roles.concat())
    }
}

/// How far a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its port is open, its data are not there yet: `--server.early-connections`.
    Early,
    /// Its port is open, and it is on its way up.
    Maintenance,
    /// It serves.
    Serving,
    /// It is on its way down.
    Stopping,
}

impl Phase {
    fn read(text: &str) -> Result<Vec<Self>, String> {
        text.split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| match word {
                "early" => Ok(Self::Early),
                "maintenance" => Ok(Self::Maintenance),
                "serving" => Ok(Self::Serving),
                "stopping" => Ok(Self::Stopping),
                other => Err(format!("{other:?} is no phase")),
            })
            .collect()
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Row {
    /// The verb.
    pub method: String,
    /// The path with its query. A segment in braces stands for any.
    pub path: String,
    /// The body of the request; empty if it has none.
    pub request: String,
    /// Which servers answer so.
    pub roles: Vec<Role>,
    /// When they do; empty for an answer that only recorded exchanges are compared with.
    pub phases: Vec<Phase>,
    /// Who asks: `superuser`, `root` (by password) or `nobody`.
    pub asker: String,
    /// The HTTP status.
    pub status: u16,
    /// `errorNum`, if the body has one.
    pub number: Option<u64>,
    /// The body; nothing if it is empty or no JSON.
    pub body: Option<Shape>,
    /// Who may ask: `everybody`, `user` (with a right on the database), `admin`, `superuser`.
    pub who: String,
    /// The tags of the sources.
    pub sources: Vec<String>,
}

/// All tables.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    /// What the sources are, by tag.
    pub sources: BTreeMap<String, String>,
    /// The answers.
    pub rows: Vec<Row>,
    /// What no source says: the endpoint, and what is not known of it.
    pub unknown: Vec<(String, String)>,
    named: Named,
}

impl Contract {
    /// Reads the tables.
    ///
    /// # Errors
    ///
    /// If a line cannot be read.
    pub fn read() -> Result<Self, ContractError> {
        let mut contract = Self::default();
        for (file, text) in FILES {
            for (number, line) in text.lines().enumerate() {
                let failed = |what| ContractError {
                    file,
                    line: number + 1,
                    what,
                };
                contract.line(line).map_err(failed)?;
            }
        }
        Ok(contract)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["source", tag, text] => {
                self.sources.insert((*tag).to_owned(), (*text).to_owned());
            }
            ["shape", name, text] => {
                let shape = read::shape(text, &self.named)?;
                self.named.insert((*name).to_owned(), shape);
            }
            ["unknown", endpoint, what] => {
                self.unknown
                    .push(((*endpoint).to_owned(), (*what).to_owned()));
            }
            [
                "answer",
                request,
                body,
                roles,
                phases,
                asker,
                status,
                shape,
                who,
                sources,
            ] => {
                let row = self.row([
                    request, body, roles, phases, asker, status, shape, who, sources,
                ])?;
                self.rows.push(row);
            }
            // It needs what a row cannot say, a header: only recorded exchanges are compared.
            ["recorded", request, roles, status, shape, sources] => {
                let row = [
                    request,
                    "-",
                    roles,
                    "",
                    "superuser",
                    status,
                    shape,
                    "user",
                    sources,
                ];
                let row = self.row(row)?;
                self.rows.push(row);
            }
            _ => return Err("the line has not the fields of its kind".to_owned()),
        }
        Ok(())
    }

    fn row(&self, fields: [&str; 9]) -> Result<Row, String> {
        let [
            request,
            body,
            roles,
            phases,
            asker,
            status,
            shape,
            who,
            sources,
        ] = fields;
        let (method, path) = request
            .split_once(' ')
            .ok_or("a verb and a path expected")?;
        let (status, number) = match status.split_once('/') {
            Some((status, number)) => (status, Some(number)),
            None => (status, None),
        };
        let no_number = |_| format!("{status:?} is no status");
        let sources: Vec<String> = sources.split(' ').map(str::to_owned).collect();
        for tag in &sources {
            if !self.sources.contains_key(tag) {
                return Err(format!("there is no source {tag:?}"));
            }
        }
        for (value, known) in [
            (asker, ["superuser", "root", "nobody"].as_slice()),
            (who, ["everybody", "user", "admin", "superuser"].as_slice()),
        ] {
            if !known.contains(&value) {
                return Err(format!("{value:?} is nobody"));
            }
        }
        let something = |text: &str| (text != "-").then(|| text.to_owned());
        Ok(Row {
            method: method.to_owned(),
            path: path.to_owned(),
            request: something(body).unwrap_or_default(),
            roles: Role::read(roles)?,
            phases: Phase::read(phases)?,
            asker: asker.to_owned(),
            status: status.parse().map_err(no_number)?,
            number: number
                .map(str::parse)
                .transpose()
                .map_err(|_| "no number".to_owned())?,
            body: something(shape)
                .map(|text| read::shape(&text, &self.named))
                .transpose()?,
            who: who.to_owned(),
            sources,
        })
    }

    /// A shape by its name.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.named.get(name)
    }

    /// The rows that fit a request to a server that serves, whose answer has this status.
    pub fn fitting<'a>(
        &'a self,
        method: &'a str,
        path: &'a str,
        role: Role,
        status: u16,
    ) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| {
            row.method == method
                && row.roles.contains(&role)
                && (row.phases.is_empty() || row.phases.contains(&Phase::Serving))
                && row.status == status
                && same_path(&row.path, path)
        })
    }
}

/// Whether a path fits the pattern; neither database nor query matter.
fn same_path(pattern: &str, path: &str) -> bool {
    fn segments(path: &str) -> Vec<&str> {
        let path = path.split('?').next().unwrap_or(path);
        let mut segments: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        if segments.first() == Some(&"_db") && segments.len() > 1 {
            segments.drain(..2);
        }
        segments
    }
    let (pattern, path) = (segments(pattern), segments(path));
    pattern.len() == path.len()
        && pattern
            .iter()
            .zip(path)
            .all(|(wanted, found)| wanted.starts_with('{') || *wanted == found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(shape: &str, value: serde_json::Value) -> Vec<String> {
        let shape = read::shape(shape, &Named::new()).unwrap_or_else(|error| panic!("{error}"));
        shape.complaints(&value)
    }

    #[test]
    fn keys_too_many_and_too_few_are_wrong() {
        let shape = r#"{a:int, b?:string|null, c:[{*:bool}], "d e":"x"|"y"}"#;
        let good = json!({ "a": 1, "c": [{ "k": true }], "d e": "y" });
        assert!(complaints(shape, good).is_empty());
        let bad = json!({ "a": 1.5, "b": 1, "c": [{ "k": 0 }], "f": 0 });
        assert_eq!(
            complaints(shape, bad),
            [
                ".a is 1.5, not int",
                ".b is 1, not string",
                ".c[0].k is 0, not bool",
                ".d e is missing",
                ".f is not in the contract"
            ]
        );
        assert!(complaints("{a:any, ...}", json!({ "a": null, "b": 1 })).is_empty());
        assert!(read::shape("{a:integer}", &Named::new()).is_err());
    }

    #[test]
    fn the_tables_can_be_read_and_use_all_their_sources() -> Result<(), ContractError> {
        let contract = Contract::read()?;
        assert!(contract.rows.len() > 100, "{}", contract.rows.len());
        for tag in contract.sources.keys() {
            let used = contract.rows.iter().any(|row| row.sources.contains(tag));
            assert!(used, "no row has the source {tag}");
        }
        Ok(())
    }
}
