//! What of a server's log a failure shows: few lines, the grave ones first, as a person reads them.

use armadillo_orchestrator::{Level, LogRecord, System};

use crate::event::LogExcerpt;

/// How many lines of each server are shown.
const MOST_LINES: usize = 20;

/// How many characters of a line are shown.
const MOST_CHARACTERS: usize = 300;

/// A line, or several that say the same.
struct Line {
    level: Level,
    text: String,
    times: usize,
}

/// The lines that say most. `system` reads them; a line that it does not understand is shown as it is.
pub(super) fn of(system: Option<&dyn System>, log: &str) -> LogExcerpt {
    let mut lines: Vec<Line> = Vec::new();
    let mut said_last = String::new();
    for line in log.lines().filter(|line| !line.trim().is_empty()) {
        let record = system.and_then(|system| system.log_line(line));
        let said = record.as_ref().map_or(line, |record| record.text.as_str());
        match lines.last_mut() {
            Some(last) if said == said_last => last.times += 1,
            _ => {
                said_last = said.to_owned();
                lines.push(Line {
                    level: level(record.as_ref()),
                    text: readable(record.as_ref(), line),
                    times: 1,
                });
            }
        }
    }
    LogExcerpt {
        lines: choose(&lines),
        of: log.lines().count(),
    }
}

/// The grave lines first, then the last of the others. Both in their order.
fn choose(lines: &[Line]) -> Vec<String> {
    let (grave, others): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| line.level >= Level::Error);
    // The first grave line is more often the cause than the last; of the others the last are nearest to the failure.
    let grave = &grave[..grave.len().min(MOST_LINES)];
    let room = MOST_LINES - grave.len();
    let others = &others[others.len().saturating_sub(room)..];
    grave
        .iter()
        .chain(others)
        .map(|line| line.shown())
        .collect()
}

impl Line {
    fn shown(&self) -> String {
        let mut text: String = self.text.chars().take(MOST_CHARACTERS).collect();
        if text.len() < self.text.len() {
            text.push_str("..");
        }
        if self.times > 1 {
            text.push_str(&format!(" ({} times)", self.times));
        }
        text
    }
}

fn level(record: Option<&LogRecord>) -> Level {
    match record {
        Some(record) if record.crash => Level::Fatal,
        Some(record) => record.level,
        None => Level::Info,
    }
}

fn readable(record: Option<&LogRecord>, line: &str) -> String {
    let Some(record) = record else {
        return line.to_owned();
    };
    let word = match record.level {
        Level::Trace => "TRACE",
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
        Level::Fatal => "FATAL",
    };
    let time = record.time.as_ref().map(|time| format!("{time} "));
    let id = record.id.as_ref().map(|id| format!("[{id}] "));
    format!(
        "{}{word} {}{}",
        time.unwrap_or_default(),
        id.unwrap_or_default(),
        record.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, text: &str) -> Line {
        Line {
            level,
            text: text.to_owned(),
            times: 1,
        }
    }

    #[test]
    fn grave_lines_come_first_and_then_the_last_ones() {
        let mut lines = vec![
            line(Level::Error, "cannot open"),
            line(Level::Info, "first"),
        ];
        lines.extend((0..30).map(|number| line(Level::Info, &format!("line {number}"))));
        lines.push(line(Level::Fatal, "giving up"));
        let chosen = choose(&lines);
        assert_eq!(chosen.len(), MOST_LINES);
        assert_eq!(chosen[..3], ["cannot open", "giving up", "line 12"]);
        assert_eq!(chosen.last().map(String::as_str), Some("line 29"));
    }

    #[test]
    fn lines_that_say_the_same_are_one() {
        let excerpt = of(None, "a\nb\nb\nb\n\nc\n");
        assert_eq!(excerpt.lines, ["a", "b (3 times)", "c"]);
        assert_eq!(excerpt.of, 6);
        let long = of(None, &"x".repeat(1000));
        assert_eq!(long.lines[0].len(), MOST_CHARACTERS + 2);
    }
}
