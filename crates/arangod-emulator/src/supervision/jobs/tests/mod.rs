//! Jobs on trees made by hand, without an agency.

mod failures;
mod moves;
mod random;

use serde_json::{Value, json};

use super::job::Clock;
use super::view::{Place, server_of};
use super::{Rules, Step, View, report, steps, wanted};
use crate::agency::{Transaction, replay, tree};

/// The time of every tree.
pub(super) const NOW: u64 = 1_700_000_000;

/// A tree with the servers A to D, all GOOD, and no shard.
pub(super) struct World {
    pub(super) root: Value,
    pub(super) clock: Clock,
    pub(super) rules: Rules,
    /// The id of the next job that nobody has asked for.
    next: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            root: json!({}),
            clock: Clock::at(NOW),
            rules: Rules {
                failed_leader_adds_follower: true,
            },
            next: 1000,
        };
        for server in ["A", "B", "C", "D"] {
            world.put(&format!("Plan/DBServers/{server}"), json!("none"));
            world.put(&format!("Current/ServersKnown/{server}/rebootId"), json!(1));
            world.health(server, "GOOD");
        }
        world
    }

    pub(super) fn put(&mut self, path: &str, value: Value) {
        let path = format!("/arango/{path}");
        tree::put(&mut self.root, &tree::split(&path), value);
    }

    pub(super) fn at(&self, path: &str) -> Value {
        View::new(&self.root).at(path).clone()
    }

    pub(super) fn health(&mut self, server: &str, status: &str) {
        let path = format!("Supervision/Health/{server}/Status");
        self.put(&path, json!(status));
        if status == "GOOD" {
            let path = format!("/arango/Target/FailedServers/{server}");
            tree::remove(&mut self.root, &tree::split(&path));
        }
    }

    /// The servers on which a shard is planned, and those that have it in sync.
    pub(super) fn shard(&mut self, shard: &str, planned: &[&str], in_sync: &[&str]) {
        let collection = "Plan/Collections/_system/7";
        let factor = format!("{collection}/replicationFactor");
        if self.at(&factor).is_null() {
            self.put(&factor, json!(planned.len()));
        }
        self.put(&format!("{collection}/shards/{shard}"), json!(planned));
        self.current(shard, in_sync);
    }

    pub(super) fn current(&mut self, shard: &str, in_sync: &[&str]) {
        let path = format!("Current/Collections/_system/7/{shard}/servers");
        self.put(&path, json!(in_sync));
    }

    pub(super) fn plan(&self, shard: &str) -> Vec<String> {
        let plan = self.at(&format!("Plan/Collections/_system/7/shards/{shard}"));
        serde_json::from_value(plan).unwrap()
    }

    /// Carries out a step; whether its preconditions held.
    pub(super) fn carry_out(&mut self, step: &Step) -> bool {
        let query = step.query();
        let transaction = Transaction::parse(&query).unwrap();
        if !transaction.failing(&self.root).is_empty() {
            return false;
        }
        replay(&mut self.root, &query[0]).unwrap();
        true
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        steps(View::new(&self.root), self.clock)
    }

    fn wanted(&mut self) -> Vec<Step> {
        let next = &mut self.next;
        let (clock, rules) = (self.clock, self.rules);
        wanted(View::new(&self.root), clock, rules, || {
            *next += 1;
            Some(next.to_string())
        })
    }

    /// Lets all jobs go on as far as they can.
    pub(super) fn settle(&mut self) {
        for _ in 0..100 {
            let mut steps = self.steps();
            steps.extend(self.wanted());
            let done = steps.iter().filter(|step| self.carry_out(step)).count();
            if done == 0 {
                return;
            }
        }
        panic!("jobs do not come to rest: {:#}", self.at("Target"));
    }

    /// A second collection that is distributed like the first one, with the shards that there are.
    pub(super) fn distribute_alike(&mut self) {
        let shards = self.at("Plan/Collections/_system/7/shards");
        let mut plan = json!({ "distributeShardsLike": "7" });
        for (number, (shard, servers)) in shards.as_object().unwrap().iter().enumerate() {
            let alike = format!("s10{number}");
            plan["shards"][&alike] = servers.clone();
            let in_sync = self.at(&format!("Current/Collections/_system/7/{shard}/servers"));
            self.put(
                &format!("Current/Collections/_system/8/{alike}/servers"),
                in_sync,
            );
        }
        self.put("Plan/Collections/_system/8", plan);
    }

    /// A shard and those that are distributed like it.
    pub(super) fn group(&self, shard: &str) -> Vec<Place> {
        let place = Place {
            database: String::from("_system"),
            collection: String::from("7"),
            shard: String::from(shard),
        };
        View::new(&self.root).group(&place)
    }

    /// Does what dbservers that are GOOD would do about a shard, and those that are distributed like it.
    pub(super) fn serve(&mut self, shard: &str) {
        for place in self.group(shard) {
            self.serve_one(&place);
        }
    }

    /// The same about one shard.
    pub(super) fn serve_one(&mut self, place: &Place) {
        let texts = |value: Value| -> Vec<String> { serde_json::from_value(value).unwrap() };
        let (current, plan) = (
            texts(self.at(&place.servers())),
            texts(self.at(&place.plan())),
        );
        let name = |entry: &String| String::from(server_of(entry));
        let known: Vec<String> = current.iter().map(name).collect();
        let good =
            |server: &String| self.at(&format!("Supervision/Health/{server}/Status")) == "GOOD";
        let leader = name(&plan[0]);
        if !known.contains(&leader) || !good(&leader) {
            return;
        }
        let mut now = vec![plan[0].clone()];
        let leads = plan[0] == leader;
        // Who resigns teaches nobody any more.
        let followers = plan.iter().skip(1);
        now.extend(
            followers
                .filter(|each| known.contains(each) || leads && good(each))
                .cloned(),
        );
        self.put(&place.servers(), json!(now));
    }

    /// Lets jobs and dbservers go on in turns.
    pub(super) fn play(&mut self, shards: &[&str]) {
        for _ in 0..100 {
            let before = self.root.clone();
            self.settle();
            for shard in shards {
                self.serve(shard);
            }
            if self.root == before {
                return;
            }
        }
        panic!("no rest: {:#}", self.root);
    }

    pub(super) fn fail(&mut self, server: &str, job: &str) {
        self.health(server, "FAILED");
        let step = report(server, job, self.rules, self.clock);
        assert!(self.carry_out(&step));
    }

    /// Where a job is.
    pub(super) fn stage(&self, job: &str) -> &'static str {
        let stages = ["ToDo", "Pending", "Finished", "Failed"];
        let mut there = stages
            .into_iter()
            .filter(|stage| !self.at(&format!("Target/{stage}/{job}")).is_null());
        let stage = there.next().unwrap_or("nowhere");
        assert_eq!(there.next(), None, "{job} is in two stages");
        stage
    }

    pub(super) fn locks(&self) -> Vec<String> {
        let view = View::new(&self.root);
        ["Supervision/Shards", "Supervision/DBServers"]
            .iter()
            .flat_map(|kind| view.names(kind))
            .map(String::from)
            .collect()
    }
}
