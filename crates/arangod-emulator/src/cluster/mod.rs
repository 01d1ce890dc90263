//! Coordinators and dbservers: what they tell the agency, and what they know from it.
//!
//! * `agency` asks the agency, `view` keeps a copy of its tree;
//! * `registration` makes a server known, `heartbeat` says that it lives;
//! * `databases` confirms databases on dbservers, `metadata` changes databases and users from
//!   coordinators.

mod agency;
mod bootstrap;
mod databases;
mod heartbeat;
mod lease;
mod metadata;
mod registration;
mod structure;
mod view;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::spawn_local;

use agency::Agency;
pub(crate) use agency::{AgencyError, Decided, find};
use lease::Lease;
pub(crate) use metadata::{change, change_with};

use crate::errors::ApiError;
use crate::http::Client;
use crate::options::Options;
use crate::role::Role;
use crate::server::Server;
use crate::settings::Pace;
use crate::shard;

/// How long a request waits for the agency before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What the options say about a cluster.
#[derive(Debug, Clone)]
pub(crate) struct ClusterSettings {
    /// Where the agents are.
    pub(crate) agents: Vec<String>,
    /// Where others find this server.
    pub(crate) endpoint: String,
    /// Where clients find it, if that is elsewhere.
    pub(crate) advertised: String,
    /// An id must be there already.
    pub(crate) persisted: bool,
    /// Milliseconds between two heartbeats, of a cluster that this server is the first of.
    pub(crate) heartbeat: u64,
    /// How long a coordinator that sets a cluster up keeps others from it, in seconds, without doing it.
    pub(crate) bootstrap: u32,
    /// How long a coordinator tries to have a leader's answer to a read, and to a write.
    pub(crate) retries: (Duration, Duration),
    /// What collections may be, and are if nobody says otherwise.
    pub(crate) collections: CollectionLimits,
}

/// What the options say about collections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CollectionLimits {
    /// The replication factor where none is asked for.
    pub(crate) replication: u64,
    /// The least replication factor of system collections.
    pub(crate) system_replication: u64,
    /// The smallest and the largest replication factor.
    pub(crate) replication_range: (u64, u64),
    /// The write concern where none is asked for.
    pub(crate) write_concern: u64,
    /// So many shards a collection may have.
    pub(crate) shards: u64,
    /// Whether a new collection is waited for with all its followers.
    pub(crate) waits_for_followers: bool,
    /// Whether too few copies in sync mean that a shard is unavailable, and not that it is read-only.
    pub(crate) lack_is_unavailable: bool,
}

impl CollectionLimits {
    fn new(options: &Options) -> Result<Self, String> {
        let number = |name: &str| options.unsigned(name);
        let (least, most) = (
            number("--cluster.min-replication-factor"),
            number("--cluster.max-replication-factor"),
        );
        let replication = match options.given("--cluster.default-replication-factor") {
            true => number("--cluster.default-replication-factor"),
            false => least,
        };
        if least < 1 || least > most || !(least..=most).contains(&replication) {
            return Err(String::from(
                "Invalid value for `--cluster.default-replication-factor`. Must be between \
                 `--cluster.min-replication-factor` and `--cluster.max-replication-factor`",
            ));
        }
        let write_concern = number("--cluster.write-concern");
        if write_concern < 1 || write_concern > replication {
            return Err(String::from(
                "Invalid value for `--cluster.write-concern`. Must be at least 1 and not larger \
                 than `--cluster.default-replication-factor`",
            ));
        }
        let lack = match number("--cluster.failed-write-concern-status-code") {
            403 => false,
            503 => true,
            other => {
                return Err(format!(
                    "invalid value '{other}' for --cluster.failed-write-concern-status-code: 403 or 503"
                ));
            }
        };
        Ok(Self {
            replication,
            system_replication: number("--cluster.system-replication-factor"),
            replication_range: (least, most),
            write_concern,
            shards: number("--cluster.max-number-of-shards"),
            waits_for_followers: options.flag("--cluster.create-waits-for-sync-replication"),
            lack_is_unavailable: lack,
        })
    }
}

impl ClusterSettings {
    /// Without addresses a server cannot join a cluster.
    pub(crate) fn new(options: &Options, pace: Pace) -> Result<Self, String> {
        let agents = options.list("--cluster.agency-endpoint").to_vec();
        if agents.is_empty() {
            return Err(String::from(
                "must at least specify one endpoint in --cluster.agency-endpoint",
            ));
        }
        let endpoint = String::from(options.text("--cluster.my-address"));
        if endpoint.is_empty() {
            return Err(String::from(
                "unable to determine internal address, use --cluster.my-address",
            ));
        }
        let advertised = String::from(options.text("--cluster.my-advertised-endpoint"));
        for each in agents.iter().chain([&endpoint]) {
            crate::settings::Endpoint::parse(each)?;
        }
        Ok(Self {
            agents,
            endpoint,
            advertised,
            persisted: options.flag("--cluster.require-persisted-id"),
            heartbeat: pace.timer(250, 1000),
            bootstrap: pace.timer(30, 300),
            retries: (
                Duration::from_secs(pace.timer(10, 120)),
                Duration::from_secs(pace.timer(10, 900)),
            ),
            collections: CollectionLimits::new(options)?,
        })
    }
}

/// A server of a cluster that is no agent.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) settings: ClusterSettings,
    pub(crate) agency: Agency,
    /// Whether its id was made at this start.
    fresh: bool,
    /// How often this server has been started.
    pub(crate) reboot: Cell<u64>,
    /// The tree, as far as it is known here, and up to which index.
    tree: RefCell<Value>,
    index: Cell<u64>,
    changed: watch::Sender<u64>,
    stamps: Cell<u64>,
    lease: watch::Sender<Lease>,
}

impl Cluster {
    /// A server that has not asked the agency yet.
    pub(crate) fn new(
        id: &str,
        role: Role,
        settings: ClusterSettings,
        client: Rc<Client>,
        fresh: bool,
    ) -> Self {
        Self {
            id: String::from(id),
            role,
            agency: Agency::new(client, settings.agents.clone()),
            settings,
            fresh,
            reboot: Cell::new(0),
            tree: RefCell::new(json!({})),
            index: Cell::new(0),
            changed: watch::Sender::new(0),
            stamps: Cell::new(0),
            lease: watch::Sender::new(Lease::default()),
        }
    }

    /// The name of the servers of this role in the tree.
    pub(crate) fn kind(&self) -> &'static str {
        match self.role {
            Role::DbServer => "DBServers",
            _ => "Coordinators",
        }
    }

    /// Looks at the copy of the tree below `/arango`.
    pub(crate) fn look<T>(&self, path: &str, look: impl FnOnce(&Value) -> T) -> T {
        look(find(&self.tree.borrow(), &format!("/arango/{path}")))
    }

    /// The copy of the whole tree, and up to which index it goes.
    pub(crate) fn copy(&self) -> (u64, Value) {
        (self.index.get(), self.tree.borrow().clone())
    }

    /// Waits until there is something to be seen in the copy.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives as long as the server.
            drop(changed.changed().await);
        }
    }

    /// Whether supervision has said that a server has failed.
    pub(crate) fn has_failed(&self, server: &str) -> bool {
        let path = format!("Supervision/Health/{server}/Status");
        self.look(&path, |status| status == "FAILED")
    }

    /// A number that this process has not given before.
    pub(crate) fn next_stamp(&self) -> u64 {
        self.stamps.set(self.stamps.get() + 1);
        self.stamps.get()
    }

    /// Makes the server known, and begins what it does by itself.
    pub(crate) async fn join(self: &Rc<Self>, server: &Rc<Server>) -> Result<(), AgencyError> {
        self.register(server).await?;
        spawn_local(Rc::clone(self).follow(Rc::clone(server)));
        spawn_local(Rc::clone(self).beat(Rc::clone(server)));
        if self.role == Role::DbServer {
            spawn_local(Rc::clone(self).confirm_databases());
            spawn_local(shard::keep(Rc::clone(server), Rc::clone(self)));
        } else {
            spawn_local(Rc::clone(self).be_foxxmaster());
        }
        Ok(())
    }
}

impl From<AgencyError> for ApiError {
    fn from(error: AgencyError) -> Self {
        let text = format!("timeout in cluster operation: {error}");
        Self::new(500, Self::CLUSTER_TIMEOUT, text)
    }
}
