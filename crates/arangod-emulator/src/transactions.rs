//! Stream transactions that have begun. They hold nothing and change nothing: the emulator knows
//! them so that who looks for transactions that were left open finds them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What has become of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has begun.
    Running,
    /// Somebody has aborted it, or nobody has used it for too long.
    Aborted,
}

impl State {
    /// As answers call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Aborted => "aborted",
        }
    }
}

/// To whom a transaction belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The database in which it works.
    pub(crate) database: String,
    /// The user who has begun it; the superuser has no name.
    pub(crate) user: Option<String>,
}

#[derive(Debug)]
struct Transaction {
    owner: Owner,
    state: State,
    used: Instant,
}

/// All transactions of a server.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    known: BTreeMap<u64, Transaction>,
    latest: u64,
}

impl Transactions {
    /// A number for the next transaction, where no agency gives one: later than all before, those
    /// of an earlier start included.
    pub(crate) fn next_id(&self) -> u64 {
        crate::system::micros().max(self.latest + 1)
    }

    /// Begins one.
    pub(crate) fn begin(&mut self, id: u64, owner: Owner) {
        self.latest = self.latest.max(id);
        let transaction = Transaction {
            owner,
            state: State::Running,
            used: Instant::now(),
        };
        self.known.insert(id, transaction);
    }

    /// Aborts what has not been used for so long, and forgets what was aborted as long ago.
    pub(crate) fn expire(&mut self, idle: Duration) {
        self.known.retain(|_, transaction| {
            if transaction.used.elapsed() < idle {
                return true;
            }
            let running = transaction.state == State::Running;
            transaction.state = State::Aborted;
            transaction.used = Instant::now();
            running
        });
    }

    /// Those that run, and that this owner may see: the superuser sees those of all.
    pub(crate) fn running<'a>(&'a self, owner: &'a Owner) -> impl Iterator<Item = u64> + 'a {
        self.known
            .iter()
            .filter(|(_, found)| found.state == State::Running && owner.may_see(&found.owner))
            .map(|(id, _)| *id)
    }

    /// How many run.
    pub(crate) fn count(&self) -> usize {
        let running = |found: &&Transaction| found.state == State::Running;
        self.known.values().filter(running).count()
    }

    /// Aborts all that this owner may see.
    pub(crate) fn abort_all(&mut self, owner: &Owner) {
        for found in self.known.values_mut() {
            if owner.may_see(&found.owner) {
                found.state = State::Aborted;
            }
        }
    }

    /// How one is, which counts as a use of it.
    pub(crate) fn state(&mut self, id: u64, owner: &Owner) -> Option<State> {
        let found = self.known.get_mut(&id)?;
        if !owner.may_see(&found.owner) {
            return None;
        }
        found.used = Instant::now();
        Some(found.state)
    }

    /// Aborts one.
    pub(crate) fn abort(&mut self, id: u64, owner: &Owner) -> Option<State> {
        self.state(id, owner)?;
        let found = self.known.get_mut(&id)?;
        found.state = State::Aborted;
        Some(found.state)
    }
}

impl Owner {
    fn may_see(&self, other: &Self) -> bool {
        self.database == other.database && (self.user.is_none() || self.user == other.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(database: &str, user: Option<&str>) -> Owner {
        Owner {
            database: String::from(database),
            user: user.map(String::from),
        }
    }

    #[test]
    fn begun_seen_aborted_and_forgotten() {
        let mut all = Transactions::default();
        let (eve, root) = (owner("d", Some("eve")), owner("d", None));
        all.begin(7, eve.clone());
        assert!(all.next_id() > 7);
        for (who, seen) in [
            (&eve, 1),
            (&root, 1),
            (&owner("d", Some("bob")), 0),
            (&owner("e", None), 0),
        ] {
            assert_eq!(all.running(who).count(), seen, "{who:?}");
        }
        assert_eq!(all.abort(7, &owner("d", Some("bob"))), None);
        assert_eq!(all.state(7, &eve), Some(State::Running));
        assert_eq!(all.abort(7, &eve), Some(State::Aborted));
        assert_eq!(all.running(&root).count(), 0);
        all.begin(8, eve.clone());
        all.expire(Duration::from_secs(60));
        assert_eq!(all.running(&eve).collect::<Vec<_>>(), [8]);
        all.expire(Duration::ZERO);
        assert_eq!(all.state(7, &eve), None);
        assert_eq!(all.state(8, &eve), Some(State::Aborted));
    }
}
