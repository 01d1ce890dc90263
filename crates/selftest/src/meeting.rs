//! Two tests that must run at the same time meet through files.

use std::path::PathBuf;
use std::time::Duration;

use armadillo::prelude::Failed;

/// The variable with the directory they meet in.
pub const PLACE: &str = "SELFTEST_MEETING";

/// Says that `me` has come and waits for `other`.
///
/// # Errors
/// When there is no place to meet.
pub async fn with(me: &str, other: &str) -> Result<(), Failed> {
    come(me)?;
    wait_for(other).await
}

/// Says that `me` has come.
///
/// # Errors
/// When there is no place to meet.
pub fn come(me: &str) -> Result<(), Failed> {
    let place = place()?;
    std::fs::create_dir_all(&place)?;
    Ok(std::fs::write(place.join(me), "")?)
}

/// Waits for `other`, without blocking the thread.
///
/// # Errors
/// When there is no place to meet.
pub async fn wait_for(other: &str) -> Result<(), Failed> {
    let file = place()?.join(other);
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn place() -> Result<PathBuf, Failed> {
    Ok(PathBuf::from(std::env::var(PLACE)?))
}
