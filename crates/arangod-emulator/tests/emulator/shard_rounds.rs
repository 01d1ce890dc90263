//! A replicated shard under load, while its servers are killed or stand still.
//!
//! `ARMADILLO_ROUNDS` (3) rounds; `ARMADILLO_SEED` (1) decides whom each of them hits, and how.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

use rustix::process::Signal;
use serde_json::json;

use crate::rounds::{Random, number};
use crate::sharded::Sharded;
use crate::support::{Client, pause, superuser_token, wait_for};

/// How many write at the same time, each its own keys.
const CLIENTS: usize = 4;
/// How often a key is written.
const TURNS: u64 = 8;
/// So many writes at least are acknowledged between two faults.
const PROGRESS: u64 = 40;

/// What a key may hold.
#[derive(Debug, Clone, Default)]
struct Key {
    /// The last value that was acknowledged.
    acknowledged: Option<u64>,
    /// A later one of which nobody knows. It is the last: nothing else is written to the key.
    unknown: Option<u64>,
    /// That one was read, and must stay.
    seen: bool,
}

impl Key {
    fn check(&mut self, key: &str, found: Option<u64>) {
        let last = found == self.acknowledged && !self.seen;
        let later = self.unknown.is_some() && found == self.unknown;
        assert!(last || later, "{key} is {found:?}, and should be {self:?}");
        self.seen |= later;
    }
}

/// What became of a request.
enum Fate {
    Done,
    /// It was refused before anything was done.
    Refused,
    Unknown,
}

struct Load {
    sharded: RwLock<Sharded>,
    addresses: Vec<SocketAddr>,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    unknown: AtomicU64,
    /// Keys of others than the clients.
    more: Mutex<BTreeMap<String, Key>>,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn client(&self, server: usize) -> Client {
        Client::new(self.addresses[server]).bearer(&superuser_token())
    }

    fn write(&self, server: usize, key: &str, value: u64) -> Fate {
        let path = format!("{}&overwriteMode=replace", Sharded::path(""));
        let body = json!({ "_key": key, "v": value }).to_string();
        if TcpStream::connect(self.addresses[server]).is_err() {
            return Fate::Refused;
        }
        let Some(answer) = self.client(server).try_send("POST", &path, &body) else {
            return Fate::Unknown;
        };
        match answer.status {
            202 => Fate::Done,
            421 => Fate::Refused,
            403 => {
                assert_eq!(answer.error(), (403, 1004));
                Fate::Refused
            }
            500 => {
                assert_eq!(answer.error(), (500, 1457));
                Fate::Unknown
            }
            503 => Fate::Refused,
            _ => panic!("{} {}", answer.status, answer.text),
        }
    }

    /// The value as the leader has it; nothing if this server does not say.
    fn read(&self, server: usize, key: &str) -> Option<Option<u64>> {
        let answer = self.client(server).try_get(&Sharded::path(key))?;
        match answer.status {
            200 => Some(answer.json()["v"].as_u64()),
            404 => {
                assert_eq!(answer.error(), (404, 1202));
                Some(None)
            }
            _ => None,
        }
    }

    fn read_anywhere(&self, key: &str) -> Option<u64> {
        wait_for("somebody to read from", || {
            (0..self.addresses.len()).find_map(|server| self.read(server, key))
        })
    }

    /// Writes until the end; what each key may hold then.
    fn work(&self, name: &str, servers: &[usize]) -> BTreeMap<String, Key> {
        let mut keys = BTreeMap::new();
        let mut turn = 0;
        while self.goes_on() {
            let key = format!("{name}-{}", keys.len());
            let mut known = Key::default();
            let mut value = 0;
            while value < TURNS && known.unknown.is_none() && self.goes_on() {
                let server = servers[turn % servers.len()];
                match self.write(server, &key, value) {
                    Fate::Done => {
                        known.acknowledged = Some(value);
                        self.acknowledged.fetch_add(1, Ordering::Relaxed);
                        value += 1;
                        // This one leads: what it says now is no older than what it has acknowledged.
                        if let Some(found) = self.read(server, &key) {
                            known.check(&key, found);
                        }
                    }
                    Fate::Refused => {
                        turn += 1;
                        pause();
                    }
                    Fate::Unknown => {
                        turn += 1;
                        known.unknown = Some(value);
                        self.unknown.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            if let Some(found) = self.read(servers[turn % servers.len()], &key) {
                known.check(&key, found);
            }
            keys.insert(key, known);
        }
        keys
    }

    fn sharded<T>(&self, look: impl FnOnce(&Sharded) -> T) -> T {
        look(&self.sharded.read().unwrap())
    }

    fn kill(&self, victim: usize) {
        self.sharded.write().unwrap().kill(victim);
    }

    fn boot(&self, victim: usize) {
        self.sharded.write().unwrap().boot(victim);
    }

    fn other_leader(&self, than: usize) {
        wait_for("another leader", || {
            self.sharded(|sharded| (sharded.leader() != than).then_some(()))
        });
    }

    /// Lets a server stand still, with writes that it has not read yet, and meanwhile changes what it
    /// knows.
    fn stand_still(&self, victim: usize, leads: bool) {
        self.sharded(|sharded| sharded.signal(victim, Signal::STOP));
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let so_far = self.acknowledged.load(Ordering::Relaxed);
                let key = format!("stuck-{so_far}-{number}");
                scope.spawn(move || {
                    let fate = self.write(victim, &key, 0);
                    let mut known = Key::default();
                    match fate {
                        Fate::Done => known.acknowledged = Some(0),
                        Fate::Refused => {}
                        Fate::Unknown => known.unknown = Some(0),
                    }
                    self.more.lock().unwrap().insert(key, known);
                });
            }
            self.change_meanwhile(victim, leads);
        });
    }

    fn change_meanwhile(&self, victim: usize, leads: bool) {
        let others: Vec<usize> = (0..self.addresses.len())
            .filter(|server| *server != victim)
            .collect();
        if leads {
            self.other_leader(victim);
        }
        let key = format!("still-{}", self.acknowledged.load(Ordering::Relaxed));
        wait_for("a write elsewhere", || {
            others
                .iter()
                .find_map(|server| matches!(self.write(*server, &key, 1), Fate::Done).then_some(()))
        });
        self.sharded(|sharded| sharded.signal(victim, Signal::CONT));
        // What was acknowledged a moment ago is not gone for whoever asks now.
        for server in [victim, others[0], others[1]] {
            if let Some(found) = self.read(server, &key) {
                assert_eq!(found, Some(1), "a stale read of {key}");
            }
        }
    }

    fn fault(&self, random: &mut Random) -> String {
        let leader = self.sharded(Sharded::leader);
        let follower = (leader + 1 + random.below(2)) % 3;
        let kind = random.below(6);
        match kind {
            0 => {
                self.kill(leader);
                self.other_leader(leader);
                self.boot(leader);
            }
            1 => self.stand_still(leader, true),
            2 => {
                self.kill(follower);
                let before = self.acknowledged.load(Ordering::Relaxed);
                wait_for("progress without it", || {
                    (self.acknowledged.load(Ordering::Relaxed) > before).then_some(())
                });
                self.boot(follower);
            }
            3 => self.stand_still(follower, false),
            4 => {
                self.kill(leader);
                self.boot(leader);
            }
            _ => {
                self.kill(leader);
                self.kill(follower);
                self.boot(follower);
                self.boot(leader);
            }
        }
        format!("{kind} at {leader} or {follower}")
    }
}

/// What was acknowledged is never gone, what was read once is never taken back, and all copies are
/// the same in the end.
#[test]
fn acknowledged_documents_survive_and_copies_are_the_same() {
    let sharded = Sharded::start(3, 3, 1);
    let addresses = (0..3)
        .map(|index| sharded.cluster.dbservers[index].0.port.address)
        .collect();
    let load = Load {
        sharded: RwLock::new(sharded),
        addresses,
        stop: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        unknown: AtomicU64::new(0),
        more: Mutex::default(),
    };
    let mut random = Random(number("ARMADILLO_SEED", 1));
    let rounds = number("ARMADILLO_ROUNDS", 3);
    let mut keys: BTreeMap<String, Key> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let load = &load;
                scope.spawn(move || load.work(&format!("c{client}"), &[0, 1, 2]))
            })
            .collect();
        // Should a check fail here, the others must end too.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..rounds {
                let what = load.fault(&mut random);
                println!("round {round}: {what}");
                load.sharded(Sharded::wait_until_in_sync);
                let before = load.acknowledged.load(Ordering::Relaxed);
                wait_for("progress", || {
                    (load.acknowledged.load(Ordering::Relaxed) > before + PROGRESS).then_some(())
                });
            }
        }));
        load.stop.store(true, Ordering::Relaxed);
        let results: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        results.into_iter().flat_map(Result::unwrap).collect()
    });
    load.sharded(Sharded::wait_until_in_sync);
    keys.append(&mut load.more.lock().unwrap());
    let mut check = || -> Vec<Option<u64>> {
        let mut found = Vec::new();
        for (key, known) in &mut keys {
            let value = load.read_anywhere(key);
            known.check(key, value);
            found.push(value);
        }
        found
    };
    let first = check();
    // Each of the others has the same.
    for _ in 0..2 {
        let leader = load.sharded(Sharded::leader);
        load.kill(leader);
        load.other_leader(leader);
        assert_eq!(check(), first);
        load.boot(leader);
        load.sharded(Sharded::wait_until_in_sync);
    }
    println!(
        "{rounds} rounds, {} writes acknowledged, {} unknown, {} keys",
        load.acknowledged.load(Ordering::Relaxed),
        load.unknown.load(Ordering::Relaxed),
        first.len()
    );
}
