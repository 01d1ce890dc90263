//! Every block of Rust in `README.md` and `docs`, each in its own module.

#![allow(
    dead_code,
    unreachable_pub,
    unused_variables,
    clippy::print_stdout,
    reason = "examples show what can be written, not what is used"
)]

include!(concat!(env!("OUT_DIR"), "/examples.rs"));
