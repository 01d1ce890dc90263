//! A replicated store in memory, and the mistakes it can be made to make.
//!
//! Three replicas, and two fronts that clients talk through. A write is committed at one moment on all that are in sync, and acknowledged a little later. Who is
//! gone for longer than [`GRACE`] is dropped from those in sync, or replaced if it led; who comes back copies everything
//! from the leader, and is in sync then. Nothing runs in the background: whoever asks something first does what was due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use armadillo_consistency::{Act, Fault, Leadership, Servers, Subject, Wrote};
use armadillo_harness::failure::TestError;
use armadillo_orchestrator::ServerKey;
use tokio::time::{Instant, sleep};

/// How long a server may be gone before the others go on without it.
const GRACE: Duration = Duration::from_millis(20);

/// How long a message takes.
const TRAVEL: Duration = Duration::from_millis(2);

/// How long a deposed leader does not notice, if it has that defect.
const BELIEF: Duration = Duration::from_millis(60);

/// How long a leader that dies slowly has to end what it has begun.
const LAST_HOUR: Duration = Duration::from_millis(50);

/// What the store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// It acknowledges what only the leader has; the followers get it a little later, if the leader lives.
    AcknowledgesFirst,
    /// It acknowledges one write in fifty that it never did.
    Drops,
    /// A leader that was frozen answers reads when it goes on, without asking whether it still leads.
    ReadsWithoutLease,
    /// The same, but nobody asks it except a front that was frozen, too.
    ReadsWithoutLeaseBehindAFront,
    /// One write in twenty is done again a little later.
    AppliesTwice,
    /// A server that is not in sync may become leader.
    PromotesAnybody,
    /// A server that comes back says it has everything, and copies nothing.
    ClaimsToBeInSync,
    /// One write in fifty is refused, and done all the same.
    RefusesAndApplies,
    /// One write in fifty gets a body of its own.
    MixesUp,
    /// Nobody takes over.
    NeverFailsOver,
}

#[derive(Clone)]
pub(crate) struct Toy {
    defect: Option<Defect>,
    /// A leader that is killed ends what it has begun.
    dies_slowly: bool,
    state: Arc<Mutex<State>>,
}

struct State {
    defect: Option<Defect>,
    replicas: Vec<Replica>,
    fronts: Vec<Front>,
    leader: usize,
    in_sync: BTreeSet<usize>,
    writes: u64,
    later: Vec<Late>,
    /// Whose messages are late, and by how much.
    delayed: Option<(usize, Duration)>,
    delays: usize,
    replaced: usize,
    upgrades: Vec<Vec<String>>,
}

#[derive(Clone, Default)]
struct Replica {
    data: BTreeMap<String, String>,
    gone: Option<Gone>,
    /// Until when it does not notice that it no longer leads.
    believes: Option<Instant>,
}

/// What clients talk through. As long as it goes on it knows who leads.
#[derive(Clone, Copy, Default)]
struct Front {
    /// Whom it took for the leader when it was frozen.
    frozen: Option<usize>,
    /// The same after that, and until when.
    believes: Option<(usize, Instant)>,
}

#[derive(Clone, Copy)]
struct Gone {
    since: Instant,
    is_dead: bool,
}

/// A write that comes late, from one leader to some replicas.
struct Late {
    at: Instant,
    from: usize,
    to: Vec<usize>,
    key: String,
    body: String,
}

/// What a write has come to.
enum Commit {
    Done,
    Refused,
    Waits,
}

impl Toy {
    pub(crate) fn new(defect: Option<Defect>) -> Self {
        Self::of(3, 2, defect)
    }

    /// One server without followers and fronts.
    pub(crate) fn alone() -> Self {
        Self::of(1, 0, None)
    }

    /// No write is ever in flight when a leader dies.
    pub(crate) fn dying_slowly() -> Self {
        Self {
            dies_slowly: true,
            ..Self::new(None)
        }
    }

    fn of(servers: usize, fronts: usize, defect: Option<Defect>) -> Self {
        let state = State {
            defect,
            replicas: vec![Replica::default(); servers],
            fronts: vec![Front::default(); fronts],
            leader: 0,
            in_sync: (0..servers).collect(),
            writes: 0,
            later: Vec::new(),
            delayed: None,
            delays: 0,
            replaced: 0,
            upgrades: Vec::new(),
        };
        Self {
            defect,
            dies_slowly: false,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How often messages were delayed, and by how much they are now.
    pub(crate) fn delays(&self) -> (usize, Option<Duration>) {
        let state = self.state();
        (state.delays, state.delayed.map(|(_, by)| by))
    }

    /// How often a server was replaced by a new one.
    pub(crate) fn replaced(&self) -> usize {
        self.state().replaced
    }

    /// The path of each upgrade.
    pub(crate) fn upgrades(&self) -> Vec<Vec<String>> {
        self.state().upgrades.clone()
    }

    /// The state, with everything done that was due.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.come_late();
        state.fail_over();
        state.copy();
        state
    }

    /// Returns when the front of this client takes what he asks.
    async fn through(&self, client: usize) {
        sleep(TRAVEL).await;
        while self.state().front_of(client).frozen.is_some() {
            sleep(TRAVEL).await;
        }
    }
}

impl State {
    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn front_of(&self, client: usize) -> Front {
        let front = client.checked_rem(self.fronts.len());
        front.map(|front| self.fronts[front]).unwrap_or_default()
    }

    /// Who answers a read of this client.
    fn reader(&self, client: usize) -> usize {
        let now = Instant::now();
        let asked = match self.defect {
            Some(Defect::ReadsWithoutLease) => Some(client % self.replicas.len()),
            Some(Defect::ReadsWithoutLeaseBehindAFront) => {
                let believes = self.front_of(client).believes;
                believes.and_then(|(leader, until)| (until > now).then_some(leader))
            }
            _ => None,
        };
        let answers = asked.filter(|asked| {
            let believes = self.replicas[*asked].believes;
            believes.is_some_and(|until| until > now)
        });
        answers.unwrap_or(self.leader)
    }

    fn is_there(&self, replica: usize) -> bool {
        self.replicas[replica].gone.is_none()
    }

    /// Gone for so long that the others go on without it.
    fn is_missed(&self, replica: usize) -> bool {
        let gone = self.replicas[replica].gone;
        gone.is_some_and(|gone| gone.since.elapsed() > GRACE)
    }

    fn come_late(&mut self) {
        let now = Instant::now();
        let all = std::mem::take(&mut self.later);
        let (due, later) = all.into_iter().partition(|late| late.at <= now);
        self.later = later;
        let due: Vec<Late> = due;
        for late in due {
            if !self.is_there(late.from) {
                continue;
            }
            for replica in late.to {
                if self.is_there(replica) {
                    let data = &mut self.replicas[replica].data;
                    data.insert(late.key.clone(), late.body.clone());
                }
            }
        }
    }

    fn fail_over(&mut self) {
        if !self.is_missed(self.leader) || self.has(Defect::NeverFailsOver) {
            return;
        }
        let anybody = self.has(Defect::PromotesAnybody);
        let servers = 0..self.replicas.len();
        let fit = servers.filter(|server| {
            // The defect prefers whom it must not take.
            let is_in_sync = self.in_sync.contains(server);
            self.is_there(*server) && (is_in_sync || anybody)
        });
        let next = if anybody {
            fit.min_by_key(|server| self.in_sync.contains(server))
        } else {
            fit.min()
        };
        if let Some(next) = next {
            self.in_sync.remove(&self.leader);
            self.in_sync.insert(next);
            self.leader = next;
        }
    }

    /// The leader drops whom it misses, and brings up to date who is back.
    fn copy(&mut self) {
        if !self.is_there(self.leader) {
            return;
        }
        for server in 0..self.replicas.len() {
            let believes = self.replicas[server].believes;
            if self.is_missed(server) {
                self.in_sync.remove(&server);
            } else if self.is_there(server)
                && !self.in_sync.contains(&server)
                && believes.is_none_or(|until| until <= Instant::now())
            {
                if !self.has(Defect::ClaimsToBeInSync) {
                    self.replicas[server].data = self.replicas[self.leader].data.clone();
                }
                self.in_sync.insert(server);
            }
        }
    }

    fn commit(&mut self, key: &str, body: &str) -> Commit {
        match self.replicas[self.leader].gone {
            Some(Gone { is_dead: true, .. }) => return Commit::Refused,
            Some(Gone { is_dead: false, .. }) => return Commit::Waits,
            None => {}
        }
        let first = self.has(Defect::AcknowledgesFirst);
        if !first && !self.in_sync.iter().all(|server| self.is_there(*server)) {
            return Commit::Waits;
        }
        self.writes += 1;
        let one_in = |many: u64| self.writes.is_multiple_of(many);
        if self.has(Defect::Drops) && one_in(50) {
            return Commit::Done;
        }
        let refused = self.has(Defect::RefusesAndApplies) && one_in(50);
        let is_mixed_up = self.has(Defect::MixesUp) && one_in(50);
        let is_repeated = self.has(Defect::AppliesTwice) && one_in(20);
        let body = format!("{body}{}", if is_mixed_up { "!" } else { "" });
        let mut late = Late {
            at: Instant::now() + TRAVEL,
            from: self.leader,
            to: self.in_sync.iter().copied().collect(),
            key: key.to_owned(),
            body,
        };
        for server in &late.to {
            if !first || *server == self.leader {
                let data = &mut self.replicas[*server].data;
                data.insert(late.key.clone(), late.body.clone());
            }
        }
        if is_repeated {
            late.at += TRAVEL * 10;
        }
        if first || is_repeated {
            self.later.push(late);
        }
        if refused {
            Commit::Refused
        } else {
            Commit::Done
        }
    }
}

fn key_of(server: usize) -> ServerKey {
    ServerKey::from(format!("toy-{server}").as_str())
}

fn front_key(front: usize) -> ServerKey {
    ServerKey::from(format!("front-{front}").as_str())
}

impl Subject for Toy {
    async fn write(&self, client: usize, key: &str, body: &str) -> Wrote {
        self.through(client).await;
        let leader = loop {
            let (commit, leader) = {
                let mut state = self.state();
                (state.commit(key, body), state.leader)
            };
            match commit {
                Commit::Done => break leader,
                Commit::Refused => return Wrote::Refused("busy".to_owned()),
                Commit::Waits => sleep(TRAVEL).await,
            }
        };
        let delay = self.state().delayed.filter(|(late, _)| *late == leader);
        sleep(TRAVEL + delay.map_or(Duration::ZERO, |(_, by)| by)).await;
        let state = self.state();
        if state.leader == leader && state.is_there(leader) {
            Wrote::Acknowledged
        } else {
            Wrote::Unknown("the connection is lost".to_owned())
        }
    }

    async fn read(&self, client: usize, key: &str) -> Result<Option<String>, String> {
        self.through(client).await;
        let state = self.state();
        let server = state.reader(client);
        if state.is_there(server) {
            Ok(state.replicas[server].data.get(key).cloned())
        } else {
            Err("nobody leads".to_owned())
        }
    }

    async fn leadership(&self, _key: &str) -> Result<Leadership, String> {
        let state = self.state();
        let others = (0..state.replicas.len()).filter(|server| *server != state.leader);
        Ok(Leadership {
            group: "toy".to_owned(),
            leader: key_of(state.leader),
            followers: others.map(key_of).collect(),
        })
    }

    async fn not_in_sync(&self, except: &[ServerKey]) -> Vec<String> {
        let state = self.state();
        let all = (0..state.replicas.len()).filter(|server| !state.in_sync.contains(server));
        let missing = all.map(key_of).filter(|server| !except.contains(server));
        missing
            .map(|server| format!("{server} is not in sync"))
            .collect()
    }

    fn fronts(&self) -> Vec<ServerKey> {
        (0..self.state().fronts.len()).map(front_key).collect()
    }

    async fn forget(&self, prefix: &str) -> Result<(), String> {
        let mut state = self.state();
        for replica in &mut state.replicas {
            replica.data.retain(|key, _| !key.starts_with(prefix));
        }
        Ok(())
    }
}

impl Servers for Toy {
    fn offers(&self, fault: Fault) -> bool {
        let of_links = [Fault::CutOffLeader, Fault::CutFollowerThenKillLeaders];
        !of_links.contains(&fault) && fault != Fault::RollingRestart
    }

    async fn rolling_upgrade(&self, path: &[String]) -> Result<(), TestError> {
        sleep(TRAVEL * 20).await;
        self.state().upgrades.push(path.to_vec());
        Ok(())
    }

    async fn replace(&self, leaving: &ServerKey) -> Result<(), TestError> {
        sleep(TRAVEL * 20).await;
        let mut state = self.state();
        let mut all = 0..state.replicas.len();
        let index = all.find(|index| key_of(*index) == *leaving);
        let index = index.ok_or("no such server")?;
        // The new one has its name, and nothing else of it.
        state.in_sync.remove(&index);
        state.replicas[index] = Replica::default();
        state.replaced += 1;
        let next = state.in_sync.first().copied();
        state.leader = next.ok_or("nobody has what this server has")?;
        Ok(())
    }

    async fn act(&self, server: &ServerKey, act: Act) -> Result<(), TestError> {
        sleep(TRAVEL / 2).await;
        let is_leader = key_of(self.state().leader) == *server;
        if self.dies_slowly && is_leader && act == Act::Kill {
            sleep(LAST_HOUR).await;
        }
        let mut locked = self.state();
        let state = &mut *locked;
        let leader = state.leader;
        let front = (0..state.fronts.len()).find(|index| front_key(*index) == *server);
        if let Some(front) = front.and_then(|index| state.fronts.get_mut(index)) {
            let until = Instant::now() + BELIEF;
            front.believes = front.frozen.map(|leader| (leader, until));
            front.frozen = (act == Act::Pause).then_some(leader);
            return Ok(());
        }
        let index = (0..state.replicas.len()).find(|index| key_of(*index) == *server);
        let index = index.ok_or("no such server")?;
        let led = state.leader == index;
        let replica = &mut state.replicas[index];
        match act {
            Act::Kill | Act::Pause => {
                replica.believes = None;
                replica.gone = Some(Gone {
                    since: Instant::now(),
                    is_dead: act == Act::Kill,
                });
            }
            Act::Start | Act::Resume => replica.gone = None,
            Act::CutOff => return Err("the toy cannot be cut".into()),
            Act::Delay(by) => {
                state.delayed = Some((index, by));
                state.delays += 1;
            }
            Act::Rejoin => state.delayed = None,
        }
        let without_lease = matches!(
            self.defect,
            Some(Defect::ReadsWithoutLease | Defect::ReadsWithoutLeaseBehindAFront)
        );
        if act == Act::Resume && !led && without_lease {
            replica.believes = Some(Instant::now() + BELIEF);
        }
        Ok(())
    }

    async fn wait_healthy(&self, _limit: Duration) -> Result<Vec<String>, TestError> {
        Ok(Vec::new())
    }
}
