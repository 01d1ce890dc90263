//! Where a program may be: one candidate, looked at.

use std::cmp::Ordering;
use std::env;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::applet::{APPLET_WORD, applet};
use crate::system::{Candidate, Installed, System};
use crate::versions::VersionName;

/// This very executable, also after it was rebuilt.
pub(super) const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// What is at a place.
pub(super) enum Looked {
    /// A program; with a title if it is a stand-in.
    Found {
        place: Installed,
        title: Option<&'static str>,
    },
    /// Nothing, and what was looked for.
    Nothing(String),
    /// A version was named: where it is, only the programs themselves say.
    ByVersion {
        version: VersionName,
        on_path: &'static str,
    },
    /// Something was named, and will not do.
    Unusable { path: PathBuf, reason: String },
}

/// Looks at one place.
pub(super) fn look(system: &dyn System, candidate: Candidate) -> Looked {
    match candidate {
        Candidate::File(path) => {
            let path = std::path::absolute(&path).unwrap_or(path);
            match usable(system, &path) {
                Ok(place) => Looked::Found { place, title: None },
                Err((path, reason)) => Looked::Unusable { path, reason },
            }
        }
        Candidate::OnPath(name) => {
            let found = on_path(name);
            first(system, found, || format!("no {name} in PATH"))
        }
        Candidate::Usually(path) => {
            let what = format!("no {}", path.display());
            first(system, vec![path], || what)
        }
        Candidate::UsuallyBelow {
            parent,
            prefix,
            file,
        } => {
            let found = below(&parent, prefix)
                .into_iter()
                .map(|directory| directory.join(file));
            let what = || format!("no {}/{prefix}*/{file}", parent.display());
            first(system, found.collect(), what)
        }
        Candidate::Version { version, on_path } => Looked::ByVersion { version, on_path },
        Candidate::StandIn {
            applet: name,
            title,
            args,
        } => match built_in(name) {
            Some(mut place) => {
                place.args.extend(args);
                Looked::Found {
                    place,
                    title: Some(title),
                }
            }
            None => Looked::Nothing(format!(
                "the stand-in {name} is not built into this executable"
            )),
        },
        Candidate::BuiltIn { applet: name } => match built_in(name) {
            Some(place) => Looked::Found { place, title: None },
            None => Looked::Nothing(format!("{name} is not built into this executable")),
        },
    }
}

/// The first of these that will do. One that is there and will not is told, too.
fn first(system: &dyn System, paths: Vec<PathBuf>, what: impl FnOnce() -> String) -> Looked {
    let mut unusable = Vec::new();
    for path in paths {
        match usable(system, &path) {
            Ok(place) => return Looked::Found { place, title: None },
            Err((path, reason)) if path.exists() => {
                unusable.push(format!("{} {reason}", path.display()));
            }
            Err(_) => {}
        }
    }
    Looked::Nothing(match unusable.is_empty() {
        true => what(),
        false => unusable.join("; "),
    })
}

/// What to run where this is, or the path that will not do and why.
fn usable(system: &dyn System, path: &Path) -> Result<Installed, (PathBuf, String)> {
    let no = |reason: &str| Err((path.to_owned(), reason.to_owned()));
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return no("does not exist"),
        Err(_) => return no("cannot be accessed"),
        Ok(_) => {}
    }
    let place = match system.installed(path) {
        Ok(place) => place,
        Err(reason) => return no(&reason),
    };
    let no = |reason: &str| Err((place.program.clone(), reason.to_owned()));
    match place.program.metadata() {
        Err(_) => no("cannot be accessed"),
        Ok(metadata) if !metadata.is_file() => no("is not a file"),
        Ok(_) if rustix::fs::access(&place.program, Access::EXEC_OK).is_err() => {
            no("is not executable")
        }
        Ok(_) => Ok(place),
    }
}

/// The executable files of this name in `PATH`, in order.
#[must_use]
pub fn on_path(name: impl AsRef<Path>) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(&name))
        .filter(|path| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok())
        .collect()
}

/// The directories whose names begin so, the newest version first.
fn below(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = parent.read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_by(|one, other| by_version(other, one));
    names.iter().map(|name| parent.join(name)).collect()
}

/// Compares names as versions: `a-3.12.9` comes before `a-3.12.10`.
fn by_version(one: &str, other: &str) -> Ordering {
    // Words and the numbers after them.
    let parts = |name: &str| -> Vec<(String, Option<u64>)> {
        let mut parts: Vec<(String, Option<u64>)> = Vec::new();
        for c in name.chars() {
            match (parts.last_mut(), c.to_digit(10).map(u64::from)) {
                (Some((_, number)), Some(digit)) => {
                    let before = number.unwrap_or_default();
                    *number = Some(before.saturating_mul(10).saturating_add(digit));
                }
                (Some((word, None)), None) => word.push(c),
                (_, None) => parts.push((c.to_string(), None)),
                (None, digit) => parts.push((String::new(), digit)),
            }
        }
        parts
    };
    parts(one).cmp(&parts(other)).then_with(|| one.cmp(other))
}

/// This executable as the applet `name`, if it has one.
fn built_in(name: &str) -> Option<Installed> {
    applet(name).map(|applet| Installed {
        program: OWN_EXECUTABLE.into(),
        args: vec![APPLET_WORD.to_owned(), applet.name.to_owned()],
        note: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "db-3.12.9",
            "db-3.12.10",
            "db-3.0.10",
            "db-3.1.0",
            "db",
            "other-9",
        ] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
        }
        let found = below(directory.path(), "db");
        let names: Vec<_> = found
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        let newest = ["db-3.12.10", "db-3.12.9", "db-3.1.0", "db-3.0.10", "db"];
        assert_eq!(names, newest);
    }
}
