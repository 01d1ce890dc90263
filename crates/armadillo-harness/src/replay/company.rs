//! Which tests a test has met on its deployments: those that used them before it, and those beside it.

use std::collections::BTreeSet;

use super::Record;
use crate::script::Move;

/// When a test used a deployment of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// It had ended when the other one began.
    Before,
    /// At the same time.
    Beside,
}

impl Where {
    /// For people and programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Beside => "beside",
        }
    }
}

/// A test that used a deployment of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Companion {
    /// Its number in the record.
    pub test: usize,
    /// When.
    pub met: Where,
}

/// A test, and those that it has met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// The number of the test.
    pub test: usize,
    /// Those that used a deployment of it until it ended, in the order in which they began.
    pub companions: Vec<Companion>,
}

impl Company {
    /// The tests of a script with these companions.
    #[must_use]
    pub fn with(&self, companions: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        companions.into_iter().chain([self.test]).collect()
    }

    /// The tests of a script with all of them.
    #[must_use]
    pub fn all(&self) -> BTreeSet<usize> {
        self.with(self.companions.iter().map(|companion| companion.test))
    }
}

/// Those that a test has met.
#[must_use]
pub fn company(record: &Record, test: usize) -> Company {
    let on: BTreeSet<&String> = record.tests[test].on.iter().collect();
    let meets = |other: usize| record.tests[other].on.iter().any(|word| on.contains(word));
    let (mut has_begun, mut ended) = (false, BTreeSet::new());
    let mut begun = Vec::new();
    for step in &record.moves {
        match *step {
            Move::Begin(other) if other == test => has_begun = true,
            Move::End(other) if other == test => break,
            Move::Begin(other) if meets(other) => begun.push(other),
            Move::End(other) if !has_begun => _ = ended.insert(other),
            Move::Begin(_) | Move::End(_) => {}
        }
    }
    let companions = begun.into_iter().map(|other| Companion {
        test: other,
        met: match ended.contains(&other) {
            true => Where::Before,
            false => Where::Beside,
        },
    });
    Company {
        test,
        companions: companions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::record::tests::{run, words};

    #[test]
    fn those_on_its_deployments_until_it_ended() {
        let record = run(
            "+early@x +other@y -early +plain +long@x,y +t@x !long +late@x !t +after@x -late -after",
        );
        let met = company(&record, record.place("t").unwrap());
        let named = met.companions.iter();
        let named: Vec<(&str, Where)> = named
            .map(|one| (record.tests[one.test].test.as_str(), one.met))
            .collect();
        use Where::{Before, Beside};
        assert_eq!(
            named,
            [("early", Before), ("long", Beside), ("late", Beside)]
        );
        let script = record.script(Some(&met.all()));
        assert_eq!(
            words(&script),
            "+early@x -early +long@x,y +t@x -long +late@x"
        );
        let alone = record.script(Some(&met.with([])));
        assert_eq!(words(&alone), "+t@x");
    }
}
