//! Where the kernel writes cores: `/proc/sys/kernel/core_pattern`, as `core(5)` describes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Collector;

/// Where the kernel writes the core of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorePattern {
    /// Nowhere.
    Nowhere,
    /// To the standard input of this program.
    Pipe(PathBuf),
    /// To a file of this name; a relative one is in the working directory of the process.
    File {
        /// The name with its `%` words.
        template: String,
        /// Whether `.PID` is appended.
        adds_pid: bool,
    },
}

/// A piece of a file's name.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The process id.
    Pid,
    /// Something that only the kernel knows.
    Any,
}

impl CorePattern {
    /// The pattern of this machine.
    ///
    /// # Errors
    /// When it cannot be read, as on other systems than Linux.
    pub fn read() -> io::Result<Self> {
        let kernel = Path::new("/proc/sys/kernel");
        let pattern = fs::read_to_string(kernel.join("core_pattern"))?;
        let uses_pid = fs::read_to_string(kernel.join("core_uses_pid")).unwrap_or_default();
        Ok(Self::parse(pattern.trim_end(), uses_pid.trim() == "1"))
    }

    /// What these two settings mean.
    #[must_use]
    pub fn parse(pattern: &str, uses_pid: bool) -> Self {
        match pattern.strip_prefix('|') {
            Some(command) => {
                let program = command.split_whitespace().next().unwrap_or_default();
                Self::Pipe(program.into())
            }
            None if pattern.is_empty() && !uses_pid => Self::Nowhere,
            None => Self::File {
                template: pattern.to_owned(),
                adds_pid: uses_pid && !pattern.contains("%p"),
            },
        }
    }

    /// The core that a process of this id has left, which had this working directory. Where names have no process id, cores
    /// of all processes look the same: then only one in the working directory is believed.
    #[must_use]
    pub fn find(&self, pid: u32, working_directory: &Path) -> Option<PathBuf> {
        let Self::File { template, adds_pid } = self else {
            return None;
        };
        let (directory, name) = match template.rsplit_once('/') {
            Some((directory, _)) if directory.contains('%') => return None,
            Some((directory, name)) => (working_directory.join(format!("{directory}/")), name),
            None => (working_directory.to_owned(), template.as_str()),
        };
        let is_own = !template.starts_with('/');
        let mut pieces = pieces(name);
        if *adds_pid {
            pieces.extend([Piece::Text(".".to_owned()), Piece::Pid]);
        }
        let names_pid = pieces.contains(&Piece::Pid);
        if !names_pid && !is_own {
            return None;
        }
        let entries = fs::read_dir(directory).ok()?;
        let files = entries.filter_map(Result::ok);
        let mut found: Vec<(bool, std::time::SystemTime, PathBuf)> = files
            .filter_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str()?;
                let exactly = matches(&pieces, name, Some(pid));
                // A script's child has another id, and the same directory.
                let is_like_it = is_own && matches(&pieces, name, None);
                if !(exactly || is_like_it) {
                    return None;
                }
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((exactly, metadata.modified().ok()?, entry.path()))
            })
            .collect();
        found.sort();
        found.pop().map(|(_, _, path)| path)
    }

    /// What gives back the cores that the kernel passes to a program, if that is known.
    #[must_use]
    pub fn collector(&self) -> Option<Collector> {
        let Self::Pipe(program) = self else {
            return None;
        };
        Collector::of(&program.file_name()?.to_string_lossy())
    }

    /// Why a process that ended by a signal left no core that could be found here, and where to look.
    #[must_use]
    pub fn why_none(&self, pid: u32) -> String {
        match self {
            Self::Nowhere => "the kernel writes no cores: its core_pattern is empty".to_owned(),
            Self::Pipe(program) => {
                let name = program.file_name().unwrap_or_default().to_string_lossy();
                let look = match self.collector() {
                    Some(Collector::Systemd) => {
                        format!("if it was kept, `coredumpctl gdb {pid}` opens it")
                    }
                    Some(Collector::Apport) => {
                        "look in /var/lib/apport/coredump and /var/crash".to_owned()
                    }
                    None => format!("see the documentation of {name}"),
                };
                format!(
                    "the kernel passed the core to {}; {look}",
                    program.display()
                )
            }
            Self::File { template, .. } => {
                format!("no core was found (core_pattern is `{template}`)")
            }
        }
    }
}

fn pieces(name: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        let piece = match (character, character == '%') {
            (_, false) => {
                text.push(character);
                continue;
            }
            _ => match characters.next() {
                Some('%') => {
                    text.push('%');
                    continue;
                }
                Some('p') => Piece::Pid,
                Some(_) => Piece::Any,
                None => break,
            },
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(piece);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// Whether a name consists of these pieces. Without an id, any number is one.
fn matches(pieces: &[Piece], name: &str, pid: Option<u32>) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return name.is_empty();
    };
    match (first, pid) {
        (Piece::Text(text), _) => name
            .strip_prefix(text.as_str())
            .is_some_and(|name| matches(rest, name, pid)),
        (Piece::Pid, Some(number)) => name
            .strip_prefix(number.to_string().as_str())
            .is_some_and(|name| matches(rest, name, pid)),
        (Piece::Pid, None) => {
            let digits = name.chars().take_while(char::is_ascii_digit).count();
            digits > 0 && matches(rest, &name[digits..], pid)
        }
        (Piece::Any, _) => name
            .char_indices()
            .map(|(at, _)| at)
            .chain([name.len()])
            .any(|at| matches(rest, &name[at..], pid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_understood() {
        let pipe = CorePattern::parse("|/usr/lib/systemd/systemd-coredump %P %u", false);
        let why = pipe.why_none(47);
        assert!(why.contains("`coredumpctl gdb 47`"), "{why}");
        let apport = CorePattern::parse("|/usr/share/apport/apport -p%p", false).why_none(47);
        assert!(apport.contains("/var/crash"), "{apport}");
        assert_eq!(CorePattern::parse("", false), CorePattern::Nowhere);
        let file = |template: &str, adds_pid| CorePattern::File {
            template: template.to_owned(),
            adds_pid,
        };
        assert_eq!(CorePattern::parse("core", true), file("core", true));
        assert_eq!(CorePattern::parse("core.%p", true), file("core.%p", false));
    }

    #[test]
    fn a_core_is_found_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str| fs::write(directory.path().join(name), name).unwrap();
        let find = |pattern: &str, uses_pid| {
            let found = CorePattern::parse(pattern, uses_pid).find(47, directory.path());
            found.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(find("core", false), None);
        for name in [
            "core",
            "core.46",
            "core.47",
            "mydb-47-11.1700000000.core",
            "log",
        ] {
            make(name);
        }
        assert_eq!(find("core", false).as_deref(), Some("core"));
        assert_eq!(find("core", true).as_deref(), Some("core.47"));
        let long = "%e-%p-%s.%t.core";
        assert_eq!(
            find(long, false).as_deref(),
            Some("mydb-47-11.1700000000.core")
        );
        // Of a script's child.
        fs::remove_file(directory.path().join("core.47")).unwrap();
        assert_eq!(find("core.%p", false).as_deref(), Some("core.46"));
        let elsewhere = |name: &str| format!("{}/{name}", directory.path().display());
        // In a directory for all processes, only the process's own.
        assert_eq!(find(&elsewhere("core.%p"), false), None);
        assert_eq!(find(&elsewhere("core"), false), None);
        make("core.47");
        assert_eq!(
            find(&elsewhere("core.%p"), false).as_deref(),
            Some("core.47")
        );
        assert_eq!(find("/cores/%e/core.%p", false), None);
    }
}
