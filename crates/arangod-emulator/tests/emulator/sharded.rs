//! Shards on dbservers, planned in the agency by the test itself.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agents::Fate;
use crate::clusters::{Cluster, spawn};
use crate::support::{Answer, Client, wait_for};

/// A collection of one shard on dbservers without a coordinator.
pub(crate) struct Sharded {
    pub(crate) cluster: Cluster,
    pub(crate) ids: Vec<String>,
}

/// The database and the collection in the tree.
const COLLECTION: &str = "Collections/_system/1000";
/// The shard.
const SHARD: &str = "s1001";

impl Sharded {
    /// A shard on the first of so many servers, which may be more than its copies.
    pub(crate) fn start(servers: usize, copies: usize, write_concern: usize) -> Self {
        Self::start_with(&[], servers, copies, write_concern)
    }

    /// The same with more arguments for the agents.
    pub(crate) fn start_with(
        agents: &[&str],
        servers: usize,
        copies: usize,
        write_concern: usize,
    ) -> Self {
        let cluster = Cluster::start_with(agents, &[], servers, 0);
        let ids: Vec<String> = (0..servers)
            .map(|index| Cluster::id(cluster.dbserver(index)))
            .collect();
        let sharded = Self { cluster, ids };
        sharded.plan_collection(&sharded.ids[..copies], write_concern);
        sharded.wait_until_in_sync();
        sharded
    }

    fn plan_collection(&self, servers: &[String], write_concern: usize) {
        // Without a replication factor, so that supervision does not count the copies.
        let entry = json!({
            "id": "1000", "name": "c", "type": 2, "status": 3, "writeConcern": write_concern,
            "numberOfShards": 1, "waitForSync": false,
            "shards": { SHARD: servers },
        });
        let operations = json!({
            format!("/arango/Plan/{COLLECTION}"): { "op": "set", "new": entry },
            "/arango/Plan/Version": { "op": "increment" },
        });
        wait_for("the plan", || {
            (self.write(&operations, &json!({})) == Fate::Done).then_some(())
        });
    }

    fn write(&self, operations: &Value, conditions: &Value) -> Fate {
        let name = format!("{:?}", std::time::Instant::now());
        self.cluster.agents.write(operations, conditions, &name)
    }

    /// Plans other servers for the shard in the place of these.
    pub(crate) fn replan(&self, old: &Value, new: &Value) {
        // The agency may have no leader for a moment.
        wait_for("another plan", || {
            let done = self.try_replan(old, new, json!({})) == Fate::Done;
            (done || self.planned() == *new).then_some(())
        });
    }

    /// The same, if more conditions hold.
    fn try_replan(&self, old: &Value, new: &Value, more: Value) -> Fate {
        let key = format!("/arango/Plan/{COLLECTION}/shards/{SHARD}");
        // Supervision plans as many followers as this says.
        let factor = format!("/arango/Plan/{COLLECTION}/replicationFactor");
        let operations = json!({
            key.clone(): { "op": "set", "new": new },
            factor: new.as_array().map_or(1, Vec::len),
            "/arango/Plan/Version": { "op": "increment" },
        });
        let mut conditions = json!({ key: { "old": old } });
        if let (Some(conditions), Value::Object(more)) = (conditions.as_object_mut(), more) {
            conditions.extend(more);
        }
        self.write(&operations, &conditions)
    }

    pub(crate) fn planned(&self) -> Value {
        self.cluster
            .agents
            .read(&format!("/arango/Plan/{COLLECTION}/shards/{SHARD}"))
    }

    pub(crate) fn current(&self) -> Value {
        self.cluster
            .agents
            .read(&format!("/arango/Current/{COLLECTION}/{SHARD}"))["servers"]
            .clone()
    }

    pub(crate) fn index(&self, id: &str) -> usize {
        self.ids.iter().position(|known| known == id).unwrap()
    }

    /// The index of the planned leader.
    pub(crate) fn leader(&self) -> usize {
        self.index(self.planned()[0].as_str().unwrap().trim_start_matches('_'))
    }

    /// Waits until the leader and all planned followers are in sync.
    pub(crate) fn wait_until_in_sync(&self) {
        wait_for("all copies in sync", || {
            let (planned, current) = (self.planned(), self.current());
            (planned[0] == current[0] && set(&planned) == set(&current)).then_some(())
        });
    }

    pub(crate) fn wait_for_current(&self, servers: &[usize]) {
        let wanted: Vec<&String> = servers.iter().map(|index| &self.ids[*index]).collect();
        let wanted = json!(wanted);
        wait_for("the servers in sync", || {
            let current = self.current();
            (current[0] == wanted[0] && set(&current) == set(&wanted)).then_some(())
        });
    }

    pub(crate) fn wait_for_status(&self, index: usize, status: &str) {
        let path = format!("/arango/Supervision/Health/{}/Status", self.ids[index]);
        wait_for(status, || {
            (self.cluster.agents.read(&path) == status).then_some(())
        });
    }

    pub(crate) fn client(&self, index: usize) -> Client {
        self.cluster.dbserver(index).client()
    }

    /// The path of a document, or of the shard.
    pub(crate) fn path(key: &str) -> String {
        let slash = if key.is_empty() { "" } else { "/" };
        format!("/_api/document/{SHARD}{slash}{key}?collectionName=c")
    }

    pub(crate) fn insert(&self, index: usize, key: &str, value: &Value) -> Answer {
        let path = format!("{}&overwriteMode=replace", Self::path(""));
        self.client(index)
            .post(&path, &json!({ "_key": key, "v": value }))
    }

    pub(crate) fn get(&self, index: usize, key: &str) -> Answer {
        self.client(index).get(&Self::path(key))
    }

    /// The answer of a server as soon as it leads.
    pub(crate) fn get_when_leading(&self, index: usize, key: &str) -> Answer {
        wait_for("an answer of the leader", || {
            let answer = self.client(index).try_get(&Self::path(key))?;
            (![421, 503].contains(&answer.status)).then_some(answer)
        })
    }

    /// Has whoever leads store a document, however often that changes.
    pub(crate) fn put(&self, key: &str, value: &Value) {
        let path = format!("{}&overwriteMode=replace", Self::path(""));
        let body = json!({ "_key": key, "v": value }).to_string();
        let running = || {
            self.cluster
                .dbservers
                .iter()
                .filter_map(|(_, server)| server.as_ref())
        };
        wait_for("a document to be stored", || {
            running().find_map(|server| {
                let answer = server.client().try_send("POST", &path, &body)?;
                (answer.status == 202).then_some(())
            })
        });
    }

    /// The document as whoever leads has it.
    pub(crate) fn look(&self, key: &str) -> Answer {
        let running = || {
            self.cluster
                .dbservers
                .iter()
                .filter_map(|(_, server)| server.as_ref())
        };
        wait_for("a document to be read", || {
            running().find_map(|server| {
                let answer = server.client().try_get(&Self::path(key))?;
                [200, 404].contains(&answer.status).then_some(answer)
            })
        })
    }

    pub(crate) fn count(&self, index: usize) -> u64 {
        let answer = wait_for("the count of the leader", || {
            let path = format!("/_api/collection/{SHARD}/count");
            let answer = self.client(index).try_get(&path)?;
            (answer.status == 200).then_some(answer)
        });
        answer.json()["count"].as_u64().unwrap()
    }

    pub(crate) fn kill(&mut self, index: usize) {
        self.cluster.dbservers[index].1.take().unwrap().kill();
    }

    pub(crate) fn boot(&mut self, index: usize) {
        let place = &self.cluster.dbservers[index].0;
        let mut server = spawn(&self.cluster.agents, place, "PRIMARY");
        server.wait_until_ready();
        self.cluster.dbservers[index].1 = Some(server);
    }

    pub(crate) fn signal(&self, index: usize, signal: Signal) {
        self.cluster.dbserver(index).signal(signal);
    }

    /// Waits until a server has failed, and gives what it leads to another, as supervision does.
    pub(crate) fn fail_over(&self, from: usize) -> usize {
        self.wait_for_status(from, "FAILED");
        wait_for("another leader", || {
            let old = self.planned();
            if old[0] != json!(self.ids[from]) {
                return Some(());
            }
            let current = self.current();
            let in_sync = current.as_array()?.iter().skip(1);
            let to = in_sync
                .filter_map(Value::as_str)
                .find(|id| self.status(id) == "GOOD")?;
            let mut new = vec![json!(to)];
            let planned = old.as_array()?.iter();
            new.extend(planned.filter(|id| **id != to).cloned());
            let more = json!({
                format!("/arango/Supervision/Health/{}/Status", self.ids[from]): { "old": "FAILED" },
                format!("/arango/Supervision/Health/{to}/Status"): { "old": "GOOD" },
                format!("/arango/Current/{COLLECTION}/{SHARD}/servers"): { "old": current },
            });
            (self.try_replan(&old, &json!(new), more) == Fate::Done).then_some(())
        });
        self.leader()
    }

    fn status(&self, id: &str) -> Value {
        self.cluster
            .agents
            .read(&format!("/arango/Supervision/Health/{id}/Status"))
    }

    /// Drops the collection and waits until the servers have.
    pub(crate) fn drop_collection(&self) {
        let operations = json!({
            format!("/arango/Plan/{COLLECTION}"): { "op": "delete" },
            "/arango/Plan/Version": { "op": "increment" },
        });
        wait_for("the plan", || {
            (self.write(&operations, &json!({})) == Fate::Done).then_some(())
        });
        wait_for("the end of the collection", || {
            let path = format!("/arango/Current/{COLLECTION}");
            self.cluster.agents.read(&path).is_null().then_some(())
        });
    }
}

fn set(servers: &Value) -> std::collections::BTreeSet<String> {
    let servers = servers.as_array().into_iter().flatten();
    servers
        .map(|server| String::from(server.as_str().unwrap_or("")))
        .collect()
}
