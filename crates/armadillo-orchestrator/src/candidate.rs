//! Where the program of a system may be.

use std::path::{Path, PathBuf};

use crate::versions::VersionName;

/// A place where the program may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// This file, or what else [`System::installed`](crate::System::installed) knows; if it is named and missing, that is an error, not a reason to
    /// try the next.
    File(PathBuf),
    /// The same where it usually is: if nothing is there, the next is tried.
    Usually(PathBuf),
    /// This file below each directory of `parent` whose name begins with `prefix`, the newest version first.
    UsuallyBelow {
        /// Where the directories are: `/opt`.
        parent: PathBuf,
        /// How their names begin: `mydb-`.
        prefix: &'static str,
        /// The file below each: `bin/mydb`.
        file: &'static str,
    },
    /// This name, looked up in `PATH`.
    OnPath(&'static str),
    /// A version by name: from the user's cache, where the program has the system's name; or the program of this name in
    /// `PATH`, if it is of that version.
    Version {
        /// The version.
        version: VersionName,
        /// The name in `PATH`.
        on_path: &'static str,
    },
    /// An applet of this executable that stands in for the product, with the title it is shown under.
    StandIn {
        /// The applet's name, as registered with [`crate::Applet`].
        applet: &'static str,
        /// `mydb-emulator, a stand-in, not MyDb`.
        title: &'static str,
        /// Arguments before those of each launch: which version it stands in for.
        args: Vec<String>,
    },
    /// An applet of this executable that *is* the product: a server built into the test executable.
    BuiltIn {
        /// The applet's name, as registered with [`crate::Applet`].
        applet: &'static str,
    },
}

/// What is run where a program was found or named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What is executed.
    pub program: PathBuf,
    /// Arguments before those of each launch, because of where it is.
    pub args: Vec<String>,
    /// Why it is not what was found, for the header of a run.
    pub note: Option<String>,
}

impl Installed {
    /// What was found itself.
    #[must_use]
    pub fn at(found: &Path) -> Self {
        Self {
            program: found.to_owned(),
            args: Vec::new(),
            note: None,
        }
    }
}
