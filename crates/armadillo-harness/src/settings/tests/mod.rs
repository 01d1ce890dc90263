mod effects;
mod names;
mod precedence;
mod refusals;
mod suite;
mod understood;

use std::ffi::OsString;
use std::path::Path;

use armadillo_orchestrator::Flag;

use super::setting::{Linked, SystemFlags};
use super::{Environment, Input, Resolved, UsageError, resolve};
use crate::options::Options;

const FLAGS: &[Flag] = &[
    Flag {
        name: "tally",
        short: Some('t'),
        value: "PATH",
        repeats: false,
        help: "The tally server.",
    },
    Flag {
        name: "tally-option",
        short: None,
        value: "NAME=VALUE",
        repeats: true,
        help: "An option of every tally server.",
    },
    Flag {
        name: "tally-verbose",
        short: Some('n'),
        value: "",
        repeats: false,
        help: "Let it talk.",
    },
];

/// The system of this executable.
fn linked() -> Linked {
    Linked {
        systems: vec![SystemFlags {
            system: "tally",
            flags: FLAGS,
        }],
        suite: Vec::new(),
    }
}

/// A place with a file, and what is said elsewhere.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn with_file(text: &str) -> Self {
        let scene = Self::without_file();
        std::fs::write(scene.directory.path().join("armadillo.toml"), text).unwrap();
        scene
    }

    /// The root of a workspace, so that nothing above it is looked at.
    fn without_file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("Cargo.lock"), "").unwrap();
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn resolve(
        &self,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<(Options, Vec<String>), UsageError> {
        self.resolve_with(linked(), args, variables)
    }

    fn resolve_with(
        &self,
        linked: Linked,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<(Options, Vec<String>), UsageError> {
        let resolved = resolve(&Input {
            args: args.iter().map(OsString::from).collect(),
            environment: Environment::of(variables),
            directory: self.path().to_owned(),
            linked,
        })?;
        match resolved {
            Resolved::Options { options, warnings } => Ok((*options, warnings)),
            Resolved::Text(text) => panic!("a text instead of options: {text}"),
        }
    }

    fn options(&self, args: &[&str], variables: &[(&str, &str)]) -> Options {
        self.resolve(args, variables).unwrap().0
    }

    /// The message, with the place of the file taken out.
    fn refusal(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let message = self.resolve(args, variables).unwrap_err().to_string();
        message.replace(&self.path().display().to_string(), "ROOT")
    }
}

fn line(args: &[&str]) -> Options {
    Scene::without_file().options(args, &[])
}
