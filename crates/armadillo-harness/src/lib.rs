//! Collect, select, plan, run, report: the test harness; knows no product.

pub mod collect;
pub mod event;
pub mod exit_code;
pub mod fixture;
pub mod history;
pub mod list;
pub mod markers;
pub mod needs;
pub mod options;
pub mod outcome;
pub mod protocol;
pub mod report;
pub mod select;
pub mod settings;
pub mod test_def;

#[doc(hidden)]
pub use inventory;
