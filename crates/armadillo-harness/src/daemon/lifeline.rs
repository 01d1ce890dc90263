//! The pipe to the runner: its first line are the orders, its end is the end.

use std::io::Read;
use std::os::fd::AsFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::DaemonError;
use crate::protocol::daemon::Start;

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

/// Waits for the end of standard input.
pub(super) async fn closed() -> std::io::Result<()> {
    let mut pipe = Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut bytes = [0; 256];
    while pipe.read(&mut bytes).await? > 0 {}
    Ok(())
}
