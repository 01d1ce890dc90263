//! Log lines as text and as JSON.

use serde_json::{Map, Value};

use super::clock::TimeFormat;
use super::level::Level;

/// How lines look, from the options of section `log`.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// One JSON object a line.
    pub(crate) json: bool,
    /// The format of the time.
    pub(crate) time: TimeFormat,
    /// Write the letter of the role.
    pub(crate) role: Option<char>,
    /// Write the unique ids.
    pub(crate) ids: bool,
    /// Write the id of the process.
    pub(crate) process: bool,
    /// Write the id of the thread.
    pub(crate) thread: bool,
    /// Write the name of the thread.
    pub(crate) thread_name: bool,
    /// A prefix for every line.
    pub(crate) prefix: String,
    /// The host name to write, if any.
    pub(crate) host: String,
    /// Replace control characters.
    pub(crate) escape: bool,
}

/// What a line says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) level: Level,
    pub(crate) id: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) message: &'a str,
    /// Microseconds since 1970.
    pub(crate) now: u64,
    /// Microseconds since the start of the process.
    pub(crate) uptime: u64,
    /// The id of the thread.
    pub(crate) thread: u32,
}

impl Style {
    /// The line with its line feed.
    pub(crate) fn write(&self, line: Line<'_>) -> String {
        if self.json {
            self.write_json(line)
        } else {
            self.write_text(line)
        }
    }

    fn write_text(&self, line: Line<'_>) -> String {
        let mut text = self.time.write(line.now, line.uptime);
        if !self.host.is_empty() {
            text.push_str(&format!(" {}", self.host));
        }
        match (self.process, self.thread) {
            (true, true) => text.push_str(&format!(" [{}-{}]", std::process::id(), line.thread)),
            (true, false) => text.push_str(&format!(" [{}]", std::process::id())),
            (false, true) => text.push_str(&format!(" [{}]", line.thread)),
            (false, false) => {}
        }
        if self.thread_name {
            text.push_str(&format!(" [{}]", thread_name()));
        }
        if let Some(role) = self.role {
            text.push_str(&format!(" {role}"));
        }
        text.push_str(&format!(" {}", line.level.name()));
        if !self.prefix.is_empty() {
            text.push_str(&format!(" {}", self.prefix));
        }
        if self.ids && !line.id.is_empty() {
            text.push_str(&format!(" [{}]", line.id));
        }
        text.push_str(&format!(" {{{}}} ", line.topic));
        if self.escape {
            text.extend(line.message.chars().flat_map(escaped));
        } else {
            text.push_str(line.message);
        }
        text.push('\n');
        text
    }

    fn write_json(&self, line: Line<'_>) -> String {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(String::from(key), value);
        };
        put("time", Value::from(self.time.write(line.now, line.uptime)));
        if !self.prefix.is_empty() {
            put("prefix", Value::from(self.prefix.as_str()));
        }
        if self.process {
            put("pid", Value::from(std::process::id()));
        }
        if self.thread {
            put("tid", Value::from(line.thread));
        }
        if self.thread_name {
            put("thread", Value::from(thread_name()));
        }
        if let Some(role) = self.role {
            put("role", Value::from(String::from(role)));
        }
        put("level", Value::from(line.level.json_name()));
        put("topic", Value::from(line.topic));
        if self.ids && !line.id.is_empty() {
            put("id", Value::from(line.id));
        }
        if !self.host.is_empty() {
            put("hostname", Value::from(self.host.as_str()));
        }
        put("message", Value::from(line.message));
        format!("{}\n", Value::Object(object))
    }
}

fn thread_name() -> String {
    String::from(std::thread::current().name().unwrap_or("main"))
}

/// A character, or its escape if it would break the line.
fn escaped(letter: char) -> impl Iterator<Item = char> {
    let text = match letter {
        '\n' => String::from("\\n"),
        '\r' => String::from("\\r"),
        '\t' => String::from("\\t"),
        control if control.is_control() => format!("\\x{:02x}", u32::from(control)),
        plain => String::from(plain),
    };
    text.chars().collect::<Vec<_>>().into_iter()
}
