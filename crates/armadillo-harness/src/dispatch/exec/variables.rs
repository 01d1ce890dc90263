//! What a command is told in its environment: how to reach its deployments.

use std::collections::{BTreeMap, BTreeSet};

use armadillo_orchestrator::Topology;
use armadillo_orchestrator::closest::closest;

use crate::needs::MOST;
use crate::protocol::daemon::Grant;
use crate::session::{SESSION, numbers};

/// Variables by name. Some of the values are secrets, so they are never shown.
pub(super) struct Variables(BTreeMap<String, String>);

/// Why a template makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum VariableError {
    /// It has no name.
    #[error("`{0}` has no name")]
    NoName(String),
    /// It has an unmatched brace.
    #[error("the template of {name} has an unmatched brace: {template}")]
    Brace {
        /// The variable.
        name: String,
        /// Its template.
        template: String,
    },
    /// The servers will not have such a variable.
    #[error(
        "the template of {name} has `{{{unknown}}}`, but the servers have no variable of this name"
    )]
    Unknown {
        /// The variable.
        name: String,
        /// What is in braces.
        unknown: String,
        /// What can be.
        known: BTreeSet<String>,
    },
}

impl VariableError {
    /// What would be right.
    pub(super) fn help(&self) -> String {
        match self {
            Self::NoName(_) | Self::Brace { .. } => {
                "write --env NAME=TEMPLATE, where a template is a text with variables of the servers in braces, such as \
                 `URL={MYDB_ENDPOINTS}`; a brace itself is written twice, `{{` or `}}`"
                    .to_owned()
            }
            Self::Unknown { unknown, known, .. } => {
                let meant = closest(unknown, known.iter().map(String::as_str));
                let meant = meant.map(|meant| format!("did you mean `{{{meant}}}`? "));
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let known = known.join(", ");
                format!("{}they have {known}", meant.unwrap_or_default())
            }
        }
    }
}

/// What the names of the variables of a system's n-th deployment end with.
fn end(number: usize) -> String {
    match number {
        1 => String::new(),
        number => format!("_{number}"),
    }
}

/// The variables for the holder of these. Where two deployments are of one
/// system, the names of the second's end with `_2`.
pub(super) fn of_leases<'a>(leases: impl Iterator<Item = &'a Grant>) -> Variables {
    let grants: Vec<&Grant> = leases.collect();
    let systems = grants.iter().map(|grant| &*grant.view.topology.system);
    let mut all = BTreeMap::new();
    for (grant, number) in grants.iter().zip(numbers(systems)) {
        let system = armadillo_orchestrator::system(&grant.view.topology.system);
        let own = system.map(|system| system.environment(&grant.view));
        let own = own.unwrap_or_default().into_iter();
        all.extend(own.map(|(name, value)| (name + &end(number), value)));
    }
    Variables(all)
}

/// The names that those of deployments of these complete topologies will have.
fn known(topologies: &[Topology]) -> BTreeSet<String> {
    let systems = topologies.iter().map(|topology| &*topology.system);
    let mut known = BTreeSet::from([SESSION.to_owned()]);
    for (topology, number) in topologies.iter().zip(numbers(systems)) {
        let system = armadillo_orchestrator::system(&topology.system);
        let own = system.map(|system| system.variables(Some(topology)));
        known.extend(
            own.unwrap_or_default()
                .iter()
                .map(|name| name.to_string() + &end(number)),
        );
    }
    known
}

/// Every name that a variable of any session can have.
pub(super) fn of_any_session() -> impl Iterator<Item = String> {
    let systems = armadillo_orchestrator::systems().into_iter();
    let names = systems.flat_map(|system| system.variables(None));
    names.flat_map(|name| (1..=MOST).map(move |number| name.to_owned() + &end(number)))
}

impl Variables {
    /// Adds one.
    pub(super) fn add(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// All of them.
    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether these templates can be filled with the variables of deployments of these complete topologies.
    ///
    /// # Errors
    /// The first that cannot.
    pub(super) fn check(
        templates: &[(String, String)],
        topologies: &[Topology],
    ) -> Result<(), VariableError> {
        let known = known(topologies);
        for (name, template) in templates {
            if name.is_empty() || name.contains('\0') {
                return Err(VariableError::NoName(format!("{name}={template}")));
            }
            let parts = parts(template).ok_or_else(|| VariableError::Brace {
                name: name.clone(),
                template: template.clone(),
            })?;
            let mut names = parts.iter().filter_map(|part| match part {
                Part::Name(name) => Some(*name),
                Part::Text(_) => None,
            });
            if let Some(unknown) = names.find(|name| !known.contains(*name)) {
                return Err(VariableError::Unknown {
                    name: name.clone(),
                    unknown: unknown.to_owned(),
                    known,
                });
            }
        }
        Ok(())
    }

    /// The templates with every variable in braces replaced by its value.
    ///
    /// # Errors
    /// When a name is none of a variable, with those that there are.
    pub(super) fn filled(
        &self,
        templates: &[(String, String)],
    ) -> Result<BTreeMap<String, String>, String> {
        let fill = |template: &str| -> Result<String, String> {
            let parts = parts(template).unwrap_or_default().into_iter();
            parts.map(|part| self.value(part)).collect()
        };
        let filled = templates.iter();
        filled
            .map(|(name, template)| Ok((name.clone(), fill(template)?)))
            .collect()
    }

    fn value(&self, part: Part<'_>) -> Result<String, String> {
        match part {
            Part::Text(text) => Ok(text.to_owned()),
            Part::Name(name) => self.0.get(name).cloned().ok_or_else(|| {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                let known = known.join(", ");
                format!("--env: the servers have no variable `{name}`; they have {known}")
            }),
        }
    }
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The parts of a template; `None` if a brace is unmatched.
fn parts(template: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, from) = rest.split_at(at);
        let (brace, after) = from.split_at(1);
        parts.push(Part::Text(text));
        rest = match after.strip_prefix(brace) {
            Some(after) => {
                parts.push(Part::Text(brace));
                after
            }
            None if brace == "}" => return None,
            None => {
                let (name, after) = after.split_once('}')?;
                parts.push(Part::Name(name));
                after
            }
        };
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let all = [("ENDPOINTS", "http://a,http://b"), ("USER", "root")];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Variables(all.into_iter().map(owned).collect())
    }

    #[test]
    fn templates_are_filled() {
        for (template, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{ENDPOINTS}", "http://a,http://b"),
            ("basic:{USER}:{USER}!", "basic:root:root!"),
            ("{{\"user\": \"{USER}\"}}", "{\"user\": \"root\"}"),
        ] {
            let templates = [("X".to_owned(), template.to_owned())];
            assert_eq!(variables().filled(&templates).unwrap()["X"], expected);
        }
        let error = variables().filled(&[("X".to_owned(), "{ENDPOINT}".to_owned())]);
        assert_eq!(
            error.unwrap_err(),
            "--env: the servers have no variable `ENDPOINT`; they have ENDPOINTS, USER"
        );
    }

    #[test]
    fn templates_that_make_no_sense_are_refused() {
        for template in ["{USER", "USER}", "a}b{c}", "{USER}}"] {
            let templates = [("X".to_owned(), template.to_owned())];
            let refused = Variables::check(&templates, &[]);
            assert!(
                matches!(refused, Err(VariableError::Brace { .. })),
                "{template}: {refused:?}"
            );
        }
        let nameless = Variables::check(&[(String::new(), "x".to_owned())], &[]);
        assert_eq!(nameless, Err(VariableError::NoName("=x".to_owned())));
    }
}
