//! A lease on its way from the pool to who asked for it.

use std::rc::{Rc, Weak};

use super::Daemon;
use crate::protocol::daemon::{Grant, Release};

/// A lease that was granted. If who asked for it went away before it was delivered, it is given back.
pub(super) struct Granted {
    pub(super) grant: Option<Box<Grant>>,
    pub(super) daemon: Weak<Daemon>,
}

impl Granted {
    /// The lease, now in the hands of who asked for it.
    pub(super) fn deliver(mut self) -> Option<Grant> {
        self.grant.take().map(|grant| *grant)
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let (Some(grant), Some(daemon)) = (self.grant.take(), self.daemon.upgrade()) {
            let untouched = Release {
                torn_down: true,
                suspect: None,
                failed: false,
                checkers: daemon.orders.checkers.clone(),
            };
            tokio::task::spawn_local(give_back(daemon, *grant, untouched));
        }
    }
}

async fn give_back(daemon: Rc<Daemon>, grant: Grant, release: Release) {
    if let Err(error) = super::release::release(&daemon, &grant.lease, &grant.token, release).await
    {
        tracing::warn!(lease = grant.lease, %error, "a lease that nobody took cannot be given back");
    }
}
