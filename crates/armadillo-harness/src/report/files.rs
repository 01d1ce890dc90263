//! The report files of a run.

use std::io;
use std::path::Path;

use super::junit::junit;
use super::model::Model;
use super::results::results;

/// Writes `junit.xml` and `results.json` into the run's directory.
///
/// # Errors
/// When a file cannot be written; its name is in the message.
pub fn write_files(directory: &Path, model: &Model) -> io::Result<()> {
    let Some(results) = results(model) else {
        return Ok(());
    };
    let mut text = serde_json::to_string_pretty(&results).map_err(io::Error::other)?;
    text.push('\n');
    write_whole(&directory.join("results.json"), &text)?;
    let xml = junit(model)?;
    write_whole(&directory.join("junit.xml"), &xml)
}

/// Writes a file whole or not at all. What is there and is no regular file, such as a device, is not replaced by one.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let why = format!("{}: it is not a regular file", path.display());
        return Err(io::Error::other(why));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path));
    written.map_err(|error| {
        // What is half written is of no use to anybody.
        _ = std::fs::remove_file(&new);
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    })
}
