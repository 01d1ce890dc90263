//! What determines the lifetime of the daemon: the pipe to its runner, whose first line are the orders, or another process.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::{Daemon, DaemonError};
use crate::dispatch::shared::use_alone;
use crate::process_end;
use crate::protocol::start::{Lifeline, Start};

/// Reads the first line of standard input.
pub(super) fn read_orders() -> Result<Start, DaemonError> {
    let mut line = Vec::new();
    let mut byte = [0];
    // One byte at a time: what follows the line is not ours to take. The standard library's buffer behind `stdin` does
    // not matter, since nothing but the end of the file follows.
    let mut stdin = std::io::stdin().lock();
    loop {
        match stdin.read(&mut byte) {
            Ok(0) => return Err(DaemonError::Orders("the runner has exited".into())),
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DaemonError::Orders(error.to_string())),
        }
    }
    serde_json::from_slice(&line).map_err(|error| DaemonError::Orders(error.to_string()))
}

/// Waits for the end of what the daemon lives as long as.
pub(super) async fn ended(daemon: &Daemon) -> std::io::Result<()> {
    match daemon.orders.lifeline {
        Lifeline::Runner => closed().await,
        Lifeline::Process {
            pid, start_time, ..
        } => tokio::select! {
            gone = process_end::gone(pid, start_time) => gone,
            () = unused(daemon) => Ok(()),
        },
        Lifeline::Idle { .. } => {
            unused(daemon).await;
            Ok(())
        }
    }
}

/// Waits until nobody has been there for as long as it may be, or until somebody has told the daemon to end.
async fn unused(daemon: &Daemon) {
    loop {
        let mut changed = std::pin::pin!(daemon.changed.notified());
        changed.as_mut().enable();
        if daemon.told_to_end.get() {
            return;
        }
        let is_used = !daemon.present.borrow().is_empty();
        let limit = daemon.stays.get();
        tokio::select! {
            () = tokio::time::sleep(limit), if !is_used && limit < Duration::MAX => {
                // From now on nobody takes it. A run that has taken it already is about to come.
                let directory = daemon.socket.parent().unwrap_or(Path::new("/"));
                if let Some(lock) = use_alone(directory) {
                    // Held until this process ends.
                    std::mem::forget(lock);
                    return;
                }
            }
            () = changed => {}
        }
    }
}

/// Waits for the end of standard input.
async fn closed() -> std::io::Result<()> {
    let mut pipe = Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut bytes = [0; 256];
    while pipe.read(&mut bytes).await? > 0 {}
    Ok(())
}
