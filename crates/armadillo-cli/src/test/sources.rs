//! The source files of test executables, and whether one has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::build::Notes;

/// What else decides about a build and a run.
const MANIFESTS: [&str; 2] = ["Cargo.toml", SETTINGS];

/// The file with the settings of runs, which no build depends on.
pub(super) const SETTINGS: &str = "armadillo.toml";

/// When files were written last. A file that is not there has no time.
pub(super) struct Sources {
    files: BTreeMap<PathBuf, Option<SystemTime>>,
    /// A new Rust file below this directory counts, too.
    around: Option<PathBuf>,
}

impl Sources {
    /// Those that the compiler has noted, with the manifests of their packages.
    pub(super) fn of(notes: &[Notes]) -> Self {
        let mut files = Vec::new();
        for Notes {
            file,
            package_directory,
        } in notes
        {
            let text = fs::read_to_string(file).unwrap_or_default();
            // They are relative to the workspace or to the package.
            let around = || package_directory.ancestors();
            let found = |file: PathBuf| {
                let mut places = around().map(|directory| directory.join(&file));
                places.find(|place| place.is_file())
            };
            files.extend(prerequisites(&text).filter_map(found));
            let manifests =
                around().flat_map(|directory| MANIFESTS.map(|name| directory.join(name)));
            files.extend(manifests.filter(|path| path.is_file()));
        }
        Self::at(files)
    }

    /// The Rust files below a directory: nothing that compiles tells of better ones.
    pub(super) fn below(directory: &Path) -> Self {
        Self {
            around: Some(directory.to_owned()),
            ..Self::at(walked(directory))
        }
    }

    fn at(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files = files.into_iter().map(|file| {
            let written = written(&file);
            (file, written)
        });
        Self {
            files: files.collect(),
            around: None,
        }
    }

    /// These and others.
    pub(super) fn and(mut self, others: Self) -> Self {
        for (file, written) in others.files {
            self.files.entry(file).or_insert(written);
        }
        self.around = others.around.or(self.around);
        self
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// One that was written since.
    pub(super) fn changed(&self) -> Option<PathBuf> {
        let mut files = self.files.iter();
        let changed = files.find(|(file, then)| written(file) != **then);
        let changed = changed.map(|(file, _)| file.clone());
        changed.or_else(|| {
            let mut there = walked(self.around.as_deref()?).into_iter();
            there.find(|file| !self.files.contains_key(file))
        })
    }

    /// The same files, as they are now.
    pub(super) fn renewed(&self) -> Self {
        Self::at(self.files.keys().cloned())
    }
}

pub(super) fn written(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

/// The files that a rule of the compiler's notes has behind the colon. Blanks in names have a backslash before them.
fn prerequisites(notes: &str) -> impl Iterator<Item = PathBuf> {
    let rule = notes.lines().find(|line| !line.starts_with('#'));
    let files = rule.and_then(|line| line.split_once(": "));
    let files = files.map_or("", |(_, files)| files).replace("\\ ", "\0");
    let files: Vec<PathBuf> = files
        .split(' ')
        .filter(|file| !file.is_empty())
        .map(|file| file.replace('\0', " ").into())
        .collect();
    files.into_iter()
}

fn walked(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(directory, &mut files);
    files
}

/// Hidden directories and what cargo has built have no sources.
fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_hidden && !path.join("CACHEDIR.TAG").is_file() => {
                walk(&path, found);
            }
            Ok(kind) if kind.is_file() => {
                let end = path.extension().and_then(|end| end.to_str());
                if matches!(end, Some("rs" | "toml")) {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiler_notes_is_read() {
        let notes = "/target/deps/suite-1.d: tests/suite/main.rs tests/a\\ b.rs /c/d.rs\n\n\
                     tests/suite/main.rs:\n# env-dep:X\n";
        let files: Vec<PathBuf> = prerequisites(notes).collect();
        assert_eq!(
            files,
            ["tests/suite/main.rs", "tests/a b.rs", "/c/d.rs"].map(PathBuf::from)
        );
        assert_eq!(prerequisites("").count(), 0);
    }

    #[test]
    fn a_file_that_is_written_made_or_removed_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.rs");
        fs::write(&file, "").unwrap();
        fs::create_dir(directory.path().join("target")).unwrap();
        fs::write(directory.path().join("target/CACHEDIR.TAG"), "").unwrap();
        fs::write(directory.path().join("target/b.rs"), "").unwrap();
        let sources = Sources::below(directory.path());
        assert_eq!((sources.count(), sources.changed()), (1, None));
        let later = SystemTime::now() + std::time::Duration::from_secs(2);
        fs::File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert_eq!(sources.changed().as_deref(), Some(&*file));
        let new = directory.path().join("new.rs");
        let sources = Sources::below(directory.path());
        fs::write(&new, "").unwrap();
        assert_eq!(sources.changed().as_deref(), Some(&*new));
        let sources = sources.renewed();
        assert_eq!(sources.changed(), None);
        fs::remove_file(&file).unwrap();
        assert_eq!(sources.changed().as_deref(), Some(&*file));
    }
}
