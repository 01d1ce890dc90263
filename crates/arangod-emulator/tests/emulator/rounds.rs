//! An agency under load, while one agent after the other is killed or stands still.
//!
//! `ARMADILLO_ROUNDS` (4) rounds; `ARMADILLO_SEED` (1) decides whom each of them hits, and how.

use std::collections::BTreeSet;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::agents::{Agents, Fate};
use crate::support::{pause, wait_for};

/// How many count at the same time.
const CLIENTS: usize = 8;

pub(crate) fn number(name: &str, default: u64) -> u64 {
    let asked = std::env::var(name);
    asked
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Pseudo-random numbers from a seed (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end).unwrap()
    }
}

/// What goes on while agents fail.
struct Load {
    agents: RwLock<Agents>,
    stop: AtomicBool,
    counted: AtomicU64,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Counts by compare-and-set until the end, and returns what was acknowledged.
    fn count(&self, client: usize) -> BTreeSet<String> {
        let mut mine = BTreeSet::new();
        let mut turn = 0;
        while self.goes_on() {
            let agents = self.agents.read().unwrap();
            turn += 1;
            let name = format!("c{client}-{turn}");
            let Some(count) = agents.read("/count").as_u64() else {
                panic!("the counter is gone");
            };
            let next = count + 1;
            let operations = json!({"/count": next, format!("/log/{name}"): next});
            let condition = json!({"/count": {"old": count}});
            if agents.write(&operations, &condition, &name) == Fate::Done {
                mine.insert(name);
                self.counted.fetch_add(1, Ordering::Relaxed);
            }
        }
        mine
    }

    /// Asks one agent until the end who leads in which term.
    fn watch(&self, index: usize) {
        while self.goes_on() {
            self.agents.read().unwrap().look(index);
            pause();
        }
    }

    fn signal(&self, victim: usize, signal: Signal) {
        let pid = {
            let agents = self.agents.read().unwrap();
            agents.servers[victim].as_ref().unwrap().pid()
        };
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The writers are in the middle of something: nobody holds them up, neither now nor while it starts.
    fn kill(&self, victim: usize) {
        self.signal(victim, Signal::KILL);
        self.agents.write().unwrap().kill(victim);
        self.elsewhere(victim);
        let server = self.agents.read().unwrap().launch(victim);
        self.agents.write().unwrap().servers[victim] = Some(server);
    }

    /// Requests to an agent that stands still hang until it goes on.
    fn pause(&self, victim: usize) {
        self.signal(victim, Signal::STOP);
        self.elsewhere(victim);
        self.signal(victim, Signal::CONT);
    }

    /// Waits until another agent leads and writes.
    fn elsewhere(&self, victim: usize) {
        let write = json!([[{"/faults": {"op": "push", "new": victim}}]]).to_string();
        wait_for("another leader", || {
            let agents = self.agents.read().unwrap();
            let mut others = (0..agents.places.len()).filter(|index| *index != victim);
            others.find_map(|index| {
                let client = agents.client(index);
                let config = client.try_get("/_api/agency/config")?.json();
                config.get("lastAcked")?;
                let written = client.try_send("POST", "/_api/agency/write", &write)?;
                (written.status == 200).then_some(())
            })
        });
    }
}

/// Eight clients count by compare-and-set meanwhile. There is one leader in each term, nothing that was acknowledged is
/// lost, and the counter is exact.
#[test]
fn acknowledged_writes_survive_and_preconditions_hold() {
    let agents = Agents::start(3, &["--agency.wait-for-sync=false"]);
    agents.set(&json!({"/count": 0, "/log": {}}));
    let load = Load {
        agents: RwLock::new(agents),
        stop: AtomicBool::new(false),
        counted: AtomicU64::new(0),
    };
    let mut random = Random(number("ARMADILLO_SEED", 1));
    let rounds = number("ARMADILLO_ROUNDS", 4);
    let (mut led, mut killed) = (0, 0);
    let acknowledged: BTreeSet<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let load = &load;
                    move || load.count(client)
                })
            })
            .collect();
        for index in 0..3 {
            let load = &load;
            scope.spawn(move || load.watch(index));
        }
        for _ in 0..rounds {
            let before = load.counted.load(Ordering::Relaxed);
            let (leader, _) = load.agents.read().unwrap().leader();
            let victim = random.below(3);
            led += u64::from(victim == leader);
            if random.below(2) == 0 {
                killed += 1;
                load.kill(victim);
            } else {
                load.pause(victim);
            }
            wait_for("progress", || {
                (load.counted.load(Ordering::Relaxed) > before).then_some(())
            });
        }
        load.stop.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    let agents = load.agents.into_inner().unwrap();
    let (_, term) = agents.leader();
    let log = agents.read("/log");
    let written: BTreeSet<String> = log.as_object().unwrap().keys().cloned().collect();
    assert_eq!(written, acknowledged);
    assert_eq!(agents.read("/count"), acknowledged.len() as u64);
    let numbers = log.as_object().unwrap().values();
    let mut numbers: Vec<u64> = numbers.filter_map(serde_json::Value::as_u64).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=acknowledged.len() as u64).collect::<Vec<_>>());
    println!(
        "{rounds} rounds, {killed} killed and the others paused, {led} of them the leader; {} writes acknowledged; term \
         {term}, leaders of {} terms seen",
        acknowledged.len(),
        agents.terms_seen()
    );
}
