//! The report files of a run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::html;
use super::junit::junit;
use super::model::Model;
use super::results::results;
use crate::event::Event;

/// How much of a file is written at once.
const BUFFER: usize = 256 << 10;

/// Writes `junit.xml`, `results.json` and `report.html` into the run's directory.
///
/// # Errors
/// When a file cannot be written; its name is in the message.
pub fn write_files(directory: &Path, model: &Model) -> io::Result<()> {
    if model.started.is_none() {
        return Ok(());
    }
    let [results, junit] = side_by_side(
        || write_results(directory, model).and_then(|()| write_page(directory, model)),
        || write_junit(directory, model),
    );
    results.and(junit)
}

fn write_results(directory: &Path, model: &Model) -> io::Result<()> {
    write_whole(&directory.join("results.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, &results(model))?;
        file.write_all(b"\n")
    })
}

fn write_page(directory: &Path, model: &Model) -> io::Result<()> {
    write_whole(&directory.join("report.html"), |file| {
        html::write(model, file)
    })
}

fn write_junit(directory: &Path, model: &Model) -> io::Result<()> {
    let xml = junit(model)?;
    write_whole(&directory.join("junit.xml"), |file| {
        file.write_all(xml.as_bytes())
    })
}

/// Writes the run for viewers of traces, where somebody asked for it.
///
/// # Errors
/// When the file cannot be written; its name is in the message.
pub fn write_trace(path: &Path, model: &Model) -> io::Result<()> {
    if model.started.is_none() {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    write_whole(path, |file| html::write_trace(model, file))
}

/// Writes an event log.
pub(crate) fn write_events(path: &Path, events: &[Event]) -> io::Result<()> {
    write_whole(path, |file| {
        for event in events {
            serde_json::to_writer(&mut *file, event)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Both, the second on a thread of its own if there can be one.
pub(crate) fn side_by_side<T: Send>(
    first: impl FnOnce() -> T,
    second: impl Fn() -> T + Sync,
) -> [T; 2] {
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new()
            .name("report".into())
            .spawn_scoped(scope, &second);
        let first = first();
        let second = match other {
            Ok(other) => other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => second(),
        };
        [first, second]
    })
}

/// Writes a file whole or not at all. What is there and is no regular file, such as a device, is not replaced by one.
pub(crate) fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let why = format!("{}: it is not a regular file", path.display());
        return Err(io::Error::other(why));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let write = || {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(&new)?);
        content(&mut file)?;
        file.flush()?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error| {
        // What is half written is of no use to anybody.
        _ = std::fs::remove_file(&new);
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    })
}
