//! `report.html`: a whole run as one page that needs no network, for people.
//!
//! [`Story`] keeps the moments of the events; [`data`](build::data) makes one value of them; the page has that value as
//! JSON, and a script that draws it. Nothing of the data is ever read as HTML.

mod budget;
mod build;
mod data;
mod lanes;
mod mark;
mod story;
#[cfg(test)]
mod tests;
mod trace_events;

use std::io::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use armadillo_orchestrator::duration::micros;

use super::model::Model;

pub(super) use story::Story;
pub(super) use trace_events::write_trace;

const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("report.css");
const SCRIPTS: [&str; 8] = [
    include_str!("base.js"),
    include_str!("tests.js"),
    include_str!("overview.js"),
    include_str!("lanes.js"),
    include_str!("drawing.js"),
    include_str!("timeline.js"),
    include_str!("timeline_view.js"),
    include_str!("main.js"),
];

/// Draws the data of the page once.
const ONCE: &str = "report(JSON.parse(document.getElementById('data').textContent));\n";

/// Draws what a server says, for as long as the run goes on.
const LIVE: &str = include_str!("live.js");

/// Writes the page of a run that has started.
pub(super) fn write(model: &Model, to: &mut impl Write) -> io::Result<()> {
    match build::data(model, None) {
        Some(data) => page(to, "", ONCE, |to| serde_json::to_writer(to, &data)),
        None => Ok(()),
    }
}

/// The data of the page; of a run that is `live`, as it is now. `None` if it has not started.
pub(crate) fn page_data(model: &Model, live: bool) -> Option<Vec<u8>> {
    let live = live.then(|| now_us(model));
    serde_json::to_vec(&build::data(model, live)?).ok()
}

/// How long the run goes on, in microseconds: nothing may have happened for a while.
fn now_us(model: &Model) -> u64 {
    let since = model.started.as_ref().map(|started| {
        let begun = Duration::from_secs(started.unix_time);
        UNIX_EPOCH + begun + Duration::from_millis(started.unix_millis.into())
    });
    let passed = since.and_then(|since| since.elapsed().ok());
    passed.map_or(0, micros).max(model.now_us)
}

/// The page that asks its server for news, with the data of this version, if there is some yet.
pub(crate) fn live_page(version: u64, data: Option<&[u8]>) -> Vec<u8> {
    let mut whole = Vec::new();
    // A vector takes everything.
    _ = page(&mut whole, "; connect-src 'self'", LIVE, |mut to| {
        let begun = write!(to, "{{\"version\":{version},\"data\":");
        let written = begun.and_then(|()| to.write_all(data.unwrap_or(b"null")));
        written
            .and_then(|()| to.write_all(b"}"))
            .map_err(serde_json::Error::io)
    });
    whole
}

/// Fills the template in.
fn page<W: Write>(
    to: &mut W,
    connect: &str,
    start: &str,
    data: impl FnOnce(Harmless<&mut W>) -> serde_json::Result<()>,
) -> io::Result<()> {
    let mut data = Some(data);
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        to.write_all(before.as_bytes())?;
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        match name {
            "style" => to.write_all(STYLE.as_bytes())?,
            "connect" => to.write_all(connect.as_bytes())?,
            "script" => {
                for script in SCRIPTS {
                    to.write_all(script.as_bytes())?;
                }
            }
            "start" => to.write_all(start.as_bytes())?,
            "data" => {
                if let Some(data) = data.take() {
                    data(Harmless(to))?;
                }
            }
            _ => {}
        }
        rest = after;
    }
    to.write_all(rest.as_bytes())
}

/// JSON that can stand in HTML: a `<` may end the script that it stands in, and means the same when it is escaped. In JSON
/// it can stand in a text only.
struct Harmless<W>(W);

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut parts = bytes.split(|byte| *byte == b'<');
        self.0.write_all(parts.next().unwrap_or_default())?;
        for part in parts {
            self.0.write_all(b"\\u003c")?;
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
