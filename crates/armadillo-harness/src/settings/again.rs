//! The part of a command line that belongs to the one that runs a test again: where the programs are, time limits,
//! isolation; not the selection and not the display.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::command;
use super::setting::{Linked, Setting, Settled};
use super::table::all;

/// The flags of `args` that a test needs to run again as it ran.
#[must_use]
pub fn again(args: &[String], linked: &Linked) -> Vec<String> {
    let table = all(linked);
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let Ok(line) = command::read(&table, &args) else {
        return Vec::new();
    };
    kept(&table, |setting| line.given.get(setting.name))
}

/// The same flags of a run, whoever has said them: the command line, the environment or a file.
#[must_use]
pub fn again_from_anywhere(said: &BTreeMap<&'static str, Settled>, linked: &Linked) -> Vec<String> {
    kept(&all(linked), |setting| {
        said.get(setting.name).map(|settled| &settled.values)
    })
}

fn kept<'v>(
    table: &[Setting],
    values: impl Fn(&Setting) -> Option<&'v Vec<String>>,
) -> Vec<String> {
    let mut kept = Vec::new();
    for setting in table.iter().filter(|setting| setting.again) {
        for value in values(setting).into_iter().flatten() {
            if setting.is_switch() {
                kept.push(format!("--{}={value}", setting.name));
            } else {
                kept.extend([format!("--{}", setting.name), value.clone()]);
            }
        }
    }
    kept
}
