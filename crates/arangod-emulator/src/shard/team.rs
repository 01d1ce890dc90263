//! What a leader shares with the tasks that bring followers level: whom it waits for, and what
//! those who join still lack. It also is how followers are asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::wire::{self, Message, Reply, What};
use super::work::Work;
use crate::http::ClientError;
use crate::store::{Position, Shipment};

/// How long a server that refuses connections, or is not ready, is asked again.
const REFUSED: Duration = Duration::from_millis(300);
/// How long a follower may take to put a snapshot into its journal.
const SNAPSHOT: Duration = Duration::from_secs(60);
/// The longest pause before a follower that is away is asked again.
const AWAY: Duration = Duration::from_millis(500);

/// So long a leader waits after a change for those who are joining.
const MOMENT: Duration = Duration::from_millis(200);

/// Why a follower is not level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is a later leader.
    Stale,
    /// It does not answer, or has other data.
    Lost,
}

/// The followers of one leadership.
#[derive(Debug)]
pub(super) struct Team {
    work: Work,
    pub(super) epoch: u64,
    /// Those whose confirmation every change needs.
    pub(super) acks: RefCell<BTreeSet<String>>,
    /// Those who are being brought level, with the changes since their snapshot.
    joining: RefCell<BTreeMap<String, VecDeque<Rc<Shipment>>>>,
    /// Those of them who have the snapshot, and take the changes behind it.
    catching_up: RefCell<BTreeSet<String>>,
    /// One of them has taken a change, or is done.
    taken: Notify,
    /// Those whom a task looks after.
    tended: RefCell<BTreeSet<String>>,
    /// Somebody has joined.
    pub(super) joined: Notify,
}

impl Team {
    pub(super) fn new(work: &Work, epoch: u64) -> Rc<Self> {
        Rc::new(Self {
            work: work.clone(),
            epoch,
            acks: RefCell::default(),
            joining: RefCell::default(),
            catching_up: RefCell::default(),
            taken: Notify::new(),
            tended: RefCell::default(),
            joined: Notify::new(),
        })
    }

    /// Where the leader's copy is.
    pub(super) fn position(&self) -> Option<Position> {
        let id = self.work.shard.place.id;
        self.work
            .server
            .peek(|store| Some(store?.collection_by_id(id)?.mark.at))
    }

    /// Asks a follower, again and again if it does not answer.
    async fn ask(&self, follower: &str, what: What, records: &[u8]) -> Result<Reply, Trouble> {
        let place = &self.work.shard.place;
        let message = Message {
            database: place.database.clone(),
            shard: place.name.clone(),
            epoch: self.epoch,
            what,
        };
        let body = wire::encode(&message, records).map_err(|_| Trouble::Lost)?;
        let silent = match message.what {
            What::Replace { .. } => SNAPSHOT,
            What::Level { .. } | What::Append { .. } => self.work.cluster.grace(),
        };
        let begun = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            let left = silent.saturating_sub(begun.elapsed());
            let patience = match self.send(follower, body.clone(), left).await {
                Ok(Reply::NotYet) | Err(ClientError::NotSent(_)) => REFUSED,
                Ok(Reply::Stale) => return Err(Trouble::Stale),
                Ok(reply) => return Ok(reply),
                Err(ClientError::Lost(_) | ClientError::Closed(_)) => silent,
            };
            if begun.elapsed() >= patience {
                return Err(Trouble::Lost);
            }
            sleep(pause).await;
            pause = (pause * 2).min(REFUSED / 4);
        }
    }

    async fn send(
        &self,
        follower: &str,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Reply, ClientError> {
        let cluster = &self.work.cluster;
        let path = format!("Current/ServersRegistered/{follower}/endpoint");
        let endpoint = cluster.look(&path, |endpoint| endpoint.as_str().map(String::from));
        let endpoint = endpoint
            .ok_or_else(|| ClientError::NotSent(String::from("nobody knows where it is")))?;
        let client = cluster.agency.client();
        let answer = client
            .send(&endpoint, Method::POST, wire::PATH, body, patience)
            .await?;
        match serde_json::from_slice(&answer.body) {
            Ok(reply) if answer.status == 200 => Ok(reply),
            // It begins or ends, or its disk has failed.
            _ => Ok(Reply::NotYet),
        }
    }

    /// Brings a follower to where the leader is now: it proves that it is there, or gets everything.
    /// `known` are other positions at which a copy is the same.
    pub(super) async fn level(&self, follower: &str, known: &[Position]) -> Result<(), Trouble> {
        let at = self.position().ok_or(Trouble::Lost)?;
        let known = known.iter().copied().chain([at]).collect();
        match self.ask(follower, What::Level { known, at }, &[]).await? {
            Reply::Done => return Ok(()),
            Reply::Different | Reply::Stale | Reply::NotYet => {}
        }
        let id = self.work.shard.place.id;
        let snapshot = self.work.server.peek(|store| {
            // What comes behind it is collected from here on.
            if let Some(lacking) = self.joining.borrow_mut().get_mut(follower) {
                lacking.clear();
            }
            store?.snapshot_shard(id)
        });
        let (meta, at, records) = snapshot.ok_or(Trouble::Lost)?;
        let what = What::Replace { meta, at };
        match self.ask(follower, what, &records).await? {
            Reply::Done => Ok(()),
            Reply::Different | Reply::Stale | Reply::NotYet => Err(Trouble::Lost),
        }
    }

    /// Has a follower take a change.
    pub(super) async fn deliver(&self, follower: &str, shipment: &Shipment) -> Result<(), Trouble> {
        let Shipment { at, sync, records } = shipment;
        let what = What::Append {
            at: *at,
            sync: *sync,
        };
        match self.ask(follower, what, records).await? {
            Reply::Done => Ok(()),
            Reply::Different | Reply::Stale | Reply::NotYet => Err(Trouble::Lost),
        }
    }

    /// Notes a change for those who are joining.
    pub(super) fn note(&self, shipment: &Rc<Shipment>) {
        for lacking in self.joining.borrow_mut().values_mut() {
            lacking.push_back(Rc::clone(shipment));
        }
    }

    /// How many changes those who catch up lack at most.
    fn lag(&self) -> usize {
        let (joining, catching_up) = (self.joining.borrow(), self.catching_up.borrow());
        let lacking = joining
            .iter()
            .filter(|(name, _)| catching_up.contains(*name));
        lacking.map(|(_, lacking)| lacking.len()).max().unwrap_or(0)
    }

    /// Waits for a moment until those who catch up have taken two changes, or all: a leader for whose changes
    /// nobody else is needed would make them faster than others can take them, and nobody would ever join.
    pub(super) async fn let_them_join(&self) {
        let before = self.lag();
        let nearer = async {
            while self.lag() > 0 && self.lag() + 1 >= before {
                self.taken.notified().await;
            }
        };
        drop(timeout(MOMENT, nearer).await);
    }

    /// Whether somebody should look after a follower; from now on somebody does.
    pub(super) fn claim(&self, follower: &str) -> bool {
        !self.acks.borrow().contains(follower)
            && self.tended.borrow_mut().insert(String::from(follower))
    }

    /// Brings a follower level, however long it is away, as long as it is planned.
    pub(super) async fn tend(self: Rc<Self>, follower: String) {
        let mut pause = Duration::from_millis(20);
        while self.is_planned(&follower) {
            let joined = self.join(&follower).await;
            self.joining.borrow_mut().remove(&follower);
            self.catching_up.borrow_mut().remove(&follower);
            self.taken.notify_one();
            match joined {
                Ok(()) => {
                    self.joined.notify_one();
                    break;
                }
                Err(Trouble::Stale) => {
                    self.work.shard.deposed.notify_one();
                    break;
                }
                Err(Trouble::Lost) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(AWAY);
        }
        self.tended.borrow_mut().remove(&follower);
    }

    fn is_planned(&self, follower: &str) -> bool {
        let planned = self.work.shard.place.planned(&self.work.cluster);
        planned.is_some_and(|planned| planned.servers.iter().any(|server| server == follower))
    }

    /// Snapshot, then what came behind it. When nothing is lacking, the leader waits for the
    /// follower from the next change on; nothing is awaited between the two.
    async fn join(&self, follower: &str) -> Result<(), Trouble> {
        let name = String::from(follower);
        self.joining
            .borrow_mut()
            .insert(name.clone(), VecDeque::new());
        self.level(follower, &[]).await?;
        self.catching_up.borrow_mut().insert(name.clone());
        loop {
            let next = {
                let joining = self.joining.borrow();
                joining
                    .get(follower)
                    .and_then(|lacking| lacking.front().cloned())
            };
            let Some(shipment) = next else {
                self.acks.borrow_mut().insert(name);
                return Ok(());
            };
            self.deliver(follower, &shipment).await?;
            if let Some(lacking) = self.joining.borrow_mut().get_mut(follower) {
                lacking.pop_front();
            }
            self.taken.notify_one();
        }
    }
}
