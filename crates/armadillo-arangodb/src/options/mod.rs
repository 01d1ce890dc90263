//! Start-up options: the official list, and what a user asks for.

mod catalog;
mod chosen;

pub use catalog::{OfficialOption, official};
pub(crate) use chosen::{SETTING, ServerOption, check, complete};
