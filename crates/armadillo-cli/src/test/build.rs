//! Builds test executables with cargo and finds those that are Armadillo's.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::TestError;

/// What cargo builds.
#[derive(clap::Args)]
pub(crate) struct Build {
    /// The package with the tests [default: as `cargo test` does]
    #[arg(short, long, value_name = "PACKAGE")]
    package: Vec<String>,
    /// The test target
    #[arg(long, value_name = "NAME")]
    test: Vec<String>,
    /// Build with optimizations
    #[arg(short, long)]
    release: bool,
}

/// A test executable.
pub(crate) struct Executable {
    pub(super) path: PathBuf,
    /// The directory of its package.
    pub(super) package_directory: PathBuf,
    /// The name of its target.
    pub(super) target: String,
}

/// A line of what cargo says; other lines have nothing of this.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds them. What the compiler says goes to stderr.
pub(super) fn build(build: &Build) -> Result<Vec<Executable>, TestError> {
    let mut command = Command::new(cargo());
    command.args([
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    for package in &build.package {
        command.args(["--package", package]);
    }
    for test in &build.test {
        command.args(["--test", test]);
    }
    if build.release {
        command.arg("--release");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(TestError::Cargo)?;
    let mut executables = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(TestError::Cargo)?;
            executables.extend(executable(&line));
        }
    }
    if child.wait().map_err(TestError::Cargo)?.success() {
        Ok(executables)
    } else {
        Err(TestError::Build)
    }
}

/// The cargo that has called this, or the one of the user.
pub(super) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn executable(line: &str) -> Option<Executable> {
    let message: Message = serde_json::from_str(line).ok()?;
    let target = message.target?;
    // Unit tests and benchmarks are libtest's, or somebody else's.
    let is_test = message.reason == "compiler-artifact" && target.kind == ["test"];
    Some(Executable {
        path: message.executable.filter(|_| is_test)?,
        package_directory: message.manifest_path?.parent()?.to_owned(),
        target: target.name,
    })
}
