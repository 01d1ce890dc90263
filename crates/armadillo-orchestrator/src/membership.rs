//! Which of the planned servers are part of a deployment now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::server::ServerKey;

/// Who is part of a deployment now, and what a test has changed about how its servers are launched. Clones share it: whoever
/// holds a view of the deployment sees the newest state.
///
/// The daemon owns it. A lease carries it to the test, and a test that changes it is told the new state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "Roll", into = "Roll")]
pub struct Membership(Arc<Mutex<Roll>>);

/// The state of a [`Membership`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Roll {
    /// How often it was changed.
    version: u64,
    /// The planned servers that are not part of the deployment: spares that wait, and servers that were removed.
    outside: BTreeSet<ServerKey>,
    /// Those of them that were part of it before.
    #[serde(default)]
    left: BTreeSet<ServerKey>,
    /// What a server's launch is told besides the topology.
    launch: BTreeMap<ServerKey, LaunchWords>,
    /// The ports of a server whose address was changed, each with the server whose reserved address it uses now.
    moved: BTreeMap<ServerKey, BTreeMap<String, ServerKey>>,
    /// How often a test has removed what a server of the deployment had stored.
    #[serde(default)]
    wipes: u32,
}

/// What one server's launch is told besides the topology, by names that its system knows.
pub type LaunchWords = BTreeMap<String, String>;

/// A change of who is part of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MembershipChange {
    /// From now on a server is part of the deployment. It is not started by this.
    Join {
        /// The server.
        server: ServerKey,
        /// What its launch is told; `None` leaves what it was told before.
        launch: Option<LaunchWords>,
    },
    /// From now on a server is not part of the deployment: nobody misses it, and its exit is no crash. It is not stopped by
    /// this.
    Leave {
        /// The server.
        server: ServerKey,
    },
    /// From its next start on, a port of a server is where another one, which is not part of the deployment, has its own. That
    /// one is used up: it cannot join any more.
    Move {
        /// The server.
        server: ServerKey,
        /// Its port.
        port: String,
        /// Whose address it takes.
        to: ServerKey,
    },
}

/// A change of who is part of a deployment that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// It is part of it.
    #[error("{server} is already part of the deployment")]
    Inside {
        /// The server.
        server: ServerKey,
    },
    /// It is not part of it.
    #[error("{server} is not part of the deployment")]
    Outside {
        /// The server.
        server: ServerKey,
    },
    /// Another server uses its address.
    #[error("{server} has given its address to {user}")]
    UsedUp {
        /// The server.
        server: ServerKey,
        /// Who uses it.
        user: ServerKey,
    },
}

impl MembershipChange {
    /// The server it is about.
    #[must_use]
    pub fn server(&self) -> &ServerKey {
        match self {
            Self::Join { server, .. } | Self::Leave { server } | Self::Move { server, .. } => {
                server
            }
        }
    }
}

impl Roll {
    /// That of a deployment that was just placed.
    #[must_use]
    pub fn without(spares: impl IntoIterator<Item = ServerKey>) -> Self {
        Self {
            outside: spares.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Whether a test has changed it.
    #[must_use]
    pub fn was_changed(&self) -> bool {
        self.version > 0
    }

    /// How often a test has removed what a server of the deployment had stored: what was known of the data before, such as a
    /// login, means nothing now.
    #[must_use]
    pub fn wipes(&self) -> u32 {
        self.wipes
    }

    /// What it is after a server's data was removed.
    #[must_use]
    pub fn wiped(&self) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next.wipes += 1;
        next
    }

    /// Whether a planned server is part of the deployment.
    #[must_use]
    pub fn is_part(&self, server: &ServerKey) -> bool {
        !self.outside.contains(server)
    }

    /// The planned servers that could join.
    pub fn spares(&self) -> impl Iterator<Item = &ServerKey> {
        let used = |server: &&ServerKey| self.user_of(server).is_none();
        self.outside.iter().filter(used)
    }

    /// Whether a server that is not part of the deployment was part of it before.
    #[must_use]
    pub fn was_part(&self, server: &ServerKey) -> bool {
        self.left.contains(server)
    }

    /// The servers whose addresses this one uses in their place.
    pub(crate) fn addresses_of(&self, server: &ServerKey) -> BTreeSet<&ServerKey> {
        let ports = self.moved.get(server).into_iter();
        ports.flat_map(BTreeMap::values).collect()
    }

    /// Who uses an address of this server in its place.
    fn user_of(&self, server: &ServerKey) -> Option<&ServerKey> {
        let mut moved = self.moved.iter();
        let uses = |ports: &BTreeMap<String, ServerKey>| ports.values().any(|from| from == server);
        moved.find(|(_, ports)| uses(ports)).map(|(user, _)| user)
    }

    /// What it is after this change.
    ///
    /// # Errors
    /// When the change makes no sense.
    pub fn after(&self, change: &MembershipChange) -> Result<Self, MembershipError> {
        let mut next = self.clone();
        next.version += 1;
        let server = change.server().clone();
        match change {
            MembershipChange::Join { launch, .. } => {
                if let Some(user) = self.user_of(&server) {
                    let user = user.clone();
                    return Err(MembershipError::UsedUp { server, user });
                }
                if !next.outside.remove(&server) {
                    return Err(MembershipError::Inside { server });
                }
                next.left.remove(&server);
                if let Some(words) = launch {
                    next.launch.insert(server, words.clone());
                }
            }
            MembershipChange::Leave { .. } => {
                if !self.is_part(&server) {
                    return Err(MembershipError::Outside { server });
                }
                next.left.insert(server.clone());
                next.outside.insert(server);
            }
            MembershipChange::Move { port, to, .. } => {
                if !self.is_part(&server) {
                    return Err(MembershipError::Outside { server });
                }
                if self.is_part(to) {
                    return Err(MembershipError::Inside { server: to.clone() });
                }
                if let Some(user) = self.user_of(to) {
                    let (server, user) = (to.clone(), user.clone());
                    return Err(MembershipError::UsedUp { server, user });
                }
                let ports = next.moved.entry(server).or_default();
                ports.insert(port.clone(), to.clone());
            }
        }
        Ok(next)
    }
}

/// What this process knows of each deployment.
static KNOWN: Mutex<BTreeMap<String, Membership>> = Mutex::new(BTreeMap::new());

impl Membership {
    /// One with this state.
    #[must_use]
    pub fn new(roll: Roll) -> Self {
        Self(Arc::new(Mutex::new(roll)))
    }

    /// The state at this moment.
    #[must_use]
    pub fn roll(&self) -> Roll {
        self.lock().clone()
    }

    /// Takes note of a state, unless a newer one is known.
    pub fn reach(&self, roll: Roll) {
        let mut known = self.lock();
        if roll.version > known.version {
            *known = roll;
        }
    }

    /// The one of a deployment in this process, whose state is now at least this: views that came with different leases share
    /// it then.
    #[must_use]
    pub fn of_deployment(&self, deployment: &str) -> Self {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = known.entry(deployment.to_owned());
        let shared = shared.or_insert_with(|| Self::new(self.roll()));
        shared.reach(self.roll());
        shared.clone()
    }

    /// Whether a planned server is part of the deployment.
    #[must_use]
    pub fn is_part(&self, server: &ServerKey) -> bool {
        self.lock().is_part(server)
    }

    /// See [`Roll::wipes`].
    #[must_use]
    pub fn wipes(&self) -> u32 {
        self.lock().wipes
    }

    /// What a server's launch is told besides the topology.
    #[must_use]
    pub fn launch_words(&self, server: &ServerKey) -> LaunchWords {
        self.lock().launch.get(server).cloned().unwrap_or_default()
    }

    /// The server whose reserved address a port of `server` uses, if that is another.
    #[must_use]
    pub fn moved_to(&self, server: &ServerKey, port: &str) -> Option<ServerKey> {
        self.lock().moved.get(server)?.get(port).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Roll> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Roll> for Membership {
    fn from(roll: Roll) -> Self {
        Self::new(roll)
    }
}

impl From<Membership> for Roll {
    fn from(membership: Membership) -> Self {
        membership.roll()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(server: &str) -> MembershipChange {
        MembershipChange::Join {
            server: server.into(),
            launch: Some([("state".to_owned(), "existing".to_owned())].into()),
        }
    }

    fn leave(server: &str) -> MembershipChange {
        let server = server.into();
        MembershipChange::Leave { server }
    }

    fn move_to(server: &str, to: &str) -> MembershipChange {
        MembershipChange::Move {
            server: server.into(),
            port: "peer".into(),
            to: to.into(),
        }
    }

    fn spares(roll: &Roll) -> Vec<&str> {
        roll.spares().map(ServerKey::as_str).collect()
    }

    #[test]
    fn a_spare_joins_and_a_server_that_left_is_a_spare() {
        let roll = Roll::without(["c".into()]);
        assert!(!roll.was_changed() && spares(&roll) == ["c"]);
        let joined = roll.after(&join("c")).unwrap();
        assert!(joined.was_changed() && joined.is_part(&"c".into()));
        assert_eq!(spares(&joined), [""; 0]);
        let again = joined.after(&join("c")).unwrap_err();
        assert_eq!(again, MembershipError::Inside { server: "c".into() });
        let left = joined.after(&leave("a")).unwrap();
        assert_eq!(spares(&left), ["a"]);
        assert!(left.was_part(&"a".into()) && !roll.was_part(&"c".into()));
        let again = left.after(&leave("a")).unwrap_err();
        assert_eq!(again, MembershipError::Outside { server: "a".into() });
        let back = left.after(&MembershipChange::Join {
            server: "a".into(),
            launch: None,
        });
        assert!(back.unwrap().is_part(&"a".into()));
    }

    #[test]
    fn an_address_is_given_away_once() {
        let roll = Roll::without(["c".into(), "d".into()]);
        let inside = roll.after(&move_to("a", "b")).unwrap_err();
        assert_eq!(inside, MembershipError::Inside { server: "b".into() });
        let moved = roll.after(&move_to("a", "c")).unwrap();
        assert_eq!(spares(&moved), ["d"]);
        for change in [join("c"), move_to("b", "c")] {
            let used = moved.after(&change).unwrap_err();
            assert_eq!(used.to_string(), "c has given its address to a");
        }
        // Its former address is free: nobody else was given it.
        let membership = Membership::new(moved.after(&move_to("a", "d")).unwrap());
        assert_eq!(membership.moved_to(&"a".into(), "peer"), Some("d".into()));
        assert_eq!(membership.moved_to(&"a".into(), "client"), None);
        assert_eq!(spares(&membership.roll()), ["c"]);
    }

    #[test]
    fn views_of_one_deployment_share_the_newest_state() {
        let old = Roll::without(["c".into()]);
        let new = old.after(&join("c")).unwrap();
        let first = Membership::new(old.clone()).of_deployment("m-1");
        let later = Membership::new(new.clone()).of_deployment("m-1");
        assert_eq!((first.roll(), later.roll()), (new.clone(), new.clone()));
        first.reach(old);
        assert_eq!(later.roll(), new);
        let words = later.launch_words(&"c".into());
        assert_eq!(words["state"], "existing");
        let json = serde_json::to_string(&later).unwrap();
        let read: Membership = serde_json::from_str(&json).unwrap();
        assert_eq!(read.roll(), new);
    }
}
