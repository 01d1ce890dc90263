//! The test executable of a run, as it was started then.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use armadillo_harness::commit::{self, Commit};
use armadillo_harness::event::{Again, FileMark, RunStarted};

use super::ReplayError;
use crate::test::{build_one, cargo};

/// Variables that would make a run a part of another one.
const OF_OTHERS: [&str; 3] = ["ARMADILLO_GROUP", "NEXTEST", "NEXTEST_RUN_ID"];

/// What is run.
pub(crate) struct Executable {
    path: PathBuf,
    again: Again,
    arguments: Vec<String>,
    notes: Vec<String>,
    is_same: bool,
}

impl Executable {
    /// The one that ran then, or the one that cargo builds now.
    pub(crate) fn of(
        started: &RunStarted,
        again: &Again,
        build: bool,
    ) -> Result<Self, ReplayError> {
        let then = PathBuf::from(&again.executable);
        let mut notes = Vec::new();
        let path = match build || !then.is_file() {
            true => built(started, &then)?,
            false => then.clone(),
        };
        let is_same = path == then && FileMark::of(&path) == again.file;
        if !is_same {
            notes.push(format!(
                "the executable {} is not the one that ran then",
                path.display()
            ));
        }
        let package = again.package_directory.as_deref();
        let here = commit::of(Path::new(package.unwrap_or(&again.working_directory)));
        notes.extend(of_commits(started.commit.as_ref(), here.as_ref()));
        if started.isolation == "none" {
            notes.push("libtest-mimic ran the tests, in this order; now Armadillo runs them in the same process".to_owned());
        }
        Ok(Self {
            path,
            arguments: arguments(started, again),
            again: again.clone(),
            notes,
            is_same,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the file that ran then.
    pub(crate) fn is_same(&self) -> bool {
        self.is_same
    }

    /// What differs from then, for people.
    pub(crate) fn notes(&self) -> String {
        self.notes
            .iter()
            .map(|note| format!("  {note}\n"))
            .collect()
    }

    /// Runs this script, with the files of the run below `output`.
    pub(crate) fn command(&self, script: &Path, output: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .arg(flag("script", script))
            .arg(flag("output-dir", output))
            .env("CARGO", cargo())
            .stdin(Stdio::null());
        // Without it, the file of settings is looked for from here.
        if Path::new(&self.again.working_directory).is_dir() {
            command.current_dir(&self.again.working_directory);
        }
        if let Some(package) = &self.again.package_directory {
            command.env("CARGO_MANIFEST_DIR", package);
        }
        OF_OTHERS
            .iter()
            .for_each(|name| _ = command.env_remove(name));
        command
    }
}

pub(crate) fn flag(name: &str, path: &Path) -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from(format!("--{name}="));
    flag.push(path);
    flag
}

/// What was said then that tests notice, and what a script needs: nothing ends the run before its end.
fn arguments(started: &RunStarted, again: &Again) -> Vec<String> {
    let isolation = match started.isolation.as_str() {
        "none" => "in-process",
        isolation => isolation,
    };
    let said = [
        format!("--isolation={isolation}"),
        format!("--parallel={}", started.workers.max(1)),
        format!("--seed={}", started.seed),
        "--failfast=false".to_owned(),
        "--maxfail=0".to_owned(),
    ];
    let mut flags = again.flags.iter();
    let mut kept = Vec::new();
    while let Some(flag) = flags.next() {
        match flag.as_str() {
            "--isolation" => _ = flags.next(),
            _ => kept.push(flag.clone()),
        }
    }
    kept.into_iter().chain(said).collect()
}

fn built(started: &RunStarted, then: &Path) -> Result<PathBuf, ReplayError> {
    let release = then.components().any(|part| part.as_os_str() == "release");
    let built = build_one(&started.package, &started.binary, release)?;
    built.ok_or_else(|| ReplayError::Gone(then.to_owned()))
}

fn of_commits(then: Option<&Commit>, now: Option<&Commit>) -> Option<String> {
    match (then, now) {
        (Some(then), Some(now)) if then.id != now.id => {
            Some(format!("the commit is {now}; it was {then}"))
        }
        (Some(then), Some(now)) if !then.is_exact() || !now.is_exact() => Some(format!(
            "the commit is the same, {then}, but files of it were or are changed"
        )),
        _ => None,
    }
}
