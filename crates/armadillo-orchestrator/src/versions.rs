//! Programs by version: `3.6.16`, or the newest `3.6`, from the user's cache or from `PATH`.
//!
//! The cache has a directory for each version, `<cache>/<system>/<version>/`, with the program under the system's name and
//! [`Origin`] in [`ORIGIN_FILE`]. A version is built beside it and renamed, so what is there is whole.

use std::cmp::Ordering;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// The setting of where the cache is.
pub const CACHE_SETTING: &str = "servers-dir";

/// The file that says where a program of the cache comes from.
pub const ORIGIN_FILE: &str = "origin.json";

/// A version, or the beginning of one, and what was changed in its build: `3.6.16`, `3.6`, `3.5.5+gofail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionName {
    numbers: Vec<u64>,
    change: Option<String>,
}

/// Where a program of the cache comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ProgramOrigin")
)]
pub struct Origin {
    /// The version that it reports.
    pub version: String,
    /// What it was made from, for people: a module with its version, or a package.
    pub from: String,
    /// The SHA-256 of the program, in hexadecimal digits.
    pub sha256: String,
    /// The size of the program in bytes.
    pub bytes: u64,
}

/// A program of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The program.
    pub program: PathBuf,
    /// Where it comes from.
    pub origin: Origin,
}

/// The programs of one user, by system and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache(PathBuf);

/// Why a program of the cache will not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// There is no place for a cache.
    #[error("no directory for servers: set --{CACHE_SETTING}, XDG_CACHE_HOME or HOME")]
    Nowhere,
    /// It is not what was put there.
    #[error("{}: {reason}; remove the directory and get the version again", directory.display())]
    Damaged {
        /// The directory of the version.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl VersionName {
    /// Reads a name; `None` if the text is none, a path for example.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (numbers, change) = match text.split_once('+') {
            Some((numbers, change)) => (numbers, Some(change)),
            None => (text, None),
        };
        let is_word = |word: &&str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let change = match change {
            Some(change) => Some(Some(change).filter(is_word)?.to_owned()),
            None => None,
        };
        let numbers: Option<Vec<u64>> = numbers
            .split('.')
            .map(|number| {
                let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
                number.parse().ok().filter(|_| is_number)
            })
            .collect();
        // A single number is more likely a mistake than a version.
        let numbers = numbers.filter(|numbers| (2..=4).contains(&numbers.len()))?;
        Some(Self { numbers, change })
    }

    /// Whether this version has this name: `3.6` is a name of `3.6.16`, and not of `3.6.16+gofail`.
    #[must_use]
    pub fn names(&self, version: &Self) -> bool {
        self.change == version.change && version.numbers.starts_with(&self.numbers)
    }

    /// Whether it says everything: major, minor and patch.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.numbers.len() >= 3
    }

    /// What was changed in the build, if anything: `gofail`.
    #[must_use]
    pub fn change(&self) -> Option<&str> {
        self.change.as_deref()
    }

    /// The version without what was changed in its build: `3.5.5`.
    #[must_use]
    pub fn number(&self) -> String {
        let numbers: Vec<String> = self.numbers.iter().map(u64::to_string).collect();
        numbers.join(".")
    }

    /// Which of two versions is newer.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number())?;
        match &self.change {
            Some(change) => write!(f, "+{change}"),
            None => Ok(()),
        }
    }
}

impl Cache {
    /// The cache in this directory.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The user's cache: where the setting says, or `armadillo/servers` in `XDG_CACHE_HOME` or `~/.cache`.
    ///
    /// # Errors
    /// When neither says where that is.
    pub fn of_user(settings: &Settings) -> Result<Self, CacheError> {
        if let Some(said) = settings.get(CACHE_SETTING) {
            let said = PathBuf::from(said);
            return Ok(Self(std::path::absolute(&said).unwrap_or(said)));
        }
        let absolute = |name: &str| {
            let directory = PathBuf::from(env::var_os(name)?);
            Some(directory).filter(|directory| directory.is_absolute())
        };
        let caches = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or(CacheError::Nowhere)?;
        Ok(Self(caches.join("armadillo/servers")))
    }

    /// The directory of all programs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The directory of one system's versions.
    #[must_use]
    pub fn of_system(&self, system: &str) -> PathBuf {
        self.0.join(system)
    }

    /// The newest program of this system that has the name.
    ///
    /// # Errors
    /// When it is not as it was put there.
    pub fn find(&self, system: &str, name: &VersionName) -> Result<Option<Cached>, CacheError> {
        let newest = self
            .versions(system)
            .into_iter()
            .filter(|version| name.names(version))
            .max_by(VersionName::order);
        newest
            .map(|version| cached(&self.of_system(system).join(version.to_string()), system))
            .transpose()
    }

    /// The versions of a system, in no order.
    #[must_use]
    pub fn versions(&self, system: &str) -> Vec<VersionName> {
        let entries = self.of_system(system).read_dir();
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| VersionName::parse(entry.file_name().to_str()?))
            .collect()
    }
}

/// The program in the directory of a version, if it is the one that was put there.
fn cached(directory: &Path, system: &str) -> Result<Cached, CacheError> {
    let damaged = |reason: String| CacheError::Damaged {
        directory: directory.to_owned(),
        reason,
    };
    let text = std::fs::read(directory.join(ORIGIN_FILE))
        .map_err(|error| damaged(format!("cannot read {ORIGIN_FILE}: {error}")))?;
    let origin: Origin = serde_json::from_slice(&text)
        .map_err(|error| damaged(format!("{ORIGIN_FILE} is invalid: {error}")))?;
    let program = directory.join(system);
    let bytes = program
        .metadata()
        .map_err(|error| damaged(format!("cannot read {system}: {error}")))?
        .len();
    if bytes != origin.bytes {
        let was = origin.bytes;
        return Err(damaged(format!("{system} has {bytes} bytes, not {was}")));
    }
    Ok(Cached { program, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> VersionName {
        VersionName::parse(text).unwrap()
    }

    #[test]
    fn a_version_is_told_from_a_path() {
        for text in ["3.6", "3.6.16", "3.5.5+gofail", "3.12.4.1"] {
            assert_eq!(name(text).to_string(), text);
        }
        for text in [
            "", "3", "db", "./3.6", "3.6/db", "3..6", "3.6.", "+3.6", "3.6+", "3.6+a b", "v3.6",
            "3.+6",
        ] {
            assert_eq!(VersionName::parse(text), None, "{text}");
        }
        assert!(name("3.6").names(&name("3.6.16")) && !name("3.6").names(&name("3.60.1")));
        assert!(!name("3.6").names(&name("3.6.16+gofail")));
        assert!(name("3.6.16").is_whole() && !name("3.6").is_whole());
    }

    fn put(cache: &Cache, version: &str, bytes: u64) {
        let directory = cache.of_system("db").join(version);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("db"), "program").unwrap();
        let origin = Origin {
            version: version.to_owned(),
            from: "a test".to_owned(),
            sha256: String::new(),
            bytes,
        };
        let origin = serde_json::to_vec(&origin).unwrap();
        std::fs::write(directory.join(ORIGIN_FILE), origin).unwrap();
    }

    #[test]
    fn the_newest_version_with_the_name_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path());
        assert_eq!(cache.find("db", &name("3.6")), Ok(None));
        for version in ["3.6.9", "3.6.16", "3.7.0", "3.6.17+gofail"] {
            put(&cache, version, 7);
        }
        let found = cache.find("db", &name("3.6")).unwrap().unwrap();
        assert_eq!(found.origin.version, "3.6.16");
        assert_eq!(cache.find("db", &name("3.6.1")), Ok(None));
        put(&cache, "3.6.18", 8);
        let error = cache.find("db", &name("3.6")).unwrap_err();
        assert!(
            error.to_string().contains("db has 7 bytes, not 8"),
            "{error}"
        );
    }
}
