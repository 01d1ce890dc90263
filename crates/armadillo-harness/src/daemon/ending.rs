//! The end of a daemon that several processes shared: nobody waits for it.

use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::Deployment;

use super::{Daemon, lifecycle};
use crate::dispatch::run_directory::PASSED;
use crate::dispatch::shared::FILE;
use crate::protocol::start::Lifeline;

/// How long deployments may take to stop if nobody waits for the end of everything.
const LEISURE: Duration = Duration::from_secs(300);

/// Stops every deployment. Returns those that were not stopped in time, whose data is still there and of no use: no test on them
/// failed.
pub(super) async fn stop(daemon: &Rc<Daemon>) -> Vec<Arc<Deployment>> {
    // Nobody finds it any more.
    let found = daemon.socket.with_file_name(FILE);
    if let Err(error) = std::fs::remove_file(&found) {
        tracing::warn!(%error, path = %found.display(), "cannot remove a file");
    }
    let limit = match daemon.orders.lifeline {
        Lifeline::Process { patience_ms, .. } => Duration::from_millis(patience_ms),
        Lifeline::Runner | Lifeline::Idle { .. } => LEISURE,
    };
    _ = tokio::time::timeout(limit, lifecycle::stop_all(daemon)).await;
    let core = daemon.core.borrow();
    let left = core.glance().into_iter().filter(|glance| !glance.failed);
    let left = left.filter_map(|glance| daemon.deployments.deployment(glance.deployment));
    left.collect()
}

/// Its directory counts as that of a run that passed: it is kept no longer than others.
pub(super) fn note(lock: Option<&mut File>) {
    if let Some(lock) = lock {
        // Without the line the directory is kept longer.
        _ = writeln!(lock, "{PASSED}");
    }
}
