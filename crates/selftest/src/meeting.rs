//! Two tests that must run at the same time meet through files.

use std::path::PathBuf;
use std::time::Duration;

use armadillo::prelude::TestError;

/// The variable with the directory they meet in.
pub const PLACE: &str = "SELFTEST_MEETING";

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
