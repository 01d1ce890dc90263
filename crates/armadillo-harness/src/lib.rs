//! Collect, select, plan, run, report: the test harness; knows no product.

pub mod event;
pub mod fixture;
pub mod needs;
pub mod options;
pub mod outcome;
pub mod protocol;
pub mod test_def;

#[doc(hidden)]
pub use inventory;
