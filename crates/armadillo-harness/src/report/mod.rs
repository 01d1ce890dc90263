//! The last stage: every report is a fold over [`crate::event::Event`].
//!
//! stdout carries libtest's format and nothing else; what a run is about to do, its progress and its summary go to
//! stderr. [`Reporter`] shows a run while it happens; [`Model`] is what is known of it, from which `junit.xml` and
//! `results.json` are written, during a run or later from `events.jsonl` alone.

mod block;
pub(crate) mod console;
mod copies;
#[cfg(test)]
mod differential;
mod eta;
mod files;
mod gather;
mod github;
mod header;
mod html;
mod json;
mod junit;
mod libtest;
mod live;
mod merge;
mod model;
mod odds;
mod paint;
mod panic_output;
mod pretty;
mod rebuild;
mod reporter;
mod results;
mod retries;
#[cfg(test)]
pub(crate) mod sample;
mod screen;
mod summary;
pub(crate) mod terminal;
mod terse;
#[cfg(test)]
mod tests;
mod xml;

pub use block::in_shell;
pub(crate) use block::kind_name;
pub(crate) use copies::copies_line;
pub(crate) use files::{side_by_side, write_events, write_whole};
pub use files::{write_files, write_trace};
pub(crate) use gather::{Gathering, Log, gather};
pub use github::{annotations, step_summary};
pub use header::header;
pub(crate) use html::{live_page, page_data};
pub use junit::junit;
pub use merge::{MergeError, ShardEvents, merge};
pub use model::{Attempt, Counts, DeploymentRecord, Ending, Model, TestRecord};
pub use paint::many;
pub(crate) use paint::time;
pub(crate) use rebuild::events_of_part;
pub use rebuild::{RebuildError, events, rebuild};
pub use reporter::{Closed, Reporter};
pub use results::{
    AttemptResult, DeploymentResult, IgnoredTest, Results, TestResult, Totals, results,
};
pub use screen::{Live, Screen, terminal_size};
pub(crate) use summary::totals;
