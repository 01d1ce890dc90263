//! `armadillo init`: what a package needs for tests on clusters. But for Cargo.toml, no file that is there is changed.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::ValueEnum;

use crate::session::say;

/// Add tests on clusters to the Rust package in this directory
///
/// Adds the dependency and a test target to Cargo.toml, a first test, `armadillo.toml`, and on request a CI workflow and a dev
/// container. Other files that are there already are kept as they are.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    armadillo init                                   etcd\n  \
    armadillo init --system arangodb --ci github\n  \
    armadillo init --git https://HOST/armadillo.git")]
pub(crate) struct Args {
    /// What is tested
    #[arg(long, value_enum, default_value_t = System::Etcd)]
    system: System,
    /// A clone of Armadillo [default: the one that this command was built from]
    #[arg(long, value_name = "DIR", conflicts_with = "git")]
    path: Option<PathBuf>,
    /// The URL of Armadillo's repository, instead of a clone
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// Also write a pipeline for this CI system
    #[arg(long, value_enum)]
    ci: Option<Ci>,
    /// Also write a dev container
    #[arg(long)]
    devcontainer: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum System {
    Etcd,
    Arangodb,
}

#[derive(Clone, Copy, ValueEnum)]
enum Ci {
    Github,
    Gitlab,
    Jenkins,
    Circleci,
}

/// The name of the test target.
const TARGET: &str = "cluster";

/// What is appended to `Cargo.toml`.
const STANZA: &str =
    "\n[[test]]\nname = \"cluster\"\nharness = false # Its main function is Armadillo's.\n";

/// Why a package was not prepared.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} is not the Cargo.toml of a package; run `cargo init`, or call this in the directory of a package", .0.display())]
    NoPackage(PathBuf),
    #[error("{} is not a clone of Armadillo; name one with --path, or its repository with --git", .0.display())]
    NoClone(PathBuf),
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("`{command}` failed: {why}")]
    Cargo { command: String, why: String },
}

pub(crate) fn init(args: &Args) -> ExitCode {
    match prepare(args, Path::new("")) {
        Ok(done) => {
            say(&done);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prepares the package in this directory; says what was done.
fn prepare(args: &Args, package: &Path) -> Result<String, InitError> {
    let manifest = package.join("Cargo.toml");
    let has_target = has_target(&manifest)?;
    let source = source(args)?;
    let mut said = String::new();
    // First, because it may fail.
    let fail = |what| {
        let path = manifest.clone();
        move |source| InitError::File { what, path, source }
    };
    let before = fs::read(&manifest).map_err(fail("read"))?;
    for words in dependencies(args.system, &source) {
        let _ = writeln!(said, "ran cargo {}", words.join(" "));
        if let Err(error) = cargo(&words) {
            // With what it has added so far, cargo may refuse the whole workspace.
            fs::write(&manifest, before).map_err(fail("restore"))?;
            return Err(error);
        }
    }
    if has_target {
        let _ = writeln!(said, "kept the test target `{TARGET}` of Cargo.toml");
    } else {
        append(&manifest, STANZA)?;
        let _ = writeln!(said, "added the test target `{TARGET}` to Cargo.toml");
    }
    for (path, content) in files(args) {
        let path = package.join(path);
        let word = match write_new(&path, &content)? {
            true => "wrote",
            false => "kept existing",
        };
        let _ = writeln!(said, "{word} {}", path.display());
    }
    if args.ci.is_some() && args.git.is_none() {
        let _ = writeln!(
            said,
            "note: CI cannot reach the clone on this machine; put the repository's URL into Cargo.toml (`git = ..`)"
        );
    }
    let _ = writeln!(said, "\nNow run: cargo test --test {TARGET}");
    Ok(said)
}

/// Whether the package of this manifest has a test target of our name.
fn has_target(manifest: &Path) -> Result<bool, InitError> {
    let manifest = manifest
        .canonicalize()
        .map_err(|_| InitError::NoPackage(std::path::absolute(manifest).unwrap_or_default()))?;
    let words = [
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ];
    let words = words.map(str::to_owned);
    let metadata: serde_json::Value = serde_json::from_slice(&cargo(&words)?)
        .map_err(|error| InitError::cargo(&words, error.to_string()))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut own = packages.filter(|package| package["manifest_path"].as_str() == manifest.to_str());
    let own = own.next().ok_or(InitError::NoPackage(manifest.clone()))?;
    let mut targets = own["targets"].as_array().into_iter().flatten();
    Ok(targets.any(|target| target["name"] == TARGET && target["kind"][0] == "test"))
}

/// Where the crate comes from, as `cargo add` takes it.
fn source(args: &Args) -> Result<[String; 2], InitError> {
    if let Some(url) = &args.git {
        return Ok(["--git".to_owned(), url.clone()]);
    }
    let built_from = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let clone = args.path.clone().unwrap_or_else(built_from);
    let library = clone.join("crates/armadillo");
    match library.join("Cargo.toml").is_file() {
        true => {
            let library = library.canonicalize().unwrap_or(library);
            Ok(["--path".to_owned(), library.display().to_string()])
        }
        false => Err(InitError::NoClone(clone)),
    }
}

/// The files, each with its content.
fn files(args: &Args) -> Vec<(&'static str, String)> {
    let common = include_str!("../templates/armadillo.toml");
    let (test, settings) = match args.system {
        System::Etcd => (
            include_str!("../templates/etcd.rs"),
            include_str!("../templates/etcd.toml"),
        ),
        System::Arangodb => (
            include_str!("../templates/arangodb.rs"),
            include_str!("../templates/arangodb.toml"),
        ),
    };
    let mut files = vec![
        ("tests/cluster.rs", test.to_owned()),
        ("armadillo.toml", format!("{common}{settings}")),
    ];
    files.extend(args.ci.map(|ci| pipeline(ci, args.system)));
    if args.devcontainer {
        let container = include_str!("../templates/devcontainer.json");
        files.push((".devcontainer/devcontainer.json", container.to_owned()));
    }
    files
}

/// The file that a CI system reads, with its content.
fn pipeline(ci: Ci, system: System) -> (&'static str, String) {
    let (path, template, etcd) = match ci {
        Ci::Github => (
            ".github/workflows/cluster-tests.yml",
            include_str!("../templates/github.yml"),
            "      - run: sudo apt-get update && sudo apt-get install -y etcd-server\n",
        ),
        Ci::Gitlab => (
            ".gitlab-ci.yml",
            include_str!("../templates/gitlab.yml"),
            "    - apt-get update && apt-get install -y etcd-server\n",
        ),
        Ci::Jenkins => (
            "Jenkinsfile",
            include_str!("../templates/Jenkinsfile"),
            ", and etcd",
        ),
        Ci::Circleci => (
            ".circleci/config.yml",
            include_str!("../templates/circleci.yml"),
            "      - run: apt-get update && apt-get install -y etcd-server\n",
        ),
    };
    let programs = match system {
        System::Etcd => etcd,
        // The stand-in is in the test executable.
        System::Arangodb => "",
    };
    // Where it stands alone, the whole line goes.
    let line = "PROGRAMS\n";
    let content = match template.contains(&format!("\n{line}")) {
        true => template.replace(line, programs),
        false => template.replace("PROGRAMS", programs),
    };
    (path, content)
}

/// The arguments of `cargo` for each dependency.
fn dependencies(system: System, source: &[String; 2]) -> Vec<Vec<String>> {
    let words =
        |words: &[&str]| -> Vec<String> { words.iter().map(|&word| word.to_owned()).collect() };
    let features = match system {
        System::Etcd => "etcd",
        System::Arangodb => "arangodb,emulator",
    };
    let mut library = words(&[
        "add",
        "--quiet",
        "--dev",
        "armadillo-test",
        "--features",
        features,
    ]);
    library.extend(source.iter().cloned());
    match system {
        System::Etcd => vec![library],
        System::Arangodb => vec![library, words(&["add", "--quiet", "--dev", "serde_json"])],
    }
}

/// Runs cargo; what it printed.
fn cargo(words: &[String]) -> Result<Vec<u8>, InitError> {
    let output = Command::new("cargo").args(words).output();
    let output = output.map_err(|error| InitError::cargo(words, error.to_string()))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(InitError::cargo(words, why))
        }
    }
}

impl InitError {
    fn cargo(words: &[String], why: String) -> Self {
        let command = format!("cargo {}", words.join(" "));
        Self::Cargo { command, why }
    }
}

/// Writes a file unless there is one; whether it was written.
fn write_new(path: &Path, content: &str) -> Result<bool, InitError> {
    let fail = |what| {
        move |source| InitError::File {
            what,
            path: path.to_owned(),
            source,
        }
    };
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent).map_err(fail("create the directory of"))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file
            .write_all(content.as_bytes())
            .map(|()| true)
            .map_err(fail("write")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(fail("write")(error)),
    }
}

fn append(path: &Path, text: &str) -> Result<(), InitError> {
    let appended = OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    appended.map_err(|source| InitError::File {
        what: "change",
        path: path.to_owned(),
        source,
    })
}
