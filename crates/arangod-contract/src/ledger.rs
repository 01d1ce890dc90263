//! What Armadillo assumes of arangod, and who says so.

use std::fmt::Write as _;

use crate::contract::{Contract, Role};

const LEDGER: &str = include_str!("../data/ledger.tsv");

/// Who says that an assumption holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Published sources or the documentation.
    Verified,
    /// A recorded exchange with a real server.
    Recorded,
    /// Nobody: it is a guess.
    Nobody,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Verified, Self::Recorded, Self::Nobody];

    /// As the ledger writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Recorded => "recorded",
            Self::Nobody => "nobody",
        }
    }
}

/// A row of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Assumption {
    /// A letter for the subject, and a number.
    pub id: &'static str,
    /// What is assumed.
    pub text: &'static str,
    /// Who says so.
    pub kind: Kind,
    /// Where.
    pub source: &'static str,
    /// The test that holds Armadillo or the stand-in to it.
    pub test: &'static str,
}

/// All rows.
///
/// # Errors
///
/// If a line is not one; the error is the line.
pub fn ledger() -> Result<Vec<Assumption>, &'static str> {
    let lines = LEDGER.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&'static str> = line.split('\t').collect();
            let [id, text, kind, source, test] = fields[..] else {
                return Err(line);
            };
            let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
            Ok(Assumption {
                id,
                text,
                kind: kind.ok_or(line)?,
                source,
                test,
            })
        })
        .collect()
}

const TOP: &str = "\
# Assumptions about arangod

<!-- Generated from crates/arangod-contract/data. To update it, run
ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-arangodb --test assumptions -->

This page lists what Armadillo assumes about `arangod` 3.12. No `arangod` was available to check it. Each assumption has a kind:

* *verified*: published sources say so. A file name is a file in `arangodb/arangodb`, with its commit or date; *docs* is
  docs.arangodb.com for 3.12, whose pages are in `arangodb/docs-hugo`; *Starter* is `arangodb-helper/arangodb`.
* *recorded*: it was recorded from a real 3.12.10.
* *nobody*: no source says so. It is a guess.

The last column names a test that checks Armadillo (`crates/armadillo-arangodb`) or the emulator (`crates/arangod-emulator`)
against the assumption. The number of assumptions of each kind:

";

/// The page `docs/assumptions.md`.
#[must_use]
pub fn manual(ledger: &[Assumption], contract: &Contract) -> String {
    let mut text = String::from(TOP);
    for kind in Kind::ALL {
        let count = ledger.iter().filter(|row| row.kind == kind).count();
        let _ = writeln!(text, "* {}: {count}", kind.name());
    }
    text.push_str(
        "\n| id | assumption | kind | source | test |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in ledger {
        let Assumption {
            id,
            text: what,
            source,
            test,
            ..
        } = row;
        let kind = row.kind.name();
        let _ = writeln!(text, "| {id} | {what} | {kind} | {source} | `{test}` |");
    }
    answers(&mut text, contract);
    text
}

fn answers(text: &mut String, contract: &Contract) {
    text.push_str(
        "
## Answers

What each endpoint answers in which role and phase, with status, errorNum and keys, is in the tables of
`crates/arangod-contract/data`. The emulator is checked against them, recorded exchanges are compared with them, and Armadillo's
parsers are tested with what they allow. The number of answers by role:

| role | answers |
| --- | --- |
",
    );
    for role in Role::ALL {
        let rows = contract.rows.iter().filter(|row| row.roles.contains(&role));
        let count: usize = rows.map(|row| row.phases.len()).sum();
        let _ = writeln!(text, "| {} | {count} |", role.name());
    }
    text.push_str("\nWhat no source says:\n\n");
    for (endpoint, what) in &contract.unknown {
        let _ = writeln!(text, "* `{endpoint}`: {what}");
    }
    text.push_str("\nTheir sources:\n\n");
    for (tag, source) in &contract.sources {
        let _ = writeln!(text, "* *{tag}*: {source}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_six_assumptions_are_guesses() {
        let ledger = ledger().unwrap_or_else(|line| panic!("{line}"));
        let guesses: Vec<&str> = ledger
            .iter()
            .filter(|row| row.kind == Kind::Nobody)
            .map(|row| row.id)
            .collect();
        assert!(guesses.len() <= 6, "{guesses:?}");
    }
}
