//! The file: read line by line, added to under a lock, and made short when it has grown.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use armadillo_orchestrator::Deadline;

use super::History;
use super::lines::{Header, Junk, VERSION};

/// No line is longer.
const LONGEST_LINE: u64 = 4 << 20;

/// The first line is not longer.
const LONGEST_HEADER: u64 = 128;

/// A file that has grown by this much, and to twice its length, is made short.
const GROWTH: u64 = 1 << 20;

/// What stands behind the name of the file that is about to take the place of another.
const UNFINISHED: &str = ".armadillo-new";

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
    /// What is to become of it.
    pub(crate) old: Old,
}

/// What is to become of the file that something is added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Old {
    /// It stays as it is, unless it has grown too long.
    #[default]
    Stays,
    /// It has lines that nobody can read: it is written again without them, unless somebody has written it meanwhile.
    Damaged(Identity),
    /// It is somebody else's: nothing is written to it.
    Foreign,
}

/// By this a file is known again, as long as nothing is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    length: u64,
}

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(
        "{path} is not a history of tests; it stays as it is, and nothing is recorded: --history FILE names another file"
    )]
    Other { path: String },
    #[error(
        "{path} is a history of version {version}, and this version of Armadillo writes version {VERSION}; it stays as it is, and nothing \
         is recorded: --history FILE names another file"
    )]
    Version { path: String, version: u32 },
}

/// What was read.
struct Lines {
    history: History,
    /// How many lines say nothing.
    junk: usize,
    identity: Identity,
}

impl Identity {
    fn of(file: &File) -> io::Result<Self> {
        Ok(Self::of_metadata(&file.metadata()?))
    }

    pub(super) fn of_metadata(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
        }
    }
}

/// Reads what a file says of these tests (by id) and of all topologies. A missing file says nothing; what cannot be understood is left
/// out with a warning.
pub(crate) fn read(path: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Found {
    let lines = match read_lines(path, is_wanted) {
        Ok(lines) => lines,
        Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Found::default();
        }
        Err(FileError::Io(error)) => {
            return Found {
                problem: Some(format!("ignoring the history {}: {error}", path.display())),
                ..Found::default()
            };
        }
        Err(foreign) => {
            return Found {
                problem: Some(foreign.to_string()),
                old: Old::Foreign,
                ..Found::default()
            };
        }
    };
    let said = |problem: &str| Some(format!("{} {problem}", path.display()));
    Found {
        history: lines.history,
        problem: match lines.junk {
            0 => None,
            1 => said("has a line that is not a history record; it is ignored"),
            junk => said(&format!(
                "has {junk} lines that are not history records; they are ignored"
            )),
        },
        old: match lines.junk {
            0 => Old::Stays,
            _ => Old::Damaged(lines.identity),
        },
    }
}

/// What it says, and how many lines say nothing.
fn read_lines(path: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Result<Lines, FileError> {
    let file = crate::regular::open(path)?;
    let identity = Identity::of(&file)?;
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let mut history = History::default();
    let mut junk = 0;
    let mut line = Vec::new();
    // So is an empty one.
    let mut is_ours = true;
    let mut records = 0_usize;
    loop {
        line.clear();
        let read = (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        // A file that was cut off in its first line is one.
        let is_begun = records + junk == 0 && !is_whole && is_begun_header(&line);
        match history.line(&line, is_wanted) {
            Ok(()) => records += usize::from(!line.is_empty()),
            Err(Junk::Version(version)) => {
                let path = path.display().to_string();
                return Err(FileError::Version { path, version });
            }
            // One without an end is being written, or whoever wrote it was killed.
            Err(Junk::Line) => junk += usize::from(is_whole || read as u64 == LONGEST_LINE),
        }
        is_ours = records > 0 || is_begun;
    }
    if !is_ours {
        let path = path.display().to_string();
        return Err(FileError::Other { path });
    }
    history.put_in_order();
    Ok(Lines {
        history,
        junk,
        identity,
    })
}

/// Whether it is the beginning of the first line.
fn is_begun_header(line: &[u8]) -> bool {
    let header = format!("{{\"history\":{VERSION},\"compact\":");
    let length = line.len().min(header.len());
    line.len() as u64 <= LONGEST_HEADER && line.get(..length) == header.as_bytes().get(..length)
}

/// Adds this to a file, unless it is somebody else's.
///
/// # Errors
/// When the file cannot be written, or is not a history; then it is as before.
pub(crate) fn append(path: &Path, new: &History, old: Old) -> Result<(), FileError> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if old == Old::Foreign {
        return Ok(());
    }
    if let Some(directory) = path.parent().filter(|parent| *parent != PathBuf::new()) {
        fs::create_dir_all(directory)?;
    }
    let mut file = locked(path)?;
    let identity = Identity::of(&file)?;
    let length = identity.length;
    // Of many processes that have read the same damaged file, the first mends it.
    if old == Old::Damaged(identity) || !may_grow(&mut file, length)? {
        return compact(path, new);
    }
    let (length, mut text) = whole_lines(&file, length)?;
    new.write_lines(&mut text)?;
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(&text).inspect_err(|_| {
        // Half of it is of no use. What stays is taken away by whoever adds something next.
        _ = file.set_len(length);
    })?;
    Ok(())
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

/// Puts a file in its place that says the same, and this, once each. The file is locked.
fn compact(path: &Path, new: &History) -> Result<(), FileError> {
    let is_empty = fs::metadata(path)?.len() == 0;
    let mut history = match is_empty {
        true => History::default(),
        false => read_lines(path, &|_| true)?.history,
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
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(UNFINISHED);
    let unfinished = path.with_file_name(name);
    let replaced = replace(path, &unfinished, &lines).map_err(|error| {
        // What is half written is of no use to anybody.
        _ = fs::remove_file(&unfinished);
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    });
    Ok(replaced?)
}

fn replace(path: &Path, unfinished: &Path, lines: &[u8]) -> io::Result<()> {
    // Whoever left it there was killed: it would hold the lock.
    match fs::remove_file(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(unfinished)?;
    let header = Header {
        history: VERSION,
        compact: lines.len() as u64,
    };
    let mut text = serde_json::to_vec(&header)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.write_all(lines)?;
    fs::rename(unfinished, path)
}
