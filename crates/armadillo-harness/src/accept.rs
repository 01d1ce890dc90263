//! Accepting connections: what goes wrong with one is no reason to accept no other.

use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// How long to wait after a failure. Nothing announces that a file can be opened again.
const PAUSE: Duration = Duration::from_millis(50);

/// The next connection. While none can be accepted, because too many files are open, those that come wait; `failed` is told of
/// each failure.
pub(crate) async fn next(
    listener: &UnixListener,
    mut failed: impl FnMut(&std::io::Error),
) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                failed(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
