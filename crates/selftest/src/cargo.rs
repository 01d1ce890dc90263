//! Cargo, as somebody would call it who has just opened the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::suite::is_meddling;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().nth(2);
    root.unwrap_or(package).to_owned()
}

/// Cargo in the root of the workspace, with the target directory in which `program` was built, so that nothing is built
/// twice.
#[must_use]
pub fn cargo(program: &str) -> Command {
    beside(env!("CARGO"), program)
}

/// `program` itself there, as a person calls it.
#[must_use]
pub fn in_workspace(program: &str) -> Command {
    beside(program, program)
}

fn beside(executable: &str, program: &str) -> Command {
    let mut command = Command::new(executable);
    // With another value of the last, cargo would build everything again.
    let needed = [
        "CARGO_HOME",
        "CARGO_NET_OFFLINE",
        "CARGO_HTTP_CAINFO",
        "CARGO_INCREMENTAL",
    ];
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| is_meddling(name) && !needed.contains(&name.as_str())) {
        command.env_remove(name);
    }
    command
        .current_dir(workspace())
        .env("CARGO_TARGET_DIR", target_directory(program))
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// The target directory in which `program` was built.
#[must_use]
pub fn target_directory(program: &str) -> PathBuf {
    let directory = Path::new(program).ancestors().nth(2);
    directory.unwrap_or(Path::new("target")).to_owned()
}

/// Whether a program is there. If it is not, says that nothing was checked; panics if `variable` says that it must be.
///
/// # Panics
/// When the program is missing and the variable is set.
#[must_use]
pub fn has(program: &str, args: &[&str], variable: &str) -> bool {
    let asked = Command::new(program).args(args).output();
    let is_there = asked.is_ok_and(|output| output.status.success());
    if !is_there {
        let text = format!("`{program} {}` does not work here", args.join(" "));
        let required = std::env::var_os(variable).is_some();
        assert!(!required, "{text}, and {variable} is set");
        println!("not checked: {text}; with {variable} set, that fails");
    }
    is_there
}
