//! Accepting connections: what goes wrong with one is no reason to accept no other.

use std::io;
use std::time::Duration;

/// How long to wait after a failure. Nothing announces that a file can be opened again.
const PAUSE: Duration = Duration::from_millis(50);

/// The next connection that `accept` brings. While none can be accepted, because too many files are open, those that come wait;
/// `failed` is told of each failure.
pub(crate) async fn next<T>(
    mut accept: impl AsyncFnMut() -> io::Result<T>,
    mut failed: impl FnMut(&io::Error),
) -> T {
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(error) => {
                failed(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
