//! An agent: Raft, its disk, the state, and who waits for what.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::disk::Disk;
use super::pool::Pool;
use super::state::{Outcome, State};
use crate::http::Client;
use crate::logging::Logger;
use crate::options::Options;
use crate::raft::{Raft, Random, Reply, Request, Timing};
use crate::settings::Pace;

/// What the options say about the agency.
#[derive(Debug, Clone)]
pub(crate) struct AgencySettings {
    /// How many agents there are.
    pub(crate) size: usize,
    /// Where this one is.
    pub(crate) endpoint: String,
    /// Where others are.
    pub(crate) others: Vec<String>,
    /// The id that it has on an empty directory: that of the agent whose place it takes.
    pub(crate) recovery_id: Option<String>,
    /// Whether what is acknowledged must be on the disk.
    pub(crate) sync: bool,
    /// The clock of elections.
    pub(crate) timing: Timing,
    /// So many entries make a snapshot.
    pub(crate) step: u64,
    /// So many entries are kept behind it.
    pub(crate) keep: u64,
}

impl AgencySettings {
    /// Elections are faster than arangod's unless options or the pace say how fast; of entries in front of a snapshot
    /// 500 are kept, not 50,000.
    pub(crate) fn new(options: &Options, pace: Pace, own: &str) -> Result<Self, String> {
        let size = options.unsigned("--agency.size");
        if size.is_multiple_of(2) {
            return Err(String::from("agency size must be odd and at least 1"));
        }
        let pool = options.unsigned("--agency.pool-size");
        if options.given("--agency.pool-size") && pool != size {
            return Err(String::from("agency pool size must equal agency size"));
        }
        let seconds = |name: &str, ours: f64| {
            let given = options.given(name);
            if given { options.double(name) } else { ours }
        };
        let least = seconds("--agency.election-timeout-min", pace.timer(0.25, 1.0));
        let longest = pace.timer((2.0 * least).max(0.5), (2.0 * least).max(5.0));
        let longest = seconds("--agency.election-timeout-max", longest);
        if !(least > 0.0 && longest > least && longest < 1e6) {
            return Err(String::from(
                "agency.election-timeout-max must be greater than agency.election-timeout-min",
            ));
        }
        let given = |name: &str, ours: u64| {
            let given = options.given(name);
            if given { options.unsigned(name) } else { ours }
        };
        let mut endpoint = String::from(options.text("--agency.my-address"));
        if endpoint.is_empty() {
            let port = own.rsplit_once(':').map_or("8529", |(_, port)| port);
            endpoint = format!("tcp://localhost:{port}");
        }
        crate::settings::Endpoint::parse(&endpoint)?;
        let others = options.list("--agency.endpoint");
        for other in others {
            crate::settings::Endpoint::parse(other)?;
        }
        Ok(Self {
            size: usize::try_from(size).map_err(|error| error.to_string())?,
            others: others
                .iter()
                .filter(|other| **other != endpoint)
                .cloned()
                .collect(),
            endpoint,
            recovery_id: Some(String::from(options.text("--agency.disaster-recovery-id")))
                .filter(|id| !id.is_empty()),
            sync: options.flag("--agency.wait-for-sync"),
            timing: Timing {
                least: Duration::from_secs_f64(least),
                most: Duration::from_secs_f64(longest),
                heartbeat: Duration::from_secs_f64(least / 5.0),
                batch: usize::try_from(options.unsigned("--agency.max-append-size")).unwrap_or(250),
            },
            step: options.unsigned("--agency.compaction-step-size").max(1),
            keep: given("--agency.compaction-keep-size", pace.timer(500, 50_000)),
        })
    }
}

/// Why an agent cannot answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// Nobody leads, as far as it knows.
    NoLeader,
    /// That one leads.
    Elsewhere(String),
    /// It led when it took the transaction, and does not know what became of it.
    Unknown,
}

/// A transaction that was decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    /// Its place in the log.
    pub(crate) index: u64,
    /// Whether its preconditions held there.
    pub(crate) outcome: Outcome,
}

type Waiting = BTreeMap<u64, (u64, oneshot::Sender<Outcome>)>;

/// An agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) settings: AgencySettings,
    pub(super) log: Arc<Logger>,
    pub(super) client: Rc<Client>,
    pub(super) raft: RefCell<Raft<Disk>>,
    pub(super) pool: RefCell<Pool>,
    state: RefCell<State>,
    /// What is not replicated: heartbeats, and health as of now.
    transient: RefCell<Value>,
    waiting: RefCell<Waiting>,
    /// Turns whenever anything may have changed.
    pub(super) changed: watch::Sender<u64>,
    broken: Cell<bool>,
    born: Instant,
    led: Cell<Option<u64>>,
    compacted: Cell<u64>,
}

impl Agent {
    /// Opens what was kept in the directory.
    pub(crate) fn open(
        id: &str,
        folder: &Path,
        settings: AgencySettings,
        client: Rc<Client>,
        log: Arc<Logger>,
    ) -> std::io::Result<Self> {
        let (disk, kept) = Disk::open(&folder.join("agency.log"), settings.sync)?;
        let state = match kept.snapshot.index {
            0 => State::new(),
            index => State::thaw(index, kept.snapshot.data.clone())?,
        };
        let pool_file = folder.join("agency.pool");
        let pool = Pool::open(pool_file, settings.size, id, &settings.endpoint)?;
        let seed = u64::from_le_bytes(crate::system::random()?);
        let timing = settings.timing;
        let compacted = kept.snapshot.index;
        let raft = Raft::new(id, kept, disk, timing, Random::new(seed));
        Ok(Self {
            id: String::from(id),
            settings,
            log,
            client,
            raft: RefCell::new(raft),
            pool: RefCell::new(pool),
            state: RefCell::new(state),
            transient: RefCell::new(json!({})),
            waiting: RefCell::default(),
            changed: watch::Sender::new(0),
            broken: Cell::new(false),
            born: Instant::now(),
            led: Cell::new(None),
            compacted: Cell::new(compacted),
        })
    }

    /// The time since this agent began.
    pub(crate) fn now(&self) -> Duration {
        self.born.elapsed()
    }

    /// Lets Raft do something, and draws the conclusions. Without a disk an agent must not go on:
    /// then this is nothing, and the process ends.
    pub(super) fn step<T>(
        &self,
        act: impl FnOnce(&mut Raft<Disk>, Duration) -> std::io::Result<T>,
    ) -> Option<T> {
        if self.broken.get() {
            return None;
        }
        let result = act(&mut self.raft.borrow_mut(), self.now());
        let result = match result.and_then(|value| self.conclude().map(|()| value)) {
            Ok(value) => Some(value),
            Err(error) => {
                let text = format!("the log of the agency cannot be written: {error}");
                self.log.fatal("", "agency", text);
                self.broken.set(true);
                None
            }
        };
        self.changed.send_modify(|turn| *turn += 1);
        result
    }

    /// Applies what is committed, tells those who wait, and makes a snapshot now and then.
    fn conclude(&self) -> std::io::Result<()> {
        let mut raft = self.raft.borrow_mut();
        let mut state = self.state.borrow_mut();
        let mut waiting = self.waiting.borrow_mut();
        if raft.snapshot().index > state.applied() {
            let snapshot = raft.snapshot();
            *state = State::thaw(snapshot.index, snapshot.data.clone())?;
            self.compacted.set(snapshot.index);
        }
        while let Some(entry) = raft.entry(state.applied() + 1)
            && entry.index <= raft.commit()
        {
            let outcome = state.apply(entry.index, &entry.payload);
            if let Some((term, tell)) = waiting.remove(&entry.index)
                && term == entry.term
            {
                // Who asked may have gone away.
                drop(tell.send(outcome));
            }
        }
        let leads = raft.ledger().map(|_| raft.term());
        if leads != self.led.get() {
            self.led.set(leads);
            // Somebody else decides now what becomes of them.
            waiting.clear();
            *self.transient.borrow_mut() = json!({});
            let text = match leads {
                Some(term) => format!("{} leads in term {term}", self.id),
                None => format!("{} does not lead any more, term {}", self.id, raft.term()),
            };
            self.log.info("", "agency", text);
        }
        if state.applied() >= self.compacted.get() + self.settings.step {
            self.compacted.set(state.applied());
            raft.compact(state.applied(), state.freeze(), self.settings.keep)?;
        }
        Ok(())
    }

    /// Returns when the disk has failed.
    pub(crate) async fn broken(&self) {
        self.until(|agent| agent.broken.get().then_some(())).await;
    }

    /// Waits until there is something to be seen.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            // The sender lives as long as the agent.
            drop(changed.changed().await);
        }
    }

    /// The term, and the id of its leader if it is known.
    pub(crate) fn leadership(&self) -> (u64, Option<String>) {
        let raft = self.raft.borrow();
        (raft.term(), raft.leader().map(String::from))
    }

    /// The term in which this agent leads.
    pub(crate) fn leads(&self) -> Option<u64> {
        self.raft
            .borrow()
            .ledger()
            .map(|_| self.raft.borrow().term())
    }

    /// Where to ask instead.
    pub(crate) fn elsewhere(&self) -> Unavailable {
        let (_, leader) = self.leadership();
        match leader.filter(|leader| *leader != self.id) {
            Some(leader) => self
                .pool
                .borrow()
                .endpoint(&leader)
                .map_or(Unavailable::NoLeader, |endpoint| {
                    Unavailable::Elsewhere(String::from(endpoint))
                }),
            None => Unavailable::NoLeader,
        }
    }

    /// Carries out a transaction; returns when it is decided.
    pub(crate) async fn write(&self, query: &Value) -> Result<Written, Unavailable> {
        self.propose(json!({ "time": millis(), "query": query }))
            .await
    }

    async fn propose(&self, payload: Value) -> Result<Written, Unavailable> {
        let (tell, told) = oneshot::channel();
        let waiting = &self.waiting;
        let place = self
            .step(|raft, _| {
                let place = raft.propose(payload)?;
                if let Some((index, term)) = place {
                    waiting.borrow_mut().insert(index, (term, tell));
                }
                Ok(place)
            })
            .ok_or(Unavailable::Unknown)?;
        let (index, _) = place.ok_or_else(|| self.elsewhere())?;
        match told.await {
            Ok(outcome) => Ok(Written { index, outcome }),
            Err(_) => Err(Unavailable::Unknown),
        }
    }

    /// Returns when the state holds everything that was acknowledged before this was called.
    pub(crate) async fn barrier(&self) -> Result<(), Unavailable> {
        let asked =
            self.step(|raft, _| Ok(raft.ask_confirmation().map(|asked| (asked, raft.term()))));
        let Some(((round, index), term)) = asked.flatten() else {
            return Err(self.elsewhere());
        };
        self.until(|agent| {
            if agent.leads() != Some(term) {
                return Some(Err(agent.elsewhere()));
            }
            let confirmed = agent.raft.borrow().confirmed(round);
            (confirmed && agent.state.borrow().applied() >= index).then_some(Ok(()))
        })
        .await?;
        if self
            .look(State::next_expiry)
            .is_some_and(|at| at <= millis())
        {
            self.expire().await?;
        }
        Ok(())
    }

    /// Lets the log tell everybody what time it is.
    pub(super) async fn expire(&self) -> Result<(), Unavailable> {
        self.propose(json!({ "time": millis() })).await.map(drop)
    }

    /// Looks at the state as it is here.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.borrow())
    }

    /// Looks at what is not replicated, or changes it.
    pub(crate) fn transient<T>(&self, act: impl FnOnce(&mut Value) -> T) -> T {
        act(&mut self.transient.borrow_mut())
    }

    /// Looks at Raft.
    pub(crate) fn raft<T>(&self, look: impl FnOnce(&Raft<Disk>) -> T) -> T {
        look(&self.raft.borrow())
    }

    /// Looks at the pool.
    pub(crate) fn pool<T>(&self, look: impl FnOnce(&Pool) -> T) -> T {
        look(&self.pool.borrow())
    }

    /// Answers another agent; nothing if it has other members in mind.
    pub(crate) fn answer(&self, digest: u32, request: Request) -> Option<Reply> {
        let ours = {
            let pool = self.pool.borrow();
            pool.is_complete() && pool.digest() == digest
        };
        if ours {
            self.step(|raft, now| raft.handle(request, now))
        } else {
            None
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis() -> u64 {
    crate::system::micros() / 1000
}
