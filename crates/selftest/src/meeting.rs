//! Two tests that must run at the same time meet through files.

use std::path::PathBuf;
use std::time::Duration;

use armadillo::prelude::TestError;

use crate::{Running, Suite};

/// The variable with the directory they meet in.
pub const PLACE: &str = "SELFTEST_MEETING";

/// Where that is for a suite that [`staying`] starts, below its home.
const DIRECTORY: &str = "meeting";

/// Says that `me` has come and waits for `other`.
///
/// # Errors
/// When there is no place to meet.
pub async fn with(me: &str, other: &str) -> Result<(), TestError> {
    come(me)?;
    wait_for(other).await
}

/// Says that `me` has come.
///
/// # Errors
/// When there is no place to meet.
pub fn come(me: &str) -> Result<(), TestError> {
    Ok(std::fs::write(path(me)?, "")?)
}

/// Whether nobody else has come as `me` before.
///
/// # Errors
/// When there is no place to meet.
pub fn is_first(me: &str) -> Result<bool, TestError> {
    match std::fs::File::create_new(path(me)?) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Starts a suite with three of its tests, one at a time, the second of which ends when it is told to leave.
#[must_use]
pub fn staying(suite: Suite) -> Running {
    let place = suite.home().join(DIRECTORY);
    suite
        .env(PLACE, place)
        .args(["holds_it", "stays", "uses_it", "--exact"])
        .args(["--include-ignored", "-n", "1"])
        .start()
}

/// Tells that test to leave.
///
/// # Panics
/// If it cannot be told.
pub fn leave(running: &Running) {
    let told = std::fs::write(running.home().join(DIRECTORY).join("leave"), "");
    told.unwrap_or_else(|error| panic!("{error}"));
}

/// A file in the place.
///
/// # Errors
/// When there is no place to meet.
pub fn path(name: &str) -> Result<PathBuf, TestError> {
    let place = place()?;
    std::fs::create_dir_all(&place)?;
    Ok(place.join(name))
}

/// Waits for `other`, without blocking the thread.
///
/// # Errors
/// When there is no place to meet.
pub async fn wait_for(other: &str) -> Result<(), TestError> {
    let file = place()?.join(other);
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn place() -> Result<PathBuf, TestError> {
    Ok(PathBuf::from(std::env::var(PLACE)?))
}
