//! The end of a process that is no child of this one.

use std::io;
use std::os::fd::OwnedFd;

use armadillo_orchestrator::process::tree;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for the end of a process. Returns at once if it has already ended, even if its id was reused.
///
/// # Errors
/// When the operating system cannot watch it.
pub(crate) async fn gone(pid: u32, start_time: u64) -> io::Result<()> {
    match tree::watch_end(pid, start_time)? {
        Some(end) => readable(end).await,
        None => Ok(()),
    }
}

/// Waits until what [`tree::watch_end`] has made says that the process has ended.
///
/// # Errors
/// When the operating system cannot watch it.
pub(crate) async fn readable(end: OwnedFd) -> io::Result<()> {
    // SAFETY: an owned descriptor names the same open file until it is dropped, and it moves into what is registered.
    let end = unsafe { AsyncFd::register_with_interest(end, Interest::READABLE) }?;
    end.readable().await.map(drop)
}
