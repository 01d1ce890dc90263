//! Who led the agency when, as far as this process has seen it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use armadillo_orchestrator::ServerKey;

/// A change of the leader or of the term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadershipEntry {
    /// When it was seen.
    pub at: SystemTime,
    /// The newest term any agent knew.
    pub term: u64,
    /// The leader; `None` while there was none.
    pub leader: Option<ServerKey>,
}

/// Every change of the leader that this process has seen, for the life of a deployment: each look of an
/// [`Agency`](super::Agency) at the agents adds to it.
#[derive(Debug, Default)]
pub struct LeadershipLog(Mutex<Vec<LeadershipEntry>>);

impl LeadershipLog {
    /// The log of a deployment, the same for all who ask in this process.
    pub(super) fn of(deployment: &str) -> Arc<Self> {
        static LOGS: Mutex<BTreeMap<String, Arc<LeadershipLog>>> = Mutex::new(BTreeMap::new());
        let mut logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(logs.entry(deployment.to_owned()).or_default())
    }

    /// All entries, the oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<LeadershipEntry> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Terms in which more than one agent was seen to lead. There must be none.
    #[must_use]
    pub fn disputed_terms(&self) -> Vec<u64> {
        let mut leaders: BTreeMap<u64, Vec<ServerKey>> = BTreeMap::new();
        for entry in self.entries() {
            let of_term = leaders.entry(entry.term).or_default();
            if let Some(leader) = entry.leader
                && !of_term.contains(&leader)
            {
                of_term.push(leader);
            }
        }
        let disputed = leaders.into_iter().filter(|(_, all)| all.len() > 1);
        disputed.map(|(term, _)| term).collect()
    }

    /// Adds what was seen, if it is not what was seen last. A look that is older than the newest entry adds nothing.
    pub(super) fn saw(&self, term: u64, leader: Option<ServerKey>) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = entries
            .last()
            .is_none_or(|last| term > last.term || (term == last.term && leader != last.leader));
        if is_new {
            entries.push(LeadershipEntry {
                at: SystemTime::now(),
                term,
                leader,
            });
        }
    }
}
