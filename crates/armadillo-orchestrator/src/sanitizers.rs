//! Sanitizers: programs that were built to report their own faults. Which ones a program has is read from its symbols; their
//! reports are made to go to files in the server's directory, and are read from there.

mod elf;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::local::LOG_FILE;
use crate::server::ServerKey;

/// How the names of report files begin; the process id follows.
const FILE: &str = "sanitizer.";

/// As much as is read of a report file at once, in bytes.
const READ_LIMIT: u64 = 16 << 20;

/// Variables with paths of programs that sanitizers run to name functions.
const SYMBOLIZERS: &[&str] = &[
    "ASAN_SYMBOLIZER_PATH",
    "LLVM_SYMBOLIZER_PATH",
    "MSAN_SYMBOLIZER_PATH",
    "TSAN_SYMBOLIZER_PATH",
    "UBSAN_SYMBOLIZER_PATH",
];

/// A sanitizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sanitizer {
    /// Invalid addresses; leaks, too.
    Address,
    /// Leaks.
    Leak,
    /// Uninitialised memory.
    Memory,
    /// Data races.
    Thread,
    /// Undefined behaviour.
    Undefined,
}

impl Sanitizer {
    const ALL: [Self; 5] = [
        Self::Address,
        Self::Leak,
        Self::Memory,
        Self::Thread,
        Self::Undefined,
    ];

    /// Those that a program was built with, as far as its symbols say so; none where they cannot be read.
    #[must_use]
    pub fn of_program(program: &Path) -> BTreeSet<Self> {
        let names = elf::names(program).unwrap_or_default();
        let has = |sanitizer: &Self| {
            names
                .split(|byte| *byte == 0)
                .any(|name| sanitizer.is_marked_by(name))
        };
        Self::ALL.into_iter().filter(has).collect()
    }

    /// Whether only programs with this sanitizer have such a symbol, or need such a library.
    fn is_marked_by(self, name: &[u8]) -> bool {
        let prefixes: &[&[u8]] = match self {
            Self::Address => &[b"__asan_init"],
            Self::Leak => &[b"__lsan_init", b"liblsan.so"],
            Self::Memory => &[b"__msan_init"],
            Self::Thread => &[b"__tsan_init", b"__tsan_func_entry"],
            Self::Undefined => &[b"__ubsan_handle_"],
        };
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// The variable that it reads its options from.
    fn variable(self) -> &'static str {
        match self {
            Self::Address => "ASAN_OPTIONS",
            Self::Leak => "LSAN_OPTIONS",
            Self::Memory => "MSAN_OPTIONS",
            Self::Thread => "TSAN_OPTIONS",
            Self::Undefined => "UBSAN_OPTIONS",
        }
    }
}

impl fmt::Display for Sanitizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "AddressSanitizer",
            Self::Leak => "LeakSanitizer",
            Self::Memory => "MemorySanitizer",
            Self::Thread => "ThreadSanitizer",
            Self::Undefined => "UndefinedBehaviorSanitizer",
        })
    }
}

/// Completes the environment of a server whose program has these sanitizers: their reports go to files in its directory. Options
/// of the user stay, from the launch or else from the environment of the run.
pub(crate) fn complete(
    environment: &mut BTreeMap<String, String>,
    sanitizers: &BTreeSet<Sanitizer>,
    directory: &Path,
) {
    if sanitizers.is_empty() {
        return;
    }
    let inherit = |environment: &mut BTreeMap<String, String>, name: &str| {
        if let (false, Ok(value)) = (environment.contains_key(name), std::env::var(name)) {
            environment.insert(name.to_owned(), value);
        }
    };
    for name in SYMBOLIZERS {
        inherit(environment, name);
    }
    // Leaks are found by the sanitizer of addresses, too, and it reads the options for them.
    for name in Sanitizer::ALL.map(Sanitizer::variable) {
        inherit(environment, name);
    }
    let file = directory.join(FILE.trim_end_matches('.'));
    for sanitizer in sanitizers {
        let value = environment
            .entry(sanitizer.variable().to_owned())
            .or_default();
        let own = match sanitizer {
            Sanitizer::Undefined => "print_stacktrace=1",
            _ => "",
        };
        let place = format!("log_path='{}'", file.display());
        let parts = [own, value.as_str(), place.as_str()];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        *value = parts.collect::<Vec<_>>().join(":");
    }
}

/// A point in every report file, in bytes: what is written later is after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportMarks(BTreeMap<PathBuf, u64>);

/// What a sanitizer found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SanitizerFinding {
    /// The server.
    pub server: ServerKey,
    /// The sanitizer and the fault: `AddressSanitizer: heap-buffer-overflow`.
    pub what: String,
    /// Where it was, innermost first: `parse at config.c:12`.
    pub frames: Vec<String>,
    /// The file with the whole report.
    pub file: PathBuf,
}

impl fmt::Display for SanitizerFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.what)?;
        if let Some(first) = self.frames.first() {
            write!(f, " in {first}")?;
        }
        Ok(())
    }
}

impl ReportMarks {
    /// Where the report files in these directories end now.
    pub(crate) fn of<'a>(directories: impl Iterator<Item = &'a Path>) -> Self {
        let sized = |path: PathBuf| {
            let size = fs::metadata(&path).ok()?.len();
            Some((path, size))
        };
        Self(directories.flat_map(files).filter_map(sized).collect())
    }

    /// The marks that are further on, of each file.
    pub fn advance(&mut self, to: Self) {
        for (file, size) in to.0 {
            let mark = self.0.entry(file).or_default();
            *mark = size.max(*mark);
        }
    }
}

/// What was reported in a server's directory between these marks.
pub(crate) fn findings(
    server: &ServerKey,
    directory: &Path,
    from: &ReportMarks,
    to: &ReportMarks,
) -> Vec<SanitizerFinding> {
    let mut found = Vec::new();
    for file in files(directory) {
        let (from, to) = (from.0.get(&file), to.0.get(&file));
        let (from, to) = (from.copied().unwrap_or(0), to.copied().unwrap_or(0));
        if from >= to {
            continue;
        }
        let Ok(bytes) = read(&file, from, to.min(from + READ_LIMIT)) else {
            continue;
        };
        let reported = report::read(&String::from_utf8_lossy(&bytes));
        found.extend(reported.into_iter().map(|(what, frames)| SanitizerFinding {
            server: server.clone(),
            what,
            frames,
            file: file.clone(),
        }));
    }
    found
}

/// The report files in a directory, in the order of their names; and the log, because not every sanitizer goes by its options
/// when there are several.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let own =
        entries.filter(|entry| entry.file_name() == LOG_FILE || is_report(&entry.file_name()));
    let mut files: Vec<PathBuf> = own.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Whether a file of this name is a report.
pub(crate) fn is_report(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with(FILE)
}

fn read(path: &Path, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_user_stay_and_the_place_is_added() {
        let mut environment = BTreeMap::from([
            ("ASAN_OPTIONS".to_owned(), "halt_on_error=0".to_owned()),
            ("OTHER".to_owned(), "1".to_owned()),
        ]);
        complete(&mut environment, &BTreeSet::new(), Path::new("/d"));
        assert_eq!(environment.len(), 2);
        let both = BTreeSet::from([Sanitizer::Address, Sanitizer::Undefined]);
        complete(&mut environment, &both, Path::new("/a b"));
        let expected = "halt_on_error=0:log_path='/a b/sanitizer'";
        assert_eq!(environment["ASAN_OPTIONS"], expected);
        let expected = "print_stacktrace=1:log_path='/a b/sanitizer'";
        assert_eq!(environment["UBSAN_OPTIONS"], expected);
    }

    #[test]
    fn only_what_was_reported_meanwhile_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sanitizer.47");
        let marks = || ReportMarks::of([directory.path()].into_iter());
        let one = "a.c:1:2: runtime error: one\n";
        let before = marks();
        fs::write(&path, one).unwrap();
        let between = marks();
        fs::write(&path, format!("{one}a.c:1:3: runtime error: two\n")).unwrap();
        let server = ServerKey::from("s-1");
        let found = |from: &ReportMarks, to: &ReportMarks| {
            let found = findings(&server, directory.path(), from, to).into_iter();
            found.map(|finding| finding.to_string()).collect::<Vec<_>>()
        };
        let (one, two) = (
            "s-1: UndefinedBehaviorSanitizer: one in a.c:1:2".to_owned(),
            "s-1: UndefinedBehaviorSanitizer: two in a.c:1:3".to_owned(),
        );
        assert_eq!(found(&before, &marks()), [one.clone(), two.clone()]);
        assert_eq!(found(&between, &marks()), [two]);
        assert_eq!(found(&before, &between), [one]);
    }

    #[test]
    fn a_program_without_sanitizers_has_none() {
        let own = std::env::current_exe().unwrap();
        assert!(Sanitizer::of_program(&own).is_empty());
        assert!(Sanitizer::of_program(Path::new("/nonexistent")).is_empty());
    }
}
