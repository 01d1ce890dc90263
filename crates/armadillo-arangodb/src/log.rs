//! Reads the lines of a server's log, as text and as JSON.
//!
//! Text: `TIME [PID] LEVEL [ID] {TOPIC} MESSAGE`, with the letter of the role after the bracket under `--log.role true`,
//! and the thread inside it (documentation, "Log levels" and the options `log.*`). JSON (`--log.use-json-format true`): an
//! object a line with `level`, `id`, `topic` and `message`. The level of a warning is written `WARN` or `WARNING`.

use armadillo_orchestrator::{Level, LogRecord};
use serde::Deserialize;

/// What the crash handler writes under.
const CRASH_TOPIC: &str = "crash";

/// What it writes at a crash on the level INFO: memory, a thread's backtrace, its frames, and that there are more
/// (`CrashHandler.cpp`). Under the same topic, others write of files of earlier crashes.
const BACKTRACE: [&str; 4] = ["ded81", "c962b", "308c3", "bbb04"];

/// Reads one line; `None` if it is not one of the log's: a backtrace, a program's own output.
pub(crate) fn read(line: &str) -> Option<LogRecord> {
    let line = line.trim();
    if line.starts_with('{') {
        of_json(line)
    } else {
        of_text(line)
    }
}

#[derive(Deserialize)]
struct JsonLine {
    #[serde(default)]
    time: Option<String>,
    level: String,
    id: Option<String>,
    topic: Option<String>,
    message: String,
}

fn of_json(line: &str) -> Option<LogRecord> {
    let line: JsonLine = serde_json::from_str(line).ok()?;
    Some(record(
        line.time.as_deref().unwrap_or_default(),
        level(&line.level)?,
        line.id,
        line.topic.as_deref(),
        &line.message,
    ))
}

fn of_text(line: &str) -> Option<LogRecord> {
    let (time, rest) = line.split_once(' ')?;
    if !time.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (_, rest) = bracketed(rest, '[', ']')?;
    let (mut word, mut rest) = rest.split_once(' ')?;
    if matches!(word, "U" | "S" | "C" | "P" | "A") {
        (word, rest) = rest.split_once(' ')?;
    }
    let level = level(word)?;
    let (id, rest) = match bracketed(rest, '[', ']') {
        Some((id, rest)) => (Some(id.to_owned()), rest),
        None => (None, rest),
    };
    let (topic, message) = match bracketed(rest, '{', '}') {
        Some((topic, rest)) => (Some(topic), rest),
        None => (None, rest),
    };
    Some(record(time, level, id, topic, message))
}

fn record(
    time: &str,
    level: Level,
    id: Option<String>,
    topic: Option<&str>,
    message: &str,
) -> LogRecord {
    let is_of_crash =
        level >= Level::Error || BACKTRACE.iter().any(|of| id.as_deref() == Some(*of));
    LogRecord {
        time: LogRecord::time_of_day(time),
        level,
        id,
        text: match topic {
            Some(topic) => format!("{{{topic}}} {message}"),
            None => message.to_owned(),
        },
        crash: topic == Some(CRASH_TOPIC) && is_of_crash,
    }
}

/// What is between the brackets at the beginning, and what follows them and a space.
fn bracketed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let (inside, rest) = text.strip_prefix(open)?.split_once(close)?;
    Some((inside, rest.trim_start()))
}

fn level(word: &str) -> Option<Level> {
    Some(match word {
        "TRACE" => Level::Trace,
        "DEBUG" => Level::Debug,
        "INFO" => Level::Info,
        "WARN" | "WARNING" => Level::Warn,
        "ERROR" | "ERR" => Level::Error,
        "FATAL" => Level::Fatal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, level: Level, id: Option<&str>, text: &str, crash: bool) {
        let expected = LogRecord {
            time: None,
            level,
            id: id.map(str::to_owned),
            text: text.to_owned(),
            crash,
        };
        let record = read(line).map(|record| LogRecord {
            time: None,
            ..record
        });
        assert_eq!(record, Some(expected), "{line}");
    }

    #[test]
    fn the_time_of_day() {
        let text = "2025-01-01T10:00:00.123456Z [12-34] S WARNING [abcde] {memory} too little";
        let json = r#"{"time":"2025-01-01T10:00:00Z","level":"INFO","message":"ready"}"#;
        for (line, time) in [(text, "10:00:00.123"), (json, "10:00:00")] {
            let record = read(line).unwrap();
            assert_eq!(record.time.as_deref(), Some(time));
        }
    }

    #[test]
    fn text_as_the_documentation_shows_it() {
        check(
            "2020-06-22T21:16:48Z [39028] INFO [144fe] {general} using storage engine 'rocksdb'",
            Level::Info,
            Some("144fe"),
            "{general} using storage engine 'rocksdb'",
            false,
        );
        check(
            "2020-05-26T23:26:10Z [16657] FATAL [a7902] {crash} ArangoDB 3.7.1-devel enterprise [linux], thread 22 [Console] \
             caught unexpected signal 11 (SIGSEGV) accessing address 0x0000000000000000: signal handler invoked",
            Level::Fatal,
            Some("a7902"),
            "{crash} ArangoDB 3.7.1-devel enterprise [linux], thread 22 [Console] \
             caught unexpected signal 11 (SIGSEGV) accessing address 0x0000000000000000: signal handler invoked",
            true,
        );
    }

    #[test]
    fn text_with_thread_role_and_without_id() {
        check(
            "2025-01-01T10:00:00.123456Z [12-34] S WARNING [abcde] {memory} too little",
            Level::Warn,
            Some("abcde"),
            "{memory} too little",
            false,
        );
        check(
            "2025-01-01T10:00:00Z [12] ERROR no topic",
            Level::Error,
            None,
            "no topic",
            false,
        );
    }

    #[test]
    fn json() {
        check(
            r#"{"time":"2025-01-01T10:00:00Z","pid":1,"tid":1,"role":"S","level":"WARN","topic":"general","id":"cf3f4","message":"ready"}"#,
            Level::Warn,
            Some("cf3f4"),
            "{general} ready",
            false,
        );
        check(
            r#"{"level":"INFO","topic":"crash","id":"308c3","message":"frame 1"}"#,
            Level::Info,
            Some("308c3"),
            "{crash} frame 1",
            true,
        );
    }

    /// As the crash handler of 3.12.8 writes them, through the logger.
    #[test]
    fn a_crash_in_json() {
        let line = |level: &str, id: &str, message: &str| {
            format!(
                r#"{{"time":"2026-11-28T10:00:00Z","prefix":"","pid":7,"tid":9,"thread":"Crash","role":"S","level":"{level}","topic":"crash","id":"{id}","hostname":"h","message":"{message}"}}"#
            )
        };
        let signal = "\u{1F4A5} ArangoDB 3.12.10 enterprise [linux], thread 22 [Console] caught unexpected signal 11 \
                      (SIGSEGV) from pid 0 in state \\\"in wait\\\" accessing address 0x0: signal handler invoked";
        let is_crash = |level, id, message| read(&line(level, id, message)).unwrap().crash;
        assert!(is_crash("FATAL", "a7902", signal));
        assert!(is_crash(
            "FATAL",
            "a7903",
            "Hello, this is the dedicated crash handler thread"
        ));
        assert!(is_crash(
            "INFO",
            "308c3",
            "frame  1 [$0x0000000001] f (+0x1)"
        ));
        assert!(is_crash("INFO", "c962b", "Backtrace of thread 9 [Console]"));
        assert!(is_crash(
            "INFO",
            "bbb04",
            "..reached maximum frame display depth (50). stopping backtrace"
        ));
        assert!(!is_crash(
            "INFO",
            "12345",
            "removing an old crash directory"
        ));
        let record = read(&line("FATAL", "a7902", signal)).unwrap();
        assert!(
            record
                .text
                .starts_with("{crash} \u{1F4A5} ArangoDB 3.12.10")
        );
    }

    #[test]
    fn other_lines_are_nobodys() {
        for line in [
            "",
            "frame 1 [0x0]",
            "{\"a\":1}",
            "{not json",
            "12 [3] LOUD x",
            "12 [",
            "12",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
