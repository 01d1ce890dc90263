//! The part of a command line that belongs to the one that runs a test again: where the programs are, time limits,
//! isolation; not the selection and not the display.

use std::ffi::OsString;

use super::command;
use super::setting::SystemFlags;
use super::table::all;

/// The flags of `args` that a test needs to run again as it ran.
#[must_use]
pub fn again(args: &[String], systems: &[SystemFlags]) -> Vec<String> {
    let table = all(systems);
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let Ok(line) = command::read(&table, &args) else {
        return Vec::new();
    };
    let mut kept = Vec::new();
    for setting in table.iter().filter(|setting| setting.again) {
        for value in line.given.get(setting.name).into_iter().flatten() {
            if setting.is_switch() {
                kept.push(format!("--{}={value}", setting.name));
            } else {
                kept.extend([format!("--{}", setting.name), value.clone()]);
            }
        }
    }
    kept
}
