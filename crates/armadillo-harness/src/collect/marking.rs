//! Markers that a test gets from outside: who added which.

use std::fmt;

use armadillo_orchestrator::systems;

use super::Test;
use crate::markers::Markers;
use crate::select::{Expression, ExpressionError, Language, Marked, Node, Term};

/// A marker with its arguments, as it is written in an attribute: `slow`, `suite("auth")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A marker that was added to a test, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedMarker {
    /// The marker.
    pub marker: Marker,
    /// What added it: `armadillo.toml:12`, `hook suite::by_fixture`.
    pub by: String,
}

/// Why a marker cannot be added to a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) help: String,
}

impl Marker {
    /// Reads one marker as an attribute and `-m` write it.
    ///
    /// # Errors
    /// When the text is no marker, or more than one.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let parsed = Expression::parse(text, Language::Markers)?;
        match parsed.root() {
            Node::Term(Term { word, args, .. }) => Ok(Self {
                name: word.clone(),
                args: args.clone(),
            }),
            _ => Err(ExpressionError {
                text: text.to_owned(),
                place: 0..text.len(),
                reason: "this is an expression, not one marker".to_owned(),
                suggestion:
                    "write a marker as in the attribute of a test: `slow`, `suite(\"auth\")`"
                        .to_owned(),
            }),
        }
    }

    /// Whether a test can have this marker from outside its attribute: it is declared, and chooses no deployment.
    pub(super) fn check(&self, declared: &Markers) -> Result<(), Refused> {
        let name = &self.name;
        if !declared.declares(name) {
            return Err(Refused {
                why: format!("the marker `{name}` is not declared"),
                help: declared.how_to_declare(name),
            });
        }
        let mut systems = systems().into_iter();
        if systems.any(|system| system.shape_of_marker(name).is_some()) {
            return Err(Refused {
                why: format!("the marker `{name}` chooses the deployment of a test"),
                help: "write it in the attribute of the test: its fixtures must fit it".to_owned(),
            });
        }
        Ok(())
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.args.is_empty() {
            return Ok(());
        }
        let args: Vec<String> = self.args.iter().map(|arg| format!("{arg:?}")).collect();
        write!(f, "({})", args.join(", "))
    }
}

impl Marked for Marker {
    fn carries(&self, name: &str, args: &[String]) -> bool {
        self.name == name && args.iter().all(|arg| self.args.contains(arg))
    }
}

impl Marked for Test {
    fn carries(&self, name: &str, args: &[String]) -> bool {
        let mut added = self.added.iter();
        self.markers.carries(name, args) || added.any(|added| added.marker.carries(name, args))
    }
}

impl Test {
    /// Adds a marker, unless the test has the same.
    pub(super) fn add_marker(&mut self, marker: &Marker, by: &str) {
        if !self.written_markers().contains(&marker.to_string()) {
            self.added.push(AddedMarker {
                marker: marker.clone(),
                by: by.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_marker_is_read_as_an_attribute_writes_it() {
        for text in ["slow", "suite(\"auth\", \"net\")"] {
            assert_eq!(Marker::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "slow and fast", "not slow", "slow fast", "suite("] {
            assert!(Marker::parse(wrong).is_err(), "{wrong}");
        }
    }
}
