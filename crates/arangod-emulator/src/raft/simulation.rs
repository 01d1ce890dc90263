//! Groups of members whose messages are lost, late and out of order, and who crash, stand still
//! and are cut off: whatever happens, a term has one leader, what was committed stays, and a read
//! that was confirmed sees what was acknowledged before it was asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Entry, Kept, Raft, Random, Reply, Request, Storage, Timing};

const TIMING: Timing = Timing {
    least: Duration::from_millis(150),
    most: Duration::from_millis(300),
    heartbeat: Duration::from_millis(30),
    batch: 7,
};

/// A disk that outlives its member.
#[derive(Debug, Clone, Default)]
struct Disk(Rc<RefCell<Kept>>);

impl Storage for Disk {
    fn save_vote(&mut self, term: u64, vote: Option<&str>) -> std::io::Result<()> {
        let mut kept = self.0.borrow_mut();
        assert!(term >= kept.term);
        kept.term = term;
        kept.vote = vote.map(String::from);
        Ok(())
    }

    fn append(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        let mut kept = self.0.borrow_mut();
        let keep = usize::try_from(entries[0].index - kept.base.0 - 1).unwrap();
        assert!(keep <= kept.entries.len(), "a hole in the log");
        kept.entries.truncate(keep);
        kept.entries.extend_from_slice(entries);
        Ok(())
    }

    fn replace(&mut self, kept: &Kept) -> std::io::Result<()> {
        *self.0.borrow_mut() = kept.clone();
        Ok(())
    }
}

enum Letter {
    Ask(Request),
    Answer(Reply, Duration),
}

struct Node {
    disk: Disk,
    raft: Option<Raft<Disk>>,
    /// Stands still until then.
    paused: Duration,
    /// When it did something last.
    alive: Duration,
    /// The sum of all applied numbers, which is also the state in snapshots, and how far.
    applied: u64,
    sum: u64,
    sent: HashMap<String, Duration>,
}

struct World {
    now: Duration,
    random: Random,
    nodes: BTreeMap<String, Node>,
    post: Vec<(Duration, String, String, Letter)>,
    cut: Option<(String, Duration)>,
    leaders: HashMap<u64, String>,
    /// What every index says, once anybody has applied it.
    truth: BTreeMap<u64, (u64, Value)>,
    waiting: Vec<(String, u64, u64)>,
    acknowledged: u64,
    reads: Vec<(String, u64, u64, u64, u64)>,
    answered: u64,
}

impl World {
    fn new(seed: u64, size: usize) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            random: Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            nodes: BTreeMap::new(),
            post: Vec::new(),
            cut: None,
            leaders: HashMap::new(),
            truth: BTreeMap::new(),
            waiting: Vec::new(),
            acknowledged: 0,
            reads: Vec::new(),
            answered: 0,
        };
        for number in 0..size {
            let node = Node {
                disk: Disk::default(),
                raft: None,
                paused: Duration::ZERO,
                alive: Duration::ZERO,
                applied: 0,
                sum: 0,
                sent: HashMap::new(),
            };
            world.nodes.insert(format!("n{number}"), node);
        }
        for name in world.names() {
            world.boot(&name);
        }
        world
    }

    fn names(&self) -> Vec<String> {
        self.nodes.keys().cloned().collect()
    }

    fn boot(&mut self, name: &str) {
        let members = self.names();
        let seed = Random::new(self.random.next());
        let node = self.nodes.get_mut(name).unwrap();
        let kept = node.disk.0.borrow().clone();
        (node.applied, node.sum) = (
            kept.snapshot.index,
            kept.snapshot.data.as_u64().unwrap_or(0),
        );
        let mut raft = Raft::new(name, kept, node.disk.clone(), TIMING, seed);
        raft.join(members, self.now);
        node.raft = Some(raft);
    }

    fn awake(&self, name: &str) -> bool {
        let node = &self.nodes[name];
        node.raft.is_some() && node.paused <= self.now
    }

    fn connected(&self, a: &str, b: &str) -> bool {
        let cut =
            |(name, until): &(String, Duration)| *until > self.now && (a == name) != (b == name);
        !self.cut.as_ref().is_some_and(cut)
    }

    fn trouble(&mut self) {
        let names = self.names();
        let victim = names[self.random.below(names.len() as u64) as usize].clone();
        let until = self.now + Duration::from_millis(50 + self.random.below(900));
        match self.random.below(400) {
            0 => self.nodes.get_mut(&victim).unwrap().raft = None,
            1 => self.nodes.get_mut(&victim).unwrap().paused = until,
            2 => self.cut = Some((victim, until)),
            3..10 if self.nodes[&victim].raft.is_none() => self.boot(&victim),
            _ => {}
        }
    }

    fn deliver(&mut self) {
        let mut index = 0;
        while index < self.post.len() {
            let (at, _, to, _) = &self.post[index];
            // A member that stands still finds its letters later.
            if *at > self.now || self.nodes[to].paused > self.now {
                index += 1;
                continue;
            }
            let (_, from, to, letter) = self.post.swap_remove(index);
            if !self.awake(&to) || !self.connected(&from, &to) || self.random.below(20) == 0 {
                continue;
            }
            let (now, late) = (self.now, self.now + self.delay());
            let raft = self.nodes.get_mut(&to).unwrap().raft.as_mut().unwrap();
            match letter {
                Letter::Ask(request) => {
                    let reply = raft.handle(request, now).unwrap();
                    self.post.push((late, to, from, Letter::Answer(reply, now)));
                }
                Letter::Answer(reply, sent) => raft.receive(&from, reply, sent, now).unwrap(),
            }
        }
    }

    fn delay(&mut self) -> Duration {
        let spread = if self.random.below(30) == 0 { 400 } else { 8 };
        Duration::from_millis(1 + self.random.below(spread))
    }

    fn send(&mut self, name: &str) {
        for peer in self.names().iter().filter(|peer| *peer != name) {
            let late = self.now + self.delay();
            let node = self.nodes.get_mut(name).unwrap();
            let raft = node.raft.as_ref().unwrap();
            let last = node.sent.get(peer).copied().unwrap_or_default();
            let due = raft.owes(peer) && last + Duration::from_millis(5) <= self.now;
            if due || last + TIMING.heartbeat <= self.now {
                node.sent.insert(peer.clone(), self.now);
                if let Some(request) = raft.request_for(peer) {
                    let letter = Letter::Ask(request);
                    self.post
                        .push((late, String::from(name), peer.clone(), letter));
                }
            }
        }
    }

    fn client(&mut self, name: &str) {
        let asked = self.random.below(60);
        let raft = self.nodes.get_mut(name).unwrap().raft.as_mut().unwrap();
        if raft.ledger().is_none() {
            return;
        }
        if asked < 6 {
            let (index, term) = raft.propose(json!(asked)).unwrap().unwrap();
            self.waiting.push((String::from(name), index, term));
        } else if asked < 9 {
            let (round, index) = raft.ask_confirmation().unwrap();
            let read = (
                String::from(name),
                raft.term(),
                round,
                index,
                self.acknowledged,
            );
            self.reads.push(read);
        }
    }

    fn apply(&mut self, name: &str) {
        let node = self.nodes.get_mut(name).unwrap();
        let raft = node.raft.as_mut().unwrap();
        if raft.snapshot().index > node.applied {
            let snapshot = raft.snapshot();
            (node.applied, node.sum) = (snapshot.index, snapshot.data.as_u64().unwrap());
        }
        while node.applied < raft.commit() {
            let entry = raft.entry(node.applied + 1).unwrap().clone();
            node.applied += 1;
            node.sum += entry.payload.as_u64().unwrap_or(0);
            let said = (entry.term, entry.payload);
            let known = self
                .truth
                .entry(entry.index)
                .or_insert_with(|| said.clone());
            assert_eq!(*known, said, "index {} differs", entry.index);
        }
        if node.applied >= raft.snapshot().index + 20 {
            let sum: u64 = self
                .truth
                .range(..=node.applied)
                .filter_map(|(_, said)| said.1.as_u64())
                .sum();
            assert_eq!(node.sum, sum);
            raft.compact(node.applied, json!(node.sum), 5).unwrap();
        }
        if raft.ledger().is_some() {
            let known = self
                .leaders
                .entry(raft.term())
                .or_insert_with(|| String::from(name));
            assert_eq!(known, name, "two leaders in term {}", raft.term());
        }
        let applied = node.applied;
        let (term, leads) = (raft.term(), raft.ledger().is_some());
        let acknowledged = &mut self.acknowledged;
        let truth = &self.truth;
        self.waiting.retain(|(at, index, made)| {
            if at != name || applied < *index {
                return true;
            }
            if truth.get(index).is_some_and(|said| said.0 == *made) {
                *acknowledged = (*acknowledged).max(*index);
            }
            false
        });
        let answered = &mut self.answered;
        self.reads.retain(|(at, asked, round, index, before)| {
            if at != name {
                return true;
            }
            if !leads || term != *asked {
                return false;
            }
            if raft.confirmed(*round) && applied >= *index {
                assert!(applied >= *before, "a stale read");
                *answered += 1;
                return false;
            }
            true
        });
    }

    fn step(&mut self, calm: bool) {
        self.now += Duration::from_millis(1);
        if !calm {
            self.trouble();
        }
        self.deliver();
        for name in self.names() {
            if !self.awake(&name) {
                continue;
            }
            let node = self.nodes.get_mut(&name).unwrap();
            let lost = self.now - node.alive;
            node.alive = self.now;
            let raft = node.raft.as_mut().unwrap();
            if lost > TIMING.heartbeat {
                raft.excuse(lost);
            }
            raft.tick(self.now).unwrap();
            self.client(&name);
            self.send(&name);
            self.apply(&name);
        }
    }
}

#[test]
fn whatever_happens() {
    let rounds: u64 = std::env::var("ARMADILLO_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    let mut leaders = 0;
    for seed in 1..=rounds {
        let mut world = World::new(seed, if seed % 3 == 0 { 5 } else { 3 });
        for _ in 0..6_000 {
            world.step(false);
        }
        // Then all is well again, and must become so.
        world.cut = None;
        for name in world.names() {
            world.nodes.get_mut(&name).unwrap().paused = Duration::ZERO;
            if world.nodes[&name].raft.is_none() {
                world.boot(&name);
            }
        }
        let (before, answered) = (world.acknowledged, world.answered);
        for _ in 0..3_000 {
            world.step(true);
        }
        assert!(
            world.acknowledged > before && world.answered > answered,
            "seed {seed}: stuck"
        );
        let lowest = world.nodes.values().map(|node| node.applied).min().unwrap();
        assert!(lowest >= before, "seed {seed}: {lowest} of {before}");
        leaders += world.leaders.len() as u64;
    }
    assert!(leaders > 3 * rounds, "nothing ever happened");
}

/// All stand still again and again, longer than a leader may be silent: a machine with much to do. Nobody is to blame.
#[test]
fn a_slow_machine_keeps_its_leader() {
    let mut world = World::new(3, 3);
    for _ in 0..1_000 {
        world.step(true);
    }
    let terms = world.leaders.len();
    for _ in 0..20 {
        let until = world.now + TIMING.most + TIMING.heartbeat;
        for name in world.names() {
            world.nodes.get_mut(&name).unwrap().paused = until;
        }
        for _ in 0..500 {
            world.step(true);
        }
    }
    assert_eq!(world.leaders.len(), terms);
}

#[test]
fn a_member_that_was_away_disturbs_nobody() {
    let mut world = World::new(7, 3);
    for _ in 0..1_000 {
        world.step(true);
    }
    let leader = |world: &World| {
        let leads =
            |(name, node): (&String, &Node)| node.raft.as_ref()?.ledger().map(|_| name.clone());
        world.nodes.iter().find_map(leads).unwrap()
    };
    let (first, terms) = (leader(&world), world.leaders.len());
    let away = world
        .names()
        .into_iter()
        .find(|name| *name != first)
        .unwrap();
    world.nodes.get_mut(&away).unwrap().paused = world.now + Duration::from_secs(2);
    for _ in 0..4_000 {
        world.step(true);
    }
    assert_eq!((leader(&world), world.leaders.len()), (first, terms));
}

/// The leader still thinks that it has what it acknowledged before; entry by entry or as a snapshot, it gets everything again.
#[test]
fn a_member_that_has_lost_its_disk_catches_up() {
    for seed in 1..=20 {
        let mut world = World::new(seed, 3);
        // Few entries, and so many that the first ones are only in a snapshot.
        for _ in 0..(if seed % 2 == 0 { 300 } else { 2_000 }) {
            world.step(true);
        }
        let follows = |(name, node): (&String, &Node)| {
            let raft = node.raft.as_ref()?;
            raft.ledger().is_none().then(|| name.clone())
        };
        let lost = world.nodes.iter().find_map(follows).unwrap();
        world.nodes.get_mut(&lost).unwrap().raft = None;
        // Until the others have all that was acknowledged with its help.
        for _ in 0..500 {
            world.step(true);
        }
        let (before, terms) = (world.acknowledged, world.leaders.len());
        let node = world.nodes.get_mut(&lost).unwrap();
        *node.disk.0.borrow_mut() = Kept::default();
        world.boot(&lost);
        for _ in 0..500 {
            world.step(true);
        }
        let applied = world.nodes[&lost].applied;
        assert!(applied >= before, "seed {seed}: {applied} of {before}");
        assert_eq!(world.leaders.len(), terms, "seed {seed}");
    }
}
