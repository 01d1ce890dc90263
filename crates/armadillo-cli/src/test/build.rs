//! Builds test executables with cargo and finds those that are Armadillo's.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::TestError;

/// What cargo builds.
#[derive(Default, clap::Args)]
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
    pub(crate) fn arguments(&self) -> Vec<&str> {
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
}

/// What was built.
pub(super) struct Built {
    pub(super) executables: Vec<Executable>,
    pub(super) notes: Vec<Notes>,
}

/// Where the compiler has noted the source files of a crate that somebody may edit: one that lies in a directory of this machine.
pub(super) struct Notes {
    pub(super) file: PathBuf,
    /// The directory of its package.
    pub(super) package_directory: PathBuf,
}

/// A line of what cargo says; other lines have nothing of this.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// How cargo names packages that lie in a directory of this machine.
const LOCAL: &str = "path+file:";

/// Builds them. What the compiler says goes to stderr.
pub(super) fn build(build: &Build) -> Result<Built, TestError> {
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
    let (mut executables, mut notes) = (Vec::new(), Vec::new());
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(TestError::Cargo)?;
            // Other lines are no JSON.
            if let Ok(message) = serde_json::from_str::<Message>(&line) {
                notes.extend(message.notes());
                executables.extend(message.executable());
            }
        }
    }
    if child.wait().map_err(TestError::Cargo)?.success() {
        Ok(Built { executables, notes })
    } else {
        Err(TestError::Build)
    }
}

/// Builds the test executable of this package and target, in the profile that its path names. `None` if cargo makes none of them.
pub(crate) fn one(
    package: &str,
    target: &str,
    release: bool,
) -> Result<Option<PathBuf>, TestError> {
    let built = build(&Build {
        package: vec![package.to_owned()],
        test: vec![target.to_owned()],
        release,
        ..Build::default()
    })?;
    let mut executables = built.executables.into_iter();
    let found = executables.find(|executable| executable.target == target);
    Ok(found.map(|executable| executable.path))
}

/// The cargo that has called this, or the one of the user.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

impl Message {
    fn executable(self) -> Option<Executable> {
        let target = self.target?;
        // Unit tests and benchmarks are libtest's, or somebody else's.
        let is_test = self.reason == "compiler-artifact" && target.kind == ["test"];
        Some(Executable {
            path: self.executable.filter(|_| is_test)?,
            package_directory: self.manifest_path?.parent()?.to_owned(),
            target: target.name,
        })
    }

    fn notes(&self) -> Option<Notes> {
        if self.reason != "compiler-artifact" || !self.package_id.starts_with(LOCAL) {
            return None;
        }
        let artifact = self.filenames.first()?;
        let name = artifact.file_stem()?.to_str()?;
        // A library has `lib` before the name of its crate.
        let name = match &self.executable {
            Some(_) => name,
            None => name.strip_prefix("lib").unwrap_or(name),
        };
        Some(Notes {
            file: artifact.with_file_name(name).with_extension("d"),
            package_directory: self.manifest_path.as_ref()?.parent()?.to_owned(),
        })
    }
}
