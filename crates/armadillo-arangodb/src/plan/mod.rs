//! From a wish to servers: what the settings fill in, and which servers a complete topology has.

mod complete;
mod flags;
mod servers;

pub(crate) use complete::complete;
pub(crate) use flags::{FLAGS, check, concerns, ignored};
pub(crate) use servers::servers;
