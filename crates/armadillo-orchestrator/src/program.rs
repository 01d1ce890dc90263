//! The program of a system: where it is, and what it says of itself.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use crate::applet::{APPLET_WORD, applet};
use crate::process::output_of;
use crate::settings::Settings;
use crate::system::{Candidate, System};

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// This very executable, also after it was rebuilt.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What is executed.
    pub path: PathBuf,
    /// Arguments before those of the launch: what makes this executable an applet.
    pub leading_args: Vec<String>,
    /// Its version, if it said one.
    pub version: Option<String>,
    /// What it is shown as.
    pub title: String,
    /// Whether it stands in for the product.
    pub stand_in: bool,
}

/// Why there is no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A file was named, and it will not do.
    #[error("the {system} program {} {reason}\n{how_to_get}", path.display())]
    Named {
        /// The system's name.
        system: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Whether there is no such file.
        absent: bool,
        /// What to do about it.
        how_to_get: String,
    },
    /// It is nowhere.
    #[error("{system} program not found: {}\n{how_to_get}", tried.join("; "))]
    Missing {
        /// The system's name.
        system: &'static str,
        /// What was looked for, and where.
        tried: Vec<String>,
        /// What to do about it.
        how_to_get: String,
    },
    /// A topology names it for the servers of a role.
    #[error("for the role {role}: {source}")]
    OfRole {
        /// The role.
        role: String,
        /// What is wrong with it.
        source: Box<ProgramError>,
    },
    /// It runs, and says no version that the system could have.
    #[error(
        "{program} does not report a version of {system}, so it is not a program of {system}\n{how_to_get}"
    )]
    Foreign {
        /// The system's name.
        system: &'static str,
        /// The program.
        program: String,
        /// What to do about it.
        how_to_get: String,
    },
    /// It is there and cannot be run.
    #[error("cannot get the version of the {system} program {program}: {reason}\n{how_to_get}")]
    Broken {
        /// The system's name.
        system: &'static str,
        /// The program.
        program: String,
        /// What happened.
        reason: String,
        /// What to do about it.
        how_to_get: String,
    },
}

impl ProgramError {
    /// Whether it is nowhere, and no setting said where it should be: what a test names is a test's need, as its system is.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::OfRole { source, .. } => {
                matches!(**source, Self::Named { absent: true, .. }) || source.is_missing()
            }
            Self::Named { .. } | Self::Foreign { .. } | Self::Broken { .. } => false,
        }
    }
}

impl Program {
    /// Finds the program of a system and asks for its version. It blocks for up to five seconds and starts a process:
    /// not for a process that has a process table.
    ///
    /// # Errors
    /// When there is none, when one was named and will not do, or when it does not say its version. The text says
    /// what was looked for and how to get it.
    pub fn find(system: &dyn System, settings: &Settings) -> Result<Self, ProgramError> {
        Self::first_of(system, system.programs(settings), &system.how_to_get())
    }

    /// The same for the program that a topology names for a role; `by` says which test does, and where.
    ///
    /// # Errors
    /// Those of [`Self::find`], with the role; and when the program says no version, because it is named for the sake of
    /// its version.
    pub fn find_named(
        system: &dyn System,
        name: &str,
        role: &str,
        by: &str,
    ) -> Result<Self, ProgramError> {
        let option = system.program_option(role);
        let advice = format!("it is set by {by}: `{option} = \"{name}\"`");
        Self::first_of(system, vec![system.program_named(name)], &advice)
            .and_then(|program| program.with_version(system, &advice))
            .map_err(|source| ProgramError::OfRole {
                role: role.to_owned(),
                source: Box::new(source),
            })
    }

    fn with_version(self, system: &dyn System, how_to_get: &str) -> Result<Self, ProgramError> {
        match self.version {
            Some(_) => Ok(self),
            None => Err(ProgramError::Foreign {
                system: system.name(),
                program: self.path.display().to_string(),
                how_to_get: how_to_get.to_owned(),
            }),
        }
    }

    fn first_of(
        system: &dyn System,
        candidates: Vec<Candidate>,
        how_to_get: &str,
    ) -> Result<Self, ProgramError> {
        let mut tried = Vec::new();
        for candidate in candidates {
            let (path, leading_args, title) = match candidate {
                Candidate::File(path) => {
                    let path = std::path::absolute(&path).unwrap_or(path);
                    match unusable(&path) {
                        None => (path, Vec::new(), None),
                        Some(reason) => {
                            return Err(ProgramError::Named {
                                system: system.name(),
                                absent: !path.exists(),
                                path,
                                reason: reason.to_owned(),
                                how_to_get: how_to_get.to_owned(),
                            });
                        }
                    }
                }
                Candidate::OnPath(name) => match on_path(name) {
                    Some(path) => (path, Vec::new(), None),
                    None => {
                        tried.push(format!("no {name} in PATH"));
                        continue;
                    }
                },
                Candidate::StandIn {
                    applet: name,
                    title,
                } => match built_in(name) {
                    Some(args) => (OWN_EXECUTABLE.into(), args, Some(title)),
                    None => {
                        tried.push(format!(
                            "the stand-in {name} is not built into this executable"
                        ));
                        continue;
                    }
                },
                Candidate::BuiltIn { applet: name } => match built_in(name) {
                    Some(args) => (OWN_EXECUTABLE.into(), args, None),
                    None => {
                        tried.push(format!("{name} is not built into this executable"));
                        continue;
                    }
                },
            };
            let mut program = Self {
                path,
                leading_args,
                version: None,
                title: title.unwrap_or(system.name()).to_owned(),
                stand_in: title.is_some(),
            };
            program.version = program.ask_version(system, how_to_get)?;
            return Ok(program);
        }
        Err(ProgramError::Missing {
            system: system.name(),
            tried,
            how_to_get: how_to_get.to_owned(),
        })
    }

    fn ask_version(
        &self,
        system: &dyn System,
        how_to_get: &str,
    ) -> Result<Option<String>, ProgramError> {
        let args: Vec<&str> = self
            .leading_args
            .iter()
            .map(String::as_str)
            .chain(system.version_args().iter().copied())
            .collect();
        let output =
            output_of(&self.path, &args, VERSION_LIMIT).map_err(|error| ProgramError::Broken {
                system: system.name(),
                program: self.path.display().to_string(),
                reason: error.to_string(),
                how_to_get: how_to_get.to_owned(),
            })?;
        Ok(system.version_of(&output))
    }
}

/// Why a file cannot be executed, if it cannot.
fn unusable(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some("does not exist"),
        Err(_) => Some("cannot be accessed"),
        Ok(metadata) if !metadata.is_file() => Some("is not a file"),
        Ok(_) if rustix::fs::access(path, Access::EXEC_OK).is_err() => Some("is not executable"),
        Ok(_) => None,
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|path| unusable(path).is_none())
}

/// The arguments that make this executable the applet `name`, if it has one.
fn built_in(name: &str) -> Option<Vec<String>> {
    applet(name).map(|applet| vec![APPLET_WORD.to_owned(), applet.name.to_owned()])
}
