//! The `tracing` output of tests and of the daemon: a line on stderr for each event, with the spans around it.
//!
//! ```text
//! 2025-11-22T13:05:00.123456Z  INFO order{id=7}:payment: shop::till: paid amount=12
//! ```

mod fields;
mod filter;
mod spans;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

use fields::Fields;
use filter::Filter;
use spans::Spans;

/// The variable that says what is shown.
pub(crate) const VARIABLE: &str = "RUST_LOG";

/// What is shown unless [`VARIABLE`] says something else.
const DEFAULT: &str = "info";

/// A subscriber that writes each event it is to show as one line.
pub(crate) struct Log {
    filter: Filter,
    spans: Spans,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

impl Log {
    /// Writes to stderr what [`VARIABLE`] asks for.
    pub(crate) fn to_stderr() -> Self {
        let said = std::env::var(VARIABLE).unwrap_or_default();
        let said = match said.trim() {
            "" => DEFAULT,
            said => said,
        };
        let (filter, unknown) = Filter::parse(said);
        let write = |line: &str| {
            // There is nobody to tell that stderr is closed.
            let _ = std::io::stderr().write_all(line.as_bytes());
        };
        for part in unknown {
            write(&format!(
                "{VARIABLE}: `{part}` is neither a level nor `target=level`; ignoring it\n"
            ));
        }
        Self::new(filter, write)
    }

    fn new(filter: Filter, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            filter,
            spans: Spans::default(),
            write: Box::new(write),
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.filter.level_of(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.most())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.spans.open(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.spans.record(span, values);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = now();
        // A `String` takes everything.
        let _ = write!(line, " {:>5} ", metadata.level());
        let around = match event.parent() {
            Some(parent) => self.spans.get(parent),
            None if event.is_root() => None,
            None => self.spans.current(),
        };
        if let Some(around) = around {
            around.describe(&mut line);
            line.push_str(": ");
        }
        line.push_str(metadata.target());
        line.push_str(": ");
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.push_str(fields.text());
        line.push('\n');
        (self.write)(&line);
    }

    fn enter(&self, span: &Id) {
        self.spans.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.spans.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.spans.share(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.spans.close(&span)
    }

    fn current_span(&self) -> Current {
        match self.spans.current() {
            Some(span) => Current::new(span.id.clone(), span.metadata),
            None => Current::none(),
        }
    }
}

/// This moment, as `2025-11-22T13:05:00.123456Z`.
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let second = crate::date::utc(since.as_secs());
    let micros = since.subsec_micros();
    format!("{}.{micros:06}Z", second.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests;
