//! Collect, select, plan, run, report: the test harness; knows no product.

mod accept;
pub mod checking;
mod client;
pub mod clock;
pub mod collect;
pub mod commit;
mod daemon;
mod date;
mod dispatch;
pub mod event;
pub mod exit_code;
pub mod failure;
pub mod fixture;
pub mod flags;
pub mod group;
pub mod history;
mod judge;
mod leases;
pub mod list;
pub mod live_page;
pub mod load;
mod log;
mod main_entry;
pub mod markers;
pub mod needs;
pub mod options;
pub mod outcome;
mod plan;
mod process_end;
mod process_name;
pub mod protocol;
mod regular;
pub mod replay;
pub mod report;
pub mod requires;
mod resources;
pub mod script;
pub mod select;
pub mod session;
pub mod settings;
pub mod test_def;
pub mod trace;
mod warden;
pub mod warm;
mod whereabouts;
mod worker;

pub use dispatch::exec::{Body, Exec, Held, exec};
pub use dispatch::own_main::trials;
pub use dispatch::together;
pub use libtest_mimic;
pub use main_entry::{init, main, main_with, part};

#[doc(hidden)]
pub use inventory;
