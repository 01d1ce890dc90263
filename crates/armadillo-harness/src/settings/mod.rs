//! The settings of a run: one table, from which the command line, the `ARMADILLO_*` variables, the keys of
//! `armadillo.toml`, `--help` and the manual all derive.
//!
//! Command line > environment > `armadillo.toml` (its profile first) > defaults. The `RUST_TEST_*` variables of libtest
//! count below all of these.

mod again;
mod command;
mod effect;
mod effect_table;
mod error;
mod file;
mod help;
mod input;
mod manual;
mod missing;
mod of_command;
mod pairs;
mod resolve;
mod rules;
mod setting;
mod suite;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use again::{again, again_from_anywhere};
pub use effect::{Effect, Surroundings, check, effect};
pub use error::{Source, UsageError, Wrong};
pub use input::{Environment, Input};
pub use manual::manual;
pub(crate) use missing::attach_variables;
pub(crate) use of_command::is_for_commands;
pub use of_command::{arguments, given};
pub use resolve::{Resolved, resolve};
pub use setting::{Apply, Group, Linked, Said, Setting, Settled, SystemFlags};
pub use table::all;
pub use value::time_limit;
