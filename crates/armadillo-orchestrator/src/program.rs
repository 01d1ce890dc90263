//! The program of a system: where it is, and what it says of itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::applet::APPLET_WORD;
use crate::attach::Attached;
use crate::process::output_of;
use crate::sanitizers::Sanitizer;
use crate::settings::Settings;
use crate::system::{Candidate, System};
use crate::versions::{Cache, Origin, VersionName};
use places::Looked;

mod answers;
mod places;

pub use answers::Answers;
pub use places::on_path;

/// How long a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// A program that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Program {
    /// What is executed.
    pub path: PathBuf,
    /// Arguments before those of the launch: what makes this executable an applet, and what the system adds because of where
    /// the program is.
    pub leading_args: Vec<String>,
    /// Its version, if it said one.
    pub version: Option<String>,
    /// What it is shown as.
    pub title: String,
    /// Whether it stands in for the product.
    pub stand_in: bool,
    /// Why it is another program than the one that was found or named, if it is.
    #[serde(default)]
    pub note: Option<String>,
    /// What it was made from, for one of the user's cache.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// What it says that it has: words of the system's.
    #[serde(default)]
    pub features: BTreeSet<String>,
    /// The sanitizers that it was built with.
    #[serde(default)]
    pub sanitizers: BTreeSet<Sanitizer>,
}

impl Program {
    /// Whether it is part of this executable.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.path == std::path::Path::new(places::OWN_EXECUTABLE)
    }

    /// Makes it part of this executable.
    pub(crate) fn build_in(&mut self) {
        self.path = places::OWN_EXECUTABLE.into();
    }
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
    /// This version of it is neither in the user's cache nor in `PATH`.
    #[error("{system} {version} is not in {cache} and not in PATH; {how_to_get}")]
    NoVersion {
        /// The system's name.
        system: &'static str,
        /// The version.
        version: VersionName,
        /// Where the cache is.
        cache: String,
        /// How to get it.
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
            Self::NoVersion { .. } => false,
            Self::OfRole { source, .. } => {
                matches!(**source, Self::Named { absent: true, .. })
                    || source.is_missing()
                    || self.lacks_version()
            }
            Self::Named { .. } | Self::Foreign { .. } | Self::Broken { .. } => false,
        }
    }
}

impl ProgramError {
    /// Whether a topology names a version that nobody has put there.
    #[must_use]
    pub fn lacks_version(&self) -> bool {
        match self {
            Self::OfRole { source, .. } => matches!(**source, Self::NoVersion { .. }),
            _ => false,
        }
    }
}

impl Program {
    /// Finds the program of a system and asks for its version, unless the answer is known. It blocks for up to five seconds and starts
    /// a process: not for a process that has a process table.
    ///
    /// # Errors
    /// When there is none, when one was named and will not do, or when it does not say its version. The text says
    /// what was looked for and how to get it.
    pub fn find(
        system: &dyn System,
        settings: &Settings,
        answers: &mut Answers,
    ) -> Result<Self, ProgramError> {
        Self::first_of(
            system,
            system.programs(settings),
            &system.how_to_get(),
            settings,
            answers,
        )
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
        settings: &Settings,
        answers: &mut Answers,
    ) -> Result<Self, ProgramError> {
        let option = system.program_option(role);
        let advice = format!("it is set by {by}: `{option} = \"{name}\"`");
        let named = vec![system.program_named(name)];
        Self::first_of(system, named, &advice, settings, answers)
            .and_then(|program| program.with_version(system, &advice))
            .map_err(|source| ProgramError::OfRole {
                role: role.to_owned(),
                source: Box::new(source),
            })
    }

    /// What servers run that somebody else started: it is shown, and never executed.
    #[must_use]
    pub fn attached(system: &dyn System, attached: &Attached) -> Self {
        let title = attached.stand_in.clone();
        Self {
            path: attached.to_string().into(),
            leading_args: Vec::new(),
            version: Some(attached.version.clone()),
            stand_in: title.is_some(),
            title: title.unwrap_or_else(|| system.name().to_owned()),
            note: None,
            origin: None,
            sanitizers: BTreeSet::new(),
            features: BTreeSet::new(),
        }
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
        settings: &Settings,
        answers: &mut Answers,
    ) -> Result<Self, ProgramError> {
        let mut tried = Vec::new();
        for candidate in candidates {
            let (place, title) = match places::look(system, candidate) {
                Looked::Found { place, title } => (place, title),
                Looked::ByVersion { version, on_path } => {
                    return Self::of_version(system, version, on_path, settings, answers);
                }
                Looked::Nothing(what) => {
                    tried.push(what);
                    continue;
                }
                Looked::Unusable { path, reason } => {
                    return Err(ProgramError::Named {
                        system: system.name(),
                        absent: !path.exists(),
                        path,
                        reason,
                        how_to_get: how_to_get.to_owned(),
                    });
                }
            };
            let mut program = Self {
                sanitizers: Sanitizer::of_program(&place.program),
                path: place.program,
                leading_args: place.args,
                version: None,
                title: title.unwrap_or(system.name()).to_owned(),
                stand_in: title.is_some(),
                note: place.note,
                origin: None,
                features: BTreeSet::new(),
            };
            let said = program.ask(system, how_to_get, answers)?;
            program.version = system.version_of(&said);
            program.features = system.features_of(&said);
            return Ok(program);
        }
        Err(ProgramError::Missing {
            system: system.name(),
            tried,
            how_to_get: how_to_get.to_owned(),
        })
    }

    /// The newest program of this version in the user's cache, or the one in `PATH` if that is its version.
    fn of_version(
        system: &dyn System,
        version: VersionName,
        on_path: &'static str,
        settings: &Settings,
        answers: &mut Answers,
    ) -> Result<Self, ProgramError> {
        let how_to_get = system.how_to_get_version(&version);
        let cache = Cache::of_user(settings);
        let found = match &cache {
            Ok(cache) => cache.find(system.name(), &version),
            // There may be one in `PATH`.
            Err(_) => Ok(None),
        };
        let found = found.map_err(|error| ProgramError::Broken {
            system: system.name(),
            program: version.to_string(),
            reason: error.to_string(),
            how_to_get: how_to_get.clone(),
        })?;
        if let Some(cached) = found {
            let mut program = Self::first_of(
                system,
                vec![Candidate::File(cached.program)],
                &how_to_get,
                settings,
                answers,
            )?;
            program.origin = Some(cached.origin);
            return Ok(program);
        }
        let in_path = Candidate::OnPath(on_path);
        let in_path = Self::first_of(system, vec![in_path], &how_to_get, settings, answers);
        let is_it = |program: &Self| {
            let own = program.version.as_deref().and_then(VersionName::parse);
            own.is_some_and(|own| version.names(&own))
        };
        in_path
            .ok()
            .filter(is_it)
            .ok_or_else(|| ProgramError::NoVersion {
                system: system.name(),
                cache: match cache {
                    Ok(cache) => cache.directory().display().to_string(),
                    Err(error) => format!("the cache ({error})"),
                },
                version,
                how_to_get,
            })
    }

    /// The applet that it is, of this executable or of another, if it is one.
    #[must_use]
    pub fn applet(&self) -> Option<&str> {
        match &self.leading_args[..] {
            [word, name, ..] if word == APPLET_WORD => Some(name),
            _ => None,
        }
    }

    /// What it prints when it is asked for its version.
    fn ask(
        &self,
        system: &dyn System,
        how_to_get: &str,
        answers: &mut Answers,
    ) -> Result<String, ProgramError> {
        // What else leads the arguments is for servers.
        let leading = match self.applet() {
            Some(_) => &self.leading_args[..],
            None => &[],
        };
        let args: Vec<&str> = leading
            .iter()
            .map(String::as_str)
            .chain(system.version_args().iter().copied())
            .collect();
        let ask = || output_of(&self.path, &args, VERSION_LIMIT);
        let said = answers.of(&self.path, &args, ask);
        said.map_err(|error| ProgramError::Broken {
            system: system.name(),
            program: self.path.display().to_string(),
            reason: error.to_string(),
            how_to_get: how_to_get.to_owned(),
        })
    }
}
