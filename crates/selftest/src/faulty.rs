//! A server in C that fails in many ways, built by the machine's C compiler when a test needs it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compiled.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/c/faulty.c");

/// The variable by which CI says that the runtime libraries of sanitizers are there.
const REQUIRED: &str = "ARMADILLO_REQUIRE_SANITIZERS";

/// The server, in `directory`.
///
/// # Panics
/// When it cannot be compiled.
#[must_use]
pub fn build(directory: &Path) -> PathBuf {
    compile(directory, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The same that crashes when it starts.
///
/// # Panics
/// When it cannot be compiled.
#[must_use]
pub fn build_crashing(directory: &Path) -> PathBuf {
    compile(directory, &["-DCRASHES_AT_START"]).unwrap_or_else(|error| panic!("{error}"))
}

/// The server with these sanitizers: `address,undefined`. `None`, with a word on stderr, where their runtime libraries are
/// not installed.
///
/// # Panics
/// When it cannot be compiled although the libraries must be there.
#[must_use]
pub fn sanitized(directory: &Path, sanitizers: &str) -> Option<PathBuf> {
    let sanitize = format!("-fsanitize={sanitizers}");
    let mut flags = vec![sanitize.as_str()];
    if sanitizers.contains("address") {
        flags.push("-fsanitize-recover=address");
    }
    match compile(directory, &flags) {
        Ok(program) => Some(program),
        Err(error) if std::env::var_os(REQUIRED).is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn compile(directory: &Path, flags: &[&str]) -> Result<PathBuf, String> {
    let program = directory.join("faulty");
    let compiled = Command::new("cc")
        .args(["-g", "-O0", "-pthread", "-o"])
        .arg(&program)
        .args(flags)
        .arg(SOURCE)
        .output()
        .map_err(|error| format!("cannot run cc: {error}"))?;
    if compiled.status.success() {
        return Ok(program);
    }
    let said = String::from_utf8_lossy(&compiled.stderr);
    Err(format!("cc {}: {said}", flags.join(" ")))
}
