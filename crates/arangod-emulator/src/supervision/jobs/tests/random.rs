//! Whatever happens in whatever order, jobs promote nobody who lacks something, and come to rest.

use serde_json::{Value, json};

use super::{NOW, World};
use crate::raft::Random;
use crate::supervision::jobs::view::{Place, server_of};
use crate::supervision::jobs::{Clock, Step};

const SERVERS: [&str; 4] = ["A", "B", "C", "D"];
const SHARDS: [&str; 3] = ["s1", "s2", "s3"];

fn texts(list: Value) -> Vec<String> {
    serde_json::from_value(list).unwrap()
}

/// A world with chance, and steps that were computed some time ago.
struct Chaos {
    world: World,
    random: Random,
    old: Vec<Step>,
    asked: u64,
    promoted: u64,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        world.shard("s1", &["A", "B"], &["A", "B"]);
        world.shard("s2", &["B", "C"], &["B", "C"]);
        world.shard("s3", &["C", "D"], &["C", "D"]);
        world.distribute_alike();
        Self {
            world,
            random: Random::new(seed),
            old: Vec::new(),
            asked: 0,
            promoted: 0,
        }
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        let place = self.random.below(among.len() as u64);
        among[usize::try_from(place).unwrap()]
    }

    /// One thing that happens.
    fn turn(&mut self) {
        match self.random.below(20) {
            0 => self.change_health(),
            1 if self.asked < 8 => self.ask(),
            2 => {
                let factor = 1 + self.random.below(3);
                let path = "Plan/Collections/_system/7/replicationFactor";
                self.world.put(path, json!(factor));
            }
            3 => self.lose_a_follower(),
            4..8 => {
                let place = self.pick_one();
                self.world.serve_one(&place);
            }
            _ => self.work(),
        }
    }

    fn change_health(&mut self) {
        let server = self.pick(&SERVERS);
        let path = format!("Supervision/Health/{server}/Status");
        let next = match self.world.at(&path).as_str() {
            Some("GOOD") if self.random.below(4) == 0 => "BAD",
            Some("FAILED") => "GOOD",
            _ => "FAILED",
        };
        self.world.health(server, next);
        if next == "GOOD" {
            let path = format!("Current/ServersKnown/{server}/rebootId");
            let reboot = self.world.at(&path).as_u64().unwrap();
            self.world.put(&path, json!(reboot + 1));
        }
    }

    fn ask(&mut self) {
        self.asked += 1;
        let id = self.asked.to_string();
        let kind = self.pick(&[
            "moveShard",
            "moveShard",
            "cleanOutServer",
            "resignLeadership",
        ]);
        let shard = self.pick(&SHARDS);
        let plan = self.world.plan(shard);
        let from = self.random.below(plan.len() as u64);
        let from = plan[usize::try_from(from).unwrap()].clone();
        let entry = json!({
            "type": kind, "server": self.pick(&SERVERS), "database": "_system", "collection": "7",
            "shard": shard, "fromServer": server_of(&from), "toServer": self.pick(&SERVERS),
            "isLeader": from == plan[0], "remainsFollower": self.random.below(2) == 0,
            "tryUndo": self.random.below(2) == 0, "undoMoves": self.random.below(2) == 0,
        });
        self.world.ask(&id, entry);
    }

    /// A shard, or one that is distributed like it.
    fn pick_one(&mut self) -> Place {
        let shard = self.pick(&SHARDS);
        let group = self.world.group(shard);
        assert_eq!(group.len(), 2);
        let place = self.random.below(group.len() as u64);
        group[usize::try_from(place).unwrap()].clone()
    }

    /// A leader takes a follower that does not answer out of `Current`.
    fn lose_a_follower(&mut self) {
        let place = self.pick_one();
        let mut current = texts(self.world.at(&place.servers()));
        let plan = texts(self.world.at(&place.plan()));
        if current.len() > 1 && current[0] == plan[0] {
            current.pop();
            self.world.put(&place.servers(), json!(current));
        }
    }

    /// Supervision does something: what follows now, or what another leader of the agency thought
    /// some time ago.
    fn work(&mut self) {
        let mut steps = self.world.steps();
        steps.extend(self.world.wanted());
        if self.random.below(4) == 0 {
            std::mem::swap(&mut steps, &mut self.old);
        } else {
            self.old.extend(steps.iter().cloned());
            let many = self.old.len().saturating_sub(20);
            self.old.drain(..many);
        }
        if steps.is_empty() {
            return;
        }
        let place = self.random.below(steps.len() as u64);
        let step = &steps[usize::try_from(place).unwrap()];
        let before: Vec<Vec<String>> = SHARDS.iter().map(|shard| self.world.plan(shard)).collect();
        if self.world.carry_out(step) {
            for (shard, before) in SHARDS.iter().zip(before) {
                self.check(shard, &before, step);
            }
        }
    }

    /// Whoever leads from now on has everything.
    fn check(&mut self, shard: &str, before: &[String], step: &Step) {
        let now = self.world.plan(shard);
        for place in self.world.group(shard) {
            assert_eq!(texts(self.world.at(&place.plan())), now, "{}", step.what);
        }
        let mut names: Vec<&str> = now.iter().map(|entry| server_of(entry)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), now.len(), "{}: {now:?}", step.what);
        if server_of(&before[0]) == server_of(&now[0]) {
            return;
        }
        self.promoted += 1;
        for place in self.world.group(shard) {
            let current = texts(self.world.at(&place.servers()));
            assert!(
                current.contains(&now[0]),
                "{}: {now:?}, {current:?}",
                step.what
            );
        }
    }

    /// Everybody is well again, and nobody asks for anything.
    fn rest(&mut self) {
        for server in SERVERS {
            self.world.health(server, "GOOD");
        }
        self.world.put("Target/CleanedServers", json!([]));
        let factor = "Plan/Collections/_system/7/replicationFactor";
        self.world.put(factor, json!(2));
        self.world.play(&SHARDS);
        // Those that were cleaned out in the end may take something again.
        self.world.put("Target/CleanedServers", json!([]));
        self.world.play(&SHARDS);
        self.world.rests();
        // Nobody is given back anything any more.
        self.world.clock = Clock::at(NOW + 3600);
        self.world.play(&SHARDS);
        let undone = self.world.at("Target/ReturnLeadership");
        assert!(
            undone.as_object().is_none_or(serde_json::Map::is_empty),
            "{undone}"
        );
        assert_eq!(self.world.at("Target/ToBeCleanedServers"), self.nobody());
        for shard in SHARDS {
            let plan = self.world.plan(shard);
            assert_eq!(plan.len(), 2, "{plan:?}");
            for place in self.world.group(shard) {
                assert_eq!(self.world.at(&place.servers()), json!(plan));
            }
        }
    }

    fn nobody(&self) -> Value {
        match self.world.at("Target/ToBeCleanedServers") {
            Value::Null => Value::Null,
            _ => json!([]),
        }
    }
}

#[test]
fn whatever_happens_nobody_leads_who_lacks_something() {
    let mut promoted = 0;
    for seed in 1..=60 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..400 {
            chaos.turn();
        }
        chaos.rest();
        promoted += chaos.promoted;
    }
    // Otherwise it has shown nothing.
    assert!(promoted > 30, "{promoted}");
}
