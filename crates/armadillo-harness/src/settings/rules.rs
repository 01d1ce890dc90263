//! `[[rule]]` of `armadillo.toml`.

use armadillo_orchestrator::closest::closest;
use toml_span::Value;
use toml_span::value::{Key, Table};

use super::error::{UsageError, Wrong};
use super::file::Reader;
use crate::collect::{Marker, Rule};
use crate::select::{Expression, Language};

/// The keys of a rule.
const KEYS: [&str; 4] = ["markers", "fixture", "name", "path"];

impl Reader<'_> {
    /// All rules, in their order.
    pub(super) fn rules(
        &self,
        place: &Key<'_>,
        value: &Value<'_>,
    ) -> Result<Vec<Rule>, UsageError> {
        let rules = value
            .as_array()
            .map(|rules| rules.iter().map(|rule| (rule.span, rule.as_table())));
        let Some(rules) = rules else {
            let reason = "expected a list of rules".to_owned();
            return Err(self.wrong(
                place.span,
                "rule",
                reason,
                "begin each rule with `[[rule]]`",
            ));
        };
        let mut all = Vec::new();
        for (span, rule) in rules {
            let Some(rule) = rule else {
                let reason = "expected a section".to_owned();
                return Err(self.wrong(span, "rule", reason, "begin each rule with `[[rule]]`"));
            };
            all.push(self.rule(rule, span)?);
        }
        Ok(all)
    }

    fn rule(&self, table: &Table<'_>, span: toml_span::Span) -> Result<Rule, UsageError> {
        let first = table
            .keys()
            .map(|key| key.span)
            .min_by_key(|span| span.start);
        let span = first.unwrap_or(span);
        let mut rule = Rule {
            markers: Vec::new(),
            fixture: None,
            name: None,
            path: None,
            source: self.source(span, "rule"),
        };
        for (key, value) in table {
            let name = key.name.as_ref();
            let full = format!("rule.{name}");
            let said = |wrong: Wrong| wrong.said_by(&self.source(value.span, &full));
            match name {
                "markers" => {
                    rule.source = self.source(key.span, "rule");
                    for text in self.texts(&full, value)? {
                        let marker = Marker::parse(&text).map_err(|error| said(error.into()))?;
                        rule.markers.push(marker);
                    }
                }
                "name" => {
                    let text = self.text(&full, value)?;
                    let parsed = Expression::parse(&text, Language::Keywords);
                    rule.name = Some(parsed.map_err(|error| said(error.into()))?);
                }
                "fixture" => rule.fixture = Some(self.text(&full, value)?),
                "path" => rule.path = Some(self.text(&full, value)?),
                _ => {
                    let help = match closest(name, KEYS) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("a rule has the keys {}", KEYS.join(", ")),
                    };
                    return Err(self.wrong(key.span, &full, "unknown key".to_owned(), &help));
                }
            }
        }
        let is_for_all = rule.fixture.is_none() && rule.name.is_none() && rule.path.is_none();
        let lacks = match () {
            () if rule.markers.is_empty() => Some(("adds no marker", "add `markers = [\"slow\"]`")),
            () if is_for_all => Some((
                "applies to every test",
                "add `fixture = \"..\"`, `name = \"..\"` or `path = \"..\"`",
            )),
            () => None,
        };
        match lacks {
            Some((reason, help)) => {
                Err(self.wrong(span, "rule", format!("the rule {reason}"), help))
            }
            None => Ok(rule),
        }
    }

    /// A text that says something.
    fn text(&self, key: &str, value: &Value<'_>) -> Result<String, UsageError> {
        match value.as_str().map(str::trim) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            Some(_) => {
                let reason = "the text is empty".to_owned();
                Err(self.wrong(value.span, key, reason, "remove the key, or write a text"))
            }
            None => {
                let reason = "expected a string".to_owned();
                Err(self.wrong(value.span, key, reason, "write a text in quotes"))
            }
        }
    }

    fn texts(&self, key: &str, value: &Value<'_>) -> Result<Vec<String>, UsageError> {
        match value.as_array() {
            Some(list) => list.iter().map(|value| self.text(key, value)).collect(),
            None => Ok(vec![self.text(key, value)?]),
        }
    }
}
