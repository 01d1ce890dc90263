//! The log: lines in the formats of arangod, kept in memory for the log API too.

mod clock;
mod format;
mod level;
mod output;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::options::Options;
use crate::role::Role;
use crate::{crash, system};

pub(crate) use clock::{civil, date};
pub(crate) use level::{Level, Levels};

use clock::TimeFormat;
use format::{Line, Style};
use output::Output;

/// How many lines the log API can show.
const KEPT: usize = 2048;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// No such format of the time.
    #[error("invalid value '{0}' for --log.time-format")]
    TimeFormat(String),
    /// An output that cannot be opened, or that the emulator does not have.
    #[error("{0}")]
    Output(String),
}

impl LogError {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::TimeFormat(_) => Exit::InvalidOptionValue,
            Self::Output(_) => Exit::Failed,
        }
    }
}

/// The log of the process.
#[derive(Debug)]
pub(crate) struct Logger {
    style: Style,
    started: Instant,
    initial: Levels,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    levels: Levels,
    outputs: Vec<Output>,
    kept: VecDeque<Entry>,
    next: u64,
    errors: u64,
    warnings: u64,
}

/// A line as the log API shows it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its number.
    pub(crate) id: u64,
    /// Its topic.
    pub(crate) topic: String,
    /// Its level.
    pub(crate) level: Level,
    date: String,
    /// Its text with id and topic in front.
    pub(crate) message: String,
}

impl Entry {
    /// The entry as `GET /_admin/log/entries` writes it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "topic": self.topic,
            "level": self.level.name(),
            "date": self.date,
            "message": self.message,
        })
    }
}

impl Logger {
    /// Opens the outputs that the options name; without any, lines go to standard output.
    pub(crate) fn open(options: &Options, role: Role) -> Result<Self, LogError> {
        let mut levels = Levels::default();
        let mut strange = Vec::new();
        for text in options
            .list("--log")
            .iter()
            .chain(options.list("--log.level"))
        {
            strange.extend(levels.apply(text).err());
        }
        let time = options.text("--log.time-format");
        let style = Style {
            json: options.flag("--log.use-json-format"),
            time: TimeFormat::parse(time)
                .ok_or_else(|| LogError::TimeFormat(String::from(time)))?,
            role: options.flag("--log.role").then(|| role.letter()),
            ids: options.flag("--log.ids"),
            process: options.flag("--log.process"),
            thread: options.flag("--log.thread"),
            thread_name: options.flag("--log.thread-name"),
            prefix: String::from(options.text("--log.prefix")),
            host: match options.text("--log.hostname") {
                "auto" => system::host_name(),
                other => String::from(other),
            },
            escape: options.flag("--log.escape-control-chars"),
        };
        let file = Some(options.text("--log.file")).filter(|file| !file.is_empty());
        let mut outputs = file
            .into_iter()
            .chain(options.list("--log.output").iter().map(String::as_str))
            .map(Output::open)
            .collect::<Result<Vec<_>, _>>()
            .map_err(LogError::Output)?;
        let on_terminal = outputs
            .iter()
            .any(|output| matches!(output, Output::Stdout | Output::Stderr));
        if outputs.is_empty() || (options.flag("--log.foreground-tty") && !on_terminal) {
            outputs.push(Output::Stdout);
        }
        let logger = Self {
            style,
            started: Instant::now(),
            initial: levels.clone(),
            state: Mutex::new(State {
                levels,
                outputs,
                kept: VecDeque::new(),
                next: 0,
                errors: 0,
                warnings: 0,
            }),
        };
        logger.tell_crash_handler();
        // arangod complains about strange levels and topics, and goes on.
        for reason in strange {
            logger.error("", "general", reason);
        }
        Ok(logger)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_crash_handler(&self) {
        let state = self.state();
        crash::set_outputs(state.outputs.iter().map(Output::descriptor));
        let info = state.levels.shows("crash", Level::Info);
        crash::set_style(self.style.json, self.style.role, info);
    }

    /// Whether a line of this topic and level would be written.
    pub(crate) fn shows(&self, topic: &str, level: Level) -> bool {
        self.state().levels.shows(topic, level)
    }

    /// Writes a line if its topic shows its level.
    pub(crate) fn write(&self, level: Level, id: &str, topic: &str, message: &str) {
        let mut state = self.state();
        match level {
            Level::Fatal | Level::Error => state.errors += 1,
            Level::Warning => state.warnings += 1,
            Level::Info | Level::Debug | Level::Trace => {}
        }
        if !state.levels.shows(topic, level) {
            return;
        }
        let now = system::micros();
        let line = self.style.write(Line {
            level,
            id,
            topic,
            message,
            now,
            uptime: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            thread: thread_id(),
        });
        for output in &mut state.outputs {
            output.write(&line);
        }
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        let number = state.next;
        state.next += 1;
        state.kept.push_back(Entry {
            id: number,
            topic: String::from(topic),
            level,
            date: format!("{}Z", clock::date(now / 1_000_000)),
            message: format!("[{id}] {{{topic}}} {message}"),
        });
    }

    /// Writes a line of level FATAL.
    pub(crate) fn fatal(&self, id: &str, topic: &str, message: impl AsRef<str>) {
        self.write(Level::Fatal, id, topic, message.as_ref());
    }

    /// Writes a line of level ERROR.
    pub(crate) fn error(&self, id: &str, topic: &str, message: impl AsRef<str>) {
        self.write(Level::Error, id, topic, message.as_ref());
    }

    /// Writes a line of level WARNING.
    pub(crate) fn warning(&self, id: &str, topic: &str, message: impl AsRef<str>) {
        self.write(Level::Warning, id, topic, message.as_ref());
    }

    /// Writes a line of level INFO.
    pub(crate) fn info(&self, id: &str, topic: &str, message: impl AsRef<str>) {
        self.write(Level::Info, id, topic, message.as_ref());
    }

    /// Opens all log files again, as SIGHUP asks for.
    pub(crate) fn reopen(&self) {
        let failed: Vec<String> = self
            .state()
            .outputs
            .iter_mut()
            .filter_map(|output| output.reopen().err())
            .collect();
        self.tell_crash_handler();
        for reason in failed {
            self.error("", "general", reason);
        }
    }

    /// The kept lines, the oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.state().kept.iter().cloned().collect()
    }

    /// The level of every topic.
    pub(crate) fn levels(&self) -> Levels {
        self.state().levels.clone()
    }

    /// Replaces the levels of all topics.
    pub(crate) fn set_levels(&self, levels: Levels) {
        self.state().levels = levels;
        self.tell_crash_handler();
    }

    /// Goes back to the levels of the start.
    pub(crate) fn reset_levels(&self) {
        self.set_levels(self.initial.clone());
    }

    /// How many errors and how many warnings there were.
    pub(crate) fn troubles(&self) -> (u64, u64) {
        let state = self.state();
        (state.errors, state.warnings)
    }
}

#[cfg(target_os = "linux")]
pub(crate) fn thread_id() -> u32 {
    u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap_or(0)
}

/// Elsewhere threads have no small numbers; the one that matters has the number of the process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_id() -> u32 {
    std::process::id()
}
