//! Which lines of servers' logs are told as notices: warnings and what is graver, up to a limit.

use std::collections::BTreeMap;

use crate::notice::Notice;
use crate::server::ServerKey;
use crate::system::{Level, LogRecord};

/// How many lines of one server are told.
const MOST_LINES: usize = 100;

/// How many characters of a line are told.
const MOST_CHARACTERS: usize = 300;

/// As much is read at one look, in bytes: a server that logs more than this is not read whole.
const AT_ONCE: u64 = 64 << 10;

/// How far every server's log has been told.
#[derive(Debug, Default)]
pub(super) struct Loud(BTreeMap<ServerKey, Told>);

#[derive(Debug, Default)]
struct Told {
    /// The byte after what was read.
    to: u64,
    lines: usize,
    /// What was told last: a line that says the same again says nothing new.
    last: String,
}

impl Loud {
    /// From which byte on a log of this size is to be read next; `None`: it is not.
    pub(super) fn next(&mut self, server: &ServerKey, size: u64) -> Option<u64> {
        let told = self.0.entry(server.clone()).or_default();
        let more = size > told.to && told.lines <= MOST_LINES;
        more.then(|| told.to.max(size.saturating_sub(AT_ONCE)))
    }

    /// What is to be told of the lines that end before the byte `to`.
    pub(super) fn take(
        &mut self,
        server: &ServerKey,
        text: &str,
        to: u64,
        read: impl Fn(&str) -> Option<LogRecord>,
    ) -> Vec<Notice> {
        let told = self.0.entry(server.clone()).or_default();
        told.to = to;
        let mut notices = Vec::new();
        for record in text.lines().filter_map(read) {
            let level = match record {
                LogRecord { crash: true, .. } => Level::Fatal,
                LogRecord { level, .. } => level,
            };
            if level < Level::Warn || record.text == told.last {
                continue;
            }
            told.lines += 1;
            let (time, said) = match told.lines {
                ..=MOST_LINES => (record.time, cut(&record.text)),
                _ => (
                    None,
                    "more warnings and errors are in its log only".to_owned(),
                ),
            };
            notices.push(Notice::Logged {
                server: server.clone(),
                level,
                time,
                text: said,
            });
            if told.lines > MOST_LINES {
                break;
            }
            told.last = record.text;
        }
        notices
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `W text` is a warning, `C text` a crash, anything else is quiet.
    fn read(line: &str) -> Option<LogRecord> {
        let (level, text) = line.split_once(' ')?;
        Some(LogRecord {
            time: Some("12:00:00.000".to_owned()),
            level: if level == "W" {
                Level::Warn
            } else {
                Level::Info
            },
            id: None,
            text: text.to_owned(),
            crash: level == "C",
        })
    }

    fn said(notices: &[Notice]) -> Vec<String> {
        let text = |notice: &Notice| match notice {
            Notice::Logged { level, text, .. } => format!("{level:?} {text}"),
            other => panic!("{other:?}"),
        };
        notices.iter().map(text).collect()
    }

    #[test]
    fn warnings_and_crashes_are_told_once() {
        let (mut loud, server) = (Loud::default(), ServerKey::from("a"));
        assert_eq!(loud.next(&server, 0), None);
        assert_eq!(loud.next(&server, 9), Some(0));
        let text = "I quiet\nW slow\nW slow\nC gone\nno level\n";
        let told = loud.take(&server, text, 9, read);
        assert_eq!(said(&told), ["Warn slow", "Fatal gone"]);
        assert_eq!(loud.next(&server, 9), None);
        assert_eq!(loud.next(&server, 10), Some(9));
        assert_eq!(
            loud.next(&server, 9 + (10 << 20)),
            Some(9 + (10 << 20) - AT_ONCE)
        );
    }

    #[test]
    fn a_server_that_never_stops_warning_is_heard_a_hundred_times() {
        let (mut loud, server) = (Loud::default(), ServerKey::from("a"));
        let text: String = (0..500).map(|number| format!("W {number}\n")).collect();
        let told = said(&loud.take(&server, &text, 1, read));
        assert_eq!(told.len(), MOST_LINES + 1);
        assert!(told[MOST_LINES].contains("in its log only"), "{told:?}");
        assert_eq!(loud.next(&server, 1 << 20), None);
    }
}
