//! The file: read line by line, added to under a lock, and made short when it has grown.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::Deadline;

use super::History;
use super::lines::{Header, VERSION};
use crate::report::write_whole;

/// No line is longer.
const LONGEST_LINE: u64 = 4 << 20;

/// The first line is not longer.
const LONGEST_HEADER: u64 = 128;

/// A file that has grown by this much, and to twice its length, is made short.
const GROWTH: u64 = 1 << 20;

/// How long another process may write.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// Until the next look whether it still does.
const PAUSE: Duration = Duration::from_millis(10);

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) history: History,
    /// What is wrong with it.
    pub(crate) problem: Option<String>,
}

/// What is to become of the file that something is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Old {
    /// It stays as it is, unless it has grown too long.
    Stays,
    /// It has lines that nobody can read: it is written again without them.
    Damaged,
}

/// Reads what a file says of these tests (by id) and of all topologies. A missing file says nothing; what cannot be understood is left
/// out with a warning.
pub(crate) fn read(path: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Found {
    let said = |problem: String| format!("{} {problem}", path.display());
    match read_lines(path, is_wanted) {
        Ok((history, 0)) => Found {
            history,
            problem: None,
        },
        Ok((history, junk)) => Found {
            history,
            problem: Some(match junk {
                1 => said("has a line that is none of a history; it is ignored".to_owned()),
                junk => said(format!(
                    "has {junk} lines that are none of a history; they are ignored"
                )),
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::default(),
        Err(error) => Found {
            history: History::default(),
            problem: Some(format!("ignoring the history {}: {error}", path.display())),
        },
    }
}

/// What it says, and how many lines say nothing.
fn read_lines(path: &Path, is_wanted: &dyn Fn(&str) -> bool) -> io::Result<(History, usize)> {
    let file = crate::regular::open(path)?;
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let mut history = History::default();
    let mut junk = 0;
    let mut line = Vec::new();
    let mut is_first = true;
    loop {
        line.clear();
        let read = (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        if is_first && is_whole {
            check_version(&line)?;
        }
        is_first = false;
        let is_junk = history.line(&line, is_wanted).is_err();
        // One without an end is being written, or whoever wrote it was killed.
        junk += usize::from(is_junk && (is_whole || read as u64 == LONGEST_LINE));
    }
    history.put_in_order();
    Ok((history, junk))
}

fn check_version(line: &[u8]) -> io::Result<()> {
    match serde_json::from_slice::<Header>(line) {
        Ok(header) if header.history != VERSION => {
            let why = format!("it has version {}", header.history);
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        }
        _ => Ok(()),
    }
}

/// Adds this to a file.
///
/// # Errors
/// When the file cannot be written; then it is as before.
pub(crate) fn append(path: &Path, new: &History, old: Old) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(directory) = path.parent().filter(|parent| *parent != PathBuf::new()) {
        fs::create_dir_all(directory)?;
    }
    let mut file = locked(path)?;
    let length = file.metadata()?.len();
    if old == Old::Damaged || !may_grow(&mut file, length)? {
        return compact(path, new);
    }
    let (length, mut text) = whole_lines(&file, length)?;
    new.write_lines(&mut text)?;
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(&text).inspect_err(|_| {
        // Half of it is of no use. What stays is taken away by whoever adds something next.
        _ = file.set_len(length);
    })
}

/// The file, which nobody else writes as long as this is open. Whoever made it short has put another in its place.
fn locked(path: &Path) -> io::Result<File> {
    let deadline = Deadline::after(LOCK_LIMIT);
    loop {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other(format!(
                "{}: it is not a regular file",
                path.display()
            )));
        }
        match file.try_lock() {
            Ok(()) if is_at(&file, path)? => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if !deadline.passed() => pause(),
            Err(TryLockError::WouldBlock) => {
                let why = format!(
                    "{}: another process has held it for {LOCK_LIMIT:.0?}",
                    path.display()
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lock with a limit of time can only be looked at again and again"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}

/// Whether a file is still the one of this name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether lines may be added to it as it is: it begins as it should, and is not much longer than it need be.
fn may_grow(file: &mut File, length: u64) -> io::Result<bool> {
    let mut line = Vec::new();
    let mut start = BufReader::new(file.take(LONGEST_HEADER));
    start.read_until(b'\n', &mut line)?;
    let header: Option<Header> = serde_json::from_slice(&line).ok();
    let Some(header) = header.filter(|header| header.history == VERSION) else {
        return Ok(false);
    };
    Ok(length
        < header
            .compact
            .saturating_mul(2)
            .max(header.compact.saturating_add(GROWTH)))
}

/// How much of the file is kept, and what is written behind that before anything else. A last line without an end is what somebody
/// was about to write who was killed; only if it is whole, it lacks no more than its end.
fn whole_lines(file: &File, length: u64) -> io::Result<(u64, Vec<u8>)> {
    let from = length.saturating_sub(LONGEST_LINE);
    let mut tail = vec![0; usize::try_from(length.min(1)).unwrap_or(0)];
    file.read_exact_at(&mut tail, length.saturating_sub(1))?;
    if tail != b"\n" {
        tail = vec![0; usize::try_from(length - from).unwrap_or(0)];
        file.read_exact_at(&mut tail, from)?;
    }
    let end = tail.iter().rposition(|byte| *byte == b'\n');
    let cut_off = tail.split_off(end.map_or(0, |end| end + 1));
    match cut_off.is_empty() {
        true => Ok((length, Vec::new())),
        false if History::default().line(&cut_off, &|_| true).is_ok() => {
            Ok((length, b"\n".to_vec()))
        }
        false => Ok((length - cut_off.len() as u64, Vec::new())),
    }
}

/// Puts a file in its place that says the same, and this, once each.
fn compact(path: &Path, new: &History) -> io::Result<()> {
    let mut history = match read_lines(path, &|_| true) {
        Ok((history, _)) => history,
        // Of another version: it is begun anew.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => History::default(),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    new.write_lines(&mut text)?;
    for line in text.split(|byte| *byte == b'\n') {
        // Its own lines can be read.
        _ = history.line(line, &|_| true);
    }
    history.forget();
    let mut lines = Vec::new();
    history.write_lines(&mut lines)?;
    write_whole(path, |file| {
        let header = Header {
            history: VERSION,
            compact: lines.len() as u64,
        };
        serde_json::to_writer(&mut *file, &header)?;
        file.write_all(b"\n")?;
        file.write_all(&lines)
    })
}
