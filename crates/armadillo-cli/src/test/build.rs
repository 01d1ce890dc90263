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
    /// All packages of the workspace
    #[arg(long)]
    workspace: bool,
    /// Not this package of the workspace
    #[arg(long, value_name = "PACKAGE", requires = "workspace")]
    exclude: Vec<String>,
    /// Features to enable, separated by commas
    #[arg(short = 'F', long, value_name = "FEATURES")]
    features: Vec<String>,
    /// Enable all features
    #[arg(long)]
    all_features: bool,
    /// Do not enable the default features
    #[arg(long)]
    no_default_features: bool,
    /// Build with optimizations
    #[arg(short, long)]
    release: bool,
}

impl Build {
    /// As cargo wants them.
    fn arguments(&self) -> Vec<&str> {
        let named = [
            ("--package", &self.package),
            ("--test", &self.test),
            ("--exclude", &self.exclude),
            ("--features", &self.features),
        ];
        let named = named.into_iter().flat_map(|(flag, values)| {
            let values = values.iter();
            values.flat_map(move |value| [flag, value.as_str()])
        });
        let alone = [
            ("--workspace", self.workspace),
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
            ("--release", self.release),
        ];
        let alone = alone.into_iter().filter(|(_, is_said)| *is_said);
        named.chain(alone.map(|(flag, _)| flag)).collect()
    }
}

/// A test executable.
pub(crate) struct Executable {
    pub(super) path: PathBuf,
    /// The directory of its package.
    pub(super) package_directory: PathBuf,
    /// The name of its target.
    pub(super) target: String,
    /// Whether it was built just now.
    pub(super) is_new: bool,
}

/// A line of what cargo says; other lines have nothing of this.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    fresh: bool,
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
    command.args(build.arguments());
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
        is_new: !message.fresh,
    })
}
