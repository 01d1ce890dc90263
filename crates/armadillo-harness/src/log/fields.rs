//! The fields of an event or a span, as `message key=value key="text"`.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};

/// Writes the fields that it is shown one after the other.
#[derive(Default)]
pub(super) struct Fields(String);

impl Fields {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        // A `String` takes everything; a value that cannot be shown is left out.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{}={value:?}", name.trim_start_matches("r#")),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.record_debug(field, &format_args!("{value}")),
            _ => self.record_debug(field, &value),
        }
    }
}
