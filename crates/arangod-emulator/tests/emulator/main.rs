//! The emulator as a process: started, asked, killed.

mod auth;
mod boot;
mod command_line;
mod data;
mod durability;
mod golden;
mod signals;
mod support;
