//! Failure points: names under which a build with failure tests misbehaves when it is told to.
//!
//! As in arangod, any name can be set, and is listed; those here have an effect, the same as in the
//! source file that is named beside each. `--failure-tests` makes the emulator such a build.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::errors::ApiError;
use crate::logging::Logger;

/// An insert fails (`arangod/Transaction/Methods.cpp`).
pub(crate) const INSERT: &str = "LogicalCollection::insert";
/// A document cannot be read (`arangod/RocksDBEngine/RocksDBCollection.cpp`).
pub(crate) const READ: &str = "LogicalCollection::read";
/// A document is read up to two seconds later (the same file).
pub(crate) const READ_DELAY: &str = "RocksDBCollection::read-delay";
/// A truncation fails (`arangod/VocBase/LogicalCollection.cpp`).
pub(crate) const TRUNCATE: &str = "LogicalCollection::truncate";
/// The server crashes when it has truncated a collection (`arangod/RocksDBEngine/RocksDBCollection.cpp`).
pub(crate) const CRASH_AFTER_TRUNCATE: &str = "SegfaultAfterAllCommits";
/// No sign of life is sent (`arangod/Cluster/HeartbeatThread.cpp`).
pub(crate) const HEARTBEAT: &str = "HeartbeatThread::sendServerState";

/// The longest delay.
const LONGEST: u64 = 2000;

/// Those that are set.
#[derive(Debug, Default)]
pub(crate) struct FailurePoints(RefCell<BTreeSet<String>>);

impl FailurePoints {
    /// Sets one.
    pub(crate) fn add(&self, name: &str, log: &Logger) {
        if self.0.borrow_mut().insert(String::from(name)) {
            let text = format!(
                "activating intentional failure point '{name}'. the server will misbehave!"
            );
            log.warning("d8a5f", "general", text);
        }
    }

    /// Clears one, or all.
    pub(crate) fn remove(&self, name: Option<&str>) {
        let mut set = self.0.borrow_mut();
        match name {
            Some(name) => drop(set.remove(name)),
            None => set.clear(),
        }
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.borrow().iter().cloned().collect()
    }

    /// Whether this one is set.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.borrow().contains(name)
    }

    /// The error of arangod's failure points, if this one is set.
    pub(crate) fn check(&self, name: &str) -> Result<(), ApiError> {
        match self.has(name) {
            true => Err(ApiError::new(500, 22, "intentional debug error")),
            false => Ok(()),
        }
    }

    /// Ends the process as a crash does, if this one is set.
    pub(crate) fn crash(&self, name: &str) {
        if self.has(name) {
            std::process::abort();
        }
    }

    /// How long to wait, if this one is set.
    pub(crate) fn delay(&self, name: &str) -> Option<Duration> {
        let delay = || Duration::from_millis(crate::system::micros() % LONGEST);
        self.has(name).then(delay)
    }
}
