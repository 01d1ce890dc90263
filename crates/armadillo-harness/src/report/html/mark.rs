//! A moment on the timeline of what has no form of its own there: warnings, changes of programs, and every kind of event
//! that is newer than the page.

use armadillo_orchestrator::Notice;
use serde::Serialize;
use serde_json::Value;

use crate::event::EventKind;

/// How many characters of its text are shown.
const MOST_CHARACTERS: usize = 400;

/// Something that happened at a moment, or took a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Mark {
    /// When it was seen, in microseconds from the run's start.
    pub(super) at: u64,
    /// When it was ordered, if it took a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<u64>,
    /// The kind of event, in words.
    pub(super) what: String,
    /// The server it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) server: Option<String>,
    /// When it was logged, as the log says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    /// `warn`, `error`, or nothing.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) tone: &'static str,
    /// What is to be said about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
}

impl Mark {
    pub(super) fn of_notice(us: u64, notice: &Notice) -> Self {
        match serde_json::to_value(notice) {
            Ok(Value::Object(mut fields)) => {
                let kind = fields.remove("notice");
                let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("notice");
                Self::of(us, kind, fields)
            }
            _ => Self::of(us, "notice", serde_json::Map::new()),
        }
    }

    pub(super) fn of_event(us: u64, kind: &EventKind) -> Self {
        if let Ok(Value::Object(kinds)) = serde_json::to_value(kind)
            && let Some((kind, Value::Object(fields))) = kinds.into_iter().next()
        {
            return Self::of(us, &kind, fields);
        }
        Self::of(us, "event", serde_json::Map::new())
    }

    fn of(us: u64, kind: &str, mut fields: serde_json::Map<String, Value>) -> Self {
        let took = [("took_us", 1), ("for_us", 1)]
            .into_iter()
            .find_map(|(name, unit)| Some(fields.remove(name)?.as_u64()? * unit))
            .or_else(|| duration(fields.get("took")?));
        if took.is_some() {
            fields.remove("took");
        }
        let server = match fields.remove("server") {
            Some(Value::String(server)) => Some(server),
            _ => None,
        };
        let time = match fields.remove("time") {
            Some(Value::String(time)) => Some(time),
            _ => None,
        };
        let failed = match fields.remove("result") {
            Some(Value::Object(mut result)) => result.remove("Err"),
            _ => None,
        };
        let has_failed = failed.is_some();
        if let Some(why) = failed {
            fields.insert("failed".to_owned(), why);
        }
        let tone = match fields.get("level").and_then(Value::as_str) {
            Some("error" | "fatal") => "error",
            Some("warn") => "warn",
            _ if has_failed => "error",
            _ if ["warning", "test_slow", "files_incomplete"].contains(&kind) => "warn",
            _ => "",
        };
        if kind == "logged" {
            fields.remove("level");
        }
        Self {
            at: us,
            from: took.map(|took| us.saturating_sub(took)),
            what: kind.replace('_', " "),
            server,
            time,
            tone,
            text: text(&fields),
        }
    }
}

/// A [`std::time::Duration`] as serde writes it, in microseconds.
fn duration(value: &Value) -> Option<u64> {
    let (secs, nanos) = (value.get("secs")?.as_u64()?, value.get("nanos")?.as_u64()?);
    secs.checked_mul(1_000_000)?.checked_add(nanos / 1_000)
}

/// The fields in words. What says what happened needs no name before it.
fn text(fields: &serde_json::Map<String, Value>) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let said: Vec<String> = (fields.iter())
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match name.as_str() {
            "text" | "what" | "name" | "why" => shown(value),
            _ => format!("{}: {}", name.replace('_', " "), shown(value)),
        })
        .collect();
    cut(&said.join(", "), MOST_CHARACTERS)
}

/// The first so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use armadillo_orchestrator::Operation;

    use super::*;

    #[test]
    fn a_kind_that_the_page_does_not_know_loses_nothing() {
        let notice = Notice::Operation {
            server: "member-1".into(),
            operation: Operation::Kill,
            took: Duration::from_millis(3),
            result: Err("no effect".into()),
        };
        let mark = Mark::of_notice(10_000, &notice);
        assert_eq!((mark.from, mark.at), (Some(7_000), 10_000));
        assert_eq!(mark.server.as_deref(), Some("member-1"));
        assert_eq!((mark.what.as_str(), mark.tone), ("operation", "error"));
        assert_eq!(mark.text, "failed: no effect, operation: kill");
        let warning = Mark::of_notice(
            1,
            &Notice::Warning {
                text: "ü".repeat(900),
            },
        );
        assert_eq!(warning.text.chars().count(), MOST_CHARACTERS + 2);
        assert_eq!(warning.tone, "warn");
        let logged = Notice::Logged {
            server: "member-1".into(),
            level: armadillo_orchestrator::Level::Fatal,
            time: Some("12:00:00.250".into()),
            text: "giving up".into(),
        };
        let mark = Mark::of_notice(7, &logged);
        assert_eq!(mark.what, "logged");
        assert_eq!((mark.tone, mark.text.as_str()), ("error", "giving up"));
        assert_eq!(mark.time.as_deref(), Some("12:00:00.250"));
        let back = EventKind::TestPutBack {
            test: "a::b".into(),
            attempt: 1,
            why: "it was restarted".into(),
        };
        let mark = Mark::of_event(5, &back);
        assert_eq!(mark.what, "test put back");
        assert!(mark.text.contains("it was restarted"), "{}", mark.text);
    }
}
