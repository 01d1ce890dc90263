//! Where log lines go.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

/// One destination.
#[derive(Debug)]
pub(crate) enum Output {
    /// `-`
    Stdout,
    /// `+`
    Stderr,
    /// `file://...`
    File {
        /// The name, kept for reopening.
        path: PathBuf,
        /// The open file.
        file: File,
    },
}

impl Output {
    /// Opens what one `--log.output` names; `topic=output` is read as the output alone.
    pub(crate) fn open(text: &str) -> Result<Self, String> {
        let definition = match text.split_once('=') {
            Some((topic, output)) if super::level::TOPICS.contains(&topic) => output,
            _ => text,
        };
        let path = match definition {
            "-" | "file://-" => return Ok(Self::Stdout),
            "+" | "file://+" => return Ok(Self::Stderr),
            other => match other.strip_prefix("file://") {
                Some(path) => PathBuf::from(path),
                None if other.contains("://") => {
                    return Err(format!(
                        "the emulator does not implement log output '{other}'"
                    ));
                }
                None => PathBuf::from(other),
            },
        };
        match OpenOptions::new().create(true).append(true).open(&path) {
            Ok(file) => Ok(Self::File { path, file }),
            Err(error) => Err(format!(
                "cannot open log file '{}': {error}",
                path.display()
            )),
        }
    }

    /// Writes a line. A log that cannot be written must not end the server.
    pub(crate) fn write(&mut self, line: &str) {
        let result = match self {
            Self::Stdout => std::io::stdout().lock().write_all(line.as_bytes()),
            Self::Stderr => std::io::stderr().lock().write_all(line.as_bytes()),
            Self::File { file, .. } => file.write_all(line.as_bytes()),
        };
        drop(result);
    }

    /// Opens the file again under its name, after somebody has renamed it.
    pub(crate) fn reopen(&mut self) -> Result<(), String> {
        if let Self::File { path, file } = self {
            *file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(|error| format!("cannot reopen '{}': {error}", path.display()))?;
        }
        Ok(())
    }

    /// The descriptor, for the crash handler.
    pub(crate) fn descriptor(&self) -> RawFd {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::File { file, .. } => file.as_raw_fd(),
        }
    }
}
