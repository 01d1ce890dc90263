//! Reads etcd's log: a JSON object a line (zap), and whatever the Go runtime says when it gives up.

use armadillo_orchestrator::{Level, LogRecord};
use serde_json::{Map, Value};

/// Fields that are not part of what a line says.
const ENVELOPE: &[&str] = &["level", "ts", "caller", "msg", "stacktrace", "logger"];

/// One line, if it is one that starts a record.
pub(crate) fn log_line(line: &str) -> Option<LogRecord> {
    if line.starts_with('{') {
        zap(line)
    } else {
        runtime(line)
    }
}

fn zap(line: &str) -> Option<LogRecord> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let level = fields.get("level")?.as_str()?;
    let (level, crash) = match level {
        "debug" => (Level::Debug, false),
        "info" => (Level::Info, false),
        "warn" => (Level::Warn, false),
        "error" => (Level::Error, false),
        "dpanic" | "panic" | "fatal" => (Level::Fatal, true),
        _ => return None,
    };
    let mut text = fields.get("msg")?.as_str()?.to_owned();
    let details: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !ENVELOPE.contains(&name.as_str()))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        })
        .collect();
    if !details.is_empty() {
        text.push_str(&format!(" ({})", details.join(", ")));
    }
    let time = fields.get("ts").and_then(Value::as_str);
    Some(LogRecord {
        time: time.and_then(LogRecord::time_of_day),
        level,
        id: None,
        text,
        crash,
    })
}

/// The first line of a panic or of a fatal error of the Go runtime, and what etcd writes before it has a logger.
fn runtime(line: &str) -> Option<LogRecord> {
    let crash = ["panic: ", "fatal error: ", "SIGQUIT: ", "unexpected fault "]
        .iter()
        .any(|start| line.starts_with(start));
    let level = if crash {
        Level::Fatal
    } else if line.starts_with("[WARNING]") {
        Level::Warn
    } else if line.starts_with("flag provided but not defined") || line.contains(" E | etcdmain:") {
        Level::Error
    } else {
        return None;
    };
    Some(LogRecord {
        time: None,
        level,
        id: None,
        text: line.to_owned(),
        crash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_zap_is_read_with_its_fields() {
        let line = r#"{"level":"info","ts":"2026-11-22T13:20:36.240Z","caller":"embed/etcd.go:375","msg":"closed etcd server","name":"m.member-1","took":3}"#;
        let record = log_line(line).unwrap();
        assert_eq!(record.level, Level::Info);
        assert_eq!(
            record.text,
            "closed etcd server (name: m.member-1, took: 3)"
        );
        assert!(!record.crash);
    }

    #[test]
    fn giving_up_is_a_crash() {
        for line in [
            r#"{"level":"fatal","ts":"2026-11-22T13:20:36.272Z","caller":"etcdmain/etcd.go:271","msg":"discovery failed","error":"no such name","stacktrace":"go.etcd.io/etcd"}"#,
            r#"{"level":"panic","ts":"1","caller":"a","msg":"failed to recover v3 backend from snapshot"}"#,
            "panic: runtime error: index out of range [3] with length 3",
            "fatal error: concurrent map writes",
        ] {
            let record = log_line(line).unwrap();
            assert_eq!((record.level, record.crash), (Level::Fatal, true), "{line}");
            assert!(!record.text.contains("stacktrace"), "{}", record.text);
        }
    }

    #[test]
    fn what_is_not_a_record_is_none() {
        for line in [
            "",
            "goroutine 1 [running]:",
            "{",
            "{}",
            r#"{"level":"loud","msg":"?"}"#,
            "  --name 'default'",
        ] {
            assert_eq!(log_line(line), None, "{line}");
        }
        let unknown_flag = log_line("flag provided but not defined: -bogus").unwrap();
        assert_eq!(
            (unknown_flag.level, unknown_flag.crash),
            (Level::Error, false)
        );
    }
}
