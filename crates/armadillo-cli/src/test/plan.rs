//! What each executable would run.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use armadillo_harness::group::Manner;
use serde::Deserialize;

use super::TestError;
use super::build::{self, Build, Executable};
use super::flags;

/// What an executable says it would run: the output of `--plan --format json`.
#[derive(Deserialize)]
pub(crate) struct Plan {
    pub(crate) package: String,
    pub(crate) binary: String,
    pub(crate) tests: Vec<Test>,
    pub(super) ignored: Vec<Ignored>,
    /// The flags of the suite.
    #[serde(default)]
    pub(super) flags: Vec<SuiteFlag>,
    /// How it would run; an older version does not say it.
    #[serde(default)]
    pub(super) manner: Option<Manner>,
    #[serde(default)]
    pub(crate) unavailable: Vec<crate::ci::Unavailable>,
}

#[derive(Clone, Deserialize)]
pub(super) struct SuiteFlag {
    pub(super) name: String,
    pub(super) is_switch: bool,
}

#[derive(Deserialize)]
pub(crate) struct Test {
    pub(crate) test: String,
    pub(super) place: String,
    pub(super) markers: Vec<String>,
    #[serde(default)]
    pub(super) added_markers: Vec<Added>,
    #[serde(default)]
    pub(super) earlier: Option<String>,
    pub(crate) topologies: Vec<String>,
    pub(crate) expected_ms: Option<u64>,
    /// The time limit of its body.
    pub(crate) timeout_ms: u64,
    #[serde(default)]
    needs: Vec<Need>,
}

/// A marker that a rule or a hook has added.
#[derive(Deserialize)]
pub(super) struct Added {
    pub(super) marker: String,
    pub(super) by: String,
}

/// A deployment that a test needs.
#[derive(Deserialize)]
struct Need {
    mode: String,
}

impl Planned {
    /// What it would run with these arguments, too.
    pub(crate) fn with(&self, more: &[OsString]) -> Result<Plan, TestError> {
        let arguments = [&self.arguments[..], more].concat();
        let plan = ask(&self.executable, &arguments)?;
        plan.ok_or_else(|| TestError::Refused {
            executable: self.executable.target.clone(),
            said: "it does not say what it would run".to_owned(),
            code: 3,
        })
    }
}

impl Test {
    /// Whether it waits until it has a shared deployment for itself.
    pub(crate) fn is_alone(&self) -> bool {
        self.needs.iter().any(|need| need.mode == "exclusive")
    }
}

#[derive(Deserialize)]
pub(crate) struct Ignored {
    pub(crate) test: String,
    pub(super) reason: String,
}

/// The flags that select a shard.
const SHARD: [&str; 2] = ["--shard", "--partition"];

/// An executable, what it would run, and with which arguments it does.
pub(crate) struct Planned {
    pub(super) executable: Executable,
    pub(crate) plan: Plan,
    pub(super) arguments: Vec<OsString>,
}

/// Tests that are named by the file they are declared in.
struct Declared {
    path: PathBuf,
    line: Option<u32>,
    written: String,
}

/// Builds the executables and asks them.
pub(crate) fn plan(build: &Build, arguments: &[OsString]) -> Result<Vec<Planned>, TestError> {
    of_built(build::build(build)?.executables, arguments)
}

/// Asks executables that were built.
pub(super) fn of_built(
    executables: Vec<Executable>,
    arguments: &[OsString],
) -> Result<Vec<Planned>, TestError> {
    let (declared, arguments) = split(arguments);
    let each = flags::for_each(&executables, &arguments)?;
    let mut planned = Vec::new();
    for (executable, arguments) in executables.into_iter().zip(each) {
        // Of the tests that are declared there, not of all, a shard is a part.
        let asked = match declared.is_empty() {
            true => arguments.clone(),
            false => whole(&arguments),
        };
        if let Some(plan) = ask(&executable, &asked)? {
            planned.push(Planned {
                executable,
                plan,
                arguments,
            });
        }
    }
    if planned.is_empty() {
        return Err(TestError::None);
    }
    if !declared.is_empty() {
        only(&mut planned, &declared)?;
        for one in &mut planned {
            if let Some(plan) = ask(&one.executable, &one.arguments)? {
                one.plan.tests = plan.tests;
            }
        }
    }
    Ok(planned)
}

/// The same without a shard.
fn whole(arguments: &[OsString]) -> Vec<OsString> {
    let is_shard = |word: &OsString| SHARD.iter().any(|flag| word == flag);
    let has_value = |word: &OsString| {
        let word = word.to_string_lossy();
        let flag = word.split_once('=').map(|(flag, _)| flag);
        flag.is_some_and(|flag| SHARD.contains(&flag))
    };
    let mut words = arguments.iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        if is_shard(word) {
            _ = words.next();
        } else if !has_value(word) {
            kept.push(word.clone());
        }
    }
    // The environment or a file may name one, too.
    kept.extend(["--shard".into(), "1/1".into()]);
    kept
}

/// Whether a word names tests by the file that they are declared in.
pub(crate) fn is_path(words: &[OsString]) -> bool {
    !split(words).0.is_empty()
}

/// The paths among the words before the first flag, and everything else. Behind a flag, a path may be its value.
fn split(words: &[OsString]) -> (Vec<Declared>, Vec<OsString>) {
    let is_flag = |word: &OsString| word.to_string_lossy().starts_with('-');
    let first_flag = words.iter().position(is_flag).unwrap_or(words.len());
    let (leading, rest) = words.split_at(first_flag);
    let mut paths = Vec::new();
    let mut others = Vec::new();
    for word in leading {
        match declared(word) {
            Some(path) => paths.push(path),
            None => others.push(word.clone()),
        }
    }
    others.extend_from_slice(rest);
    (paths, others)
}

/// An argument that names an existing file or directory, or a line of a file.
fn declared(argument: &OsString) -> Option<Declared> {
    let written = argument.to_str()?;
    let here = |path: &str| Path::new(path).canonicalize().ok();
    if let Some(path) = here(written) {
        return Some(Declared {
            path,
            line: None,
            written: written.to_owned(),
        });
    }
    let (path, line) = written.rsplit_once(':')?;
    Some(Declared {
        path: here(path)?,
        line: Some(line.parse().ok()?),
        written: written.to_owned(),
    })
}

/// Leaves the tests that are declared there.
fn only(planned: &mut Vec<Planned>, declared: &[Declared]) -> Result<(), TestError> {
    let mut found = vec![false; declared.len()];
    for one in planned.iter_mut() {
        let places: Vec<(PathBuf, u32)> = (one.plan.tests.iter())
            .map(|test| place(&one.executable, &test.place))
            .collect();
        let mut keep = vec![false; places.len()];
        for (number, wanted) in declared.iter().enumerate() {
            for test in wanted.among(&places) {
                keep[test] = true;
                found[number] = true;
            }
        }
        let mut keep = keep.into_iter();
        one.plan.tests.retain(|_| keep.next().unwrap_or_default());
        one.plan.ignored.clear();
        one.arguments.push("--exact".into());
        let names = one.plan.tests.iter().map(|test| test.test.clone().into());
        one.arguments.extend(names);
    }
    planned.retain(|one| !one.plan.tests.is_empty());
    let missing = found.iter().position(|found| !found);
    match missing {
        Some(number) => Err(TestError::Path(declared[number].written.clone())),
        None => Ok(()),
    }
}

impl Declared {
    /// The tests that are meant, among tests with these places: all below the path; or those of the last declaration at or before
    /// the line.
    fn among(&self, places: &[(PathBuf, u32)]) -> Vec<usize> {
        let here = places.iter().enumerate();
        let here = here.filter(|(_, (path, _))| path.starts_with(&self.path));
        let Some(line) = self.line else {
            return here.map(|(number, _)| number).collect();
        };
        let before = here.filter(|(_, (_, at))| *at <= line);
        let before: Vec<(usize, u32)> = before.map(|(number, (_, at))| (number, *at)).collect();
        let last = before.iter().map(|(_, at)| *at).max();
        let of_last = before.iter().filter(|(_, at)| Some(*at) == last);
        of_last.map(|(number, _)| *number).collect()
    }
}

/// The file and the line of a place, which is relative to the workspace or to the package.
fn place(executable: &Executable, place: &str) -> (PathBuf, u32) {
    let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
    let around = executable.package_directory.ancestors();
    let found = around
        .map(|directory| directory.join(file))
        .find(|path| path.is_file());
    let path = found.and_then(|path| path.canonicalize().ok());
    (path.unwrap_or_default(), line.parse().unwrap_or_default())
}

/// What an executable would run; `None` if it is not one of Armadillo's.
pub(super) fn ask(
    executable: &Executable,
    arguments: &[OsString],
) -> Result<Option<Plan>, TestError> {
    let mut command = command(executable);
    command.args(arguments).args(["--plan", "--format", "json"]);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| TestError::Executable {
        path: executable.path.clone(),
        source,
    })?;
    if let Ok(plan) = serde_json::from_slice(&output.stdout) {
        return Ok(Some(plan));
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let code = output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok());
    match code {
        // Ours say what is wrong with their arguments and how to mend it.
        Some(code @ (2 | 3)) if said.contains("help:") || said.contains("armadillo") => {
            Err(TestError::Refused {
                executable: executable.target.clone(),
                said: said.trim_start_matches("error: ").to_owned(),
                code,
            })
        }
        _ => Ok(None),
    }
}

/// The executable as cargo starts it.
pub(super) fn command(executable: &Executable) -> Command {
    let mut command = Command::new(&executable.path);
    command
        .current_dir(&executable.package_directory)
        .env("CARGO_MANIFEST_DIR", &executable.package_directory)
        .env("CARGO", OsStr::new(&build::cargo()));
    command
}
