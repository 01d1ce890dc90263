//! A server in C, on request with parts in C++, that fails in many ways, built by the machine's compiler when a test needs it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is compiled.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/c/faulty.c");

/// The parts in C++.
const SOURCE_IN_CPP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/c/faulty.cpp");

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

/// The same with parts in C++.
///
/// # Panics
/// When it cannot be compiled.
#[must_use]
pub fn build_with_cpp(directory: &Path) -> PathBuf {
    compile_with_cpp(directory, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The server with these sanitizers: `address,undefined`. `None`, with a word on stderr, where their runtime libraries are
/// not installed.
///
/// # Panics
/// When it cannot be compiled although the libraries must be there.
#[must_use]
pub fn sanitized(directory: &Path, sanitizers: &str) -> Option<PathBuf> {
    sanitized_by(compile, directory, sanitizers)
}

/// The same with parts in C++.
///
/// # Panics
/// When it cannot be compiled although the libraries must be there.
#[must_use]
pub fn sanitized_with_cpp(directory: &Path, sanitizers: &str) -> Option<PathBuf> {
    sanitized_by(compile_with_cpp, directory, sanitizers)
}

fn sanitized_by(
    compile: impl Fn(&Path, &[&str]) -> Result<PathBuf, String>,
    directory: &Path,
    sanitizers: &str,
) -> Option<PathBuf> {
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
    run("cc", directory, flags, &[SOURCE])
}

fn compile_with_cpp(directory: &Path, flags: &[&str]) -> Result<PathBuf, String> {
    let flags = [flags, &["-DWITH_CPP"]].concat();
    let sources = ["-x", "c", SOURCE, "-x", "c++", SOURCE_IN_CPP];
    run("c++", directory, &flags, &sources)
}

fn run(
    compiler: &str,
    directory: &Path,
    flags: &[&str],
    sources: &[&str],
) -> Result<PathBuf, String> {
    let program = directory.join("faulty");
    let compiled = Command::new(compiler)
        .args(["-g", "-O0", "-pthread", "-o"])
        .arg(&program)
        .args(flags)
        .args(sources)
        .output()
        .map_err(|error| format!("cannot run {compiler}: {error}"))?;
    if compiled.status.success() {
        return Ok(program);
    }
    let said = String::from_utf8_lossy(&compiled.stderr);
    Err(format!("{compiler} {}: {said}", flags.join(" ")))
}
