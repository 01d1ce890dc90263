//! One round: what every planned server is, and what follows.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::Supervision;
use super::health::{Status, Watched};
use super::jobs::{self, Clock, Step, View};
use crate::agency::{Outcome, Unavailable, tree};
use crate::version::ENGINE;

/// The two kinds of servers that are watched.
const KINDS: [&str; 2] = ["DBServers", "Coordinators"];
/// So often a round lets jobs go on; what is left is for the next round.
const PASSES: usize = 20;

pub(super) fn find<'a>(root: &'a Value, path: &str) -> &'a Value {
    tree::at(root, &format!("/arango/{path}")).unwrap_or(&Value::Null)
}

impl Supervision {
    /// Looks at everything once.
    pub(super) async fn round(&self) -> Result<(), Unavailable> {
        let root = self.agent.look(|state| find_all(state.root()));
        // Nobody has set up the tree yet.
        let set_up = find(&root, "Supervision").as_object();
        if set_up.is_none_or(Map::is_empty) {
            return Ok(());
        }
        if !self.take_office(&root).await? {
            return Ok(());
        }
        let maintenance = is_maintained(find(&root, "Supervision/Maintenance"));
        self.say_mode(&root, maintenance).await?;
        self.carry_out(jobs::maintenance).await?;
        if maintenance {
            return Ok(());
        }
        let servers = planned(&root);
        if !self.may_begin(&root, &servers) {
            return Ok(());
        }
        for (kind, id) in servers {
            self.check(&root, kind, &id).await?;
        }
        self.work().await
    }

    /// Lets every job go on as far as it can now.
    async fn work(&self) -> Result<(), Unavailable> {
        for _ in 0..PASSES {
            let done = self.carry_out(|view, clock| {
                let mut steps = jobs::steps(view, clock);
                steps.extend(jobs::wanted(view, clock, self.settings.rules, || {
                    self.next_id()
                }));
                steps
            });
            if !done.await? {
                break;
            }
        }
        Ok(())
    }

    /// Carries out what follows from the tree; whether anything has changed.
    async fn carry_out(
        &self,
        look: impl FnOnce(View<'_>, Clock) -> Vec<Step>,
    ) -> Result<bool, Unavailable> {
        let steps = self
            .agent
            .look(|state| look(View::new(state.root()), Clock::now()));
        let mut done = false;
        for step in steps {
            let written = self.agent.write(&step.query()).await?;
            if written.outcome == Outcome::Done {
                done = true;
                self.log.info("", "supervision", step.what);
            }
        }
        Ok(done)
    }

    async fn say_mode(&self, root: &Value, maintenance: bool) -> Result<(), Unavailable> {
        let mode = if maintenance { "Maintenance" } else { "Normal" };
        if find(root, "Supervision/State")["Mode"] == mode {
            return Ok(());
        }
        let state = json!({ "Mode": mode, "Timestamp": crate::system::timestamp() });
        let query = json!([{ "/arango/Supervision/State": { "op": "set", "new": state } }]);
        self.agent.write(&query).await.map(drop)
    }

    fn heartbeat(&self, id: &str) -> Option<String> {
        let path = format!("Sync/ServerStates/{id}/time");
        self.agent
            .transient(|root| find(root, &path).as_str().map(String::from))
    }

    /// A new leader has heard nobody yet, and must not take that for silence. Those who had failed
    /// before need not be waited for.
    fn may_begin(&self, root: &Value, servers: &[(&'static str, String)]) -> bool {
        let mut memory = self.memory.borrow_mut();
        if memory.begun {
            return true;
        }
        let health = find(root, "Supervision/Health");
        let failed = |id: &str| health[id]["Status"] == Status::Failed.name();
        let all = servers
            .iter()
            .all(|(_, id)| failed(id) || self.heartbeat(id).is_some());
        if !all && memory.since.elapsed() < self.patience() {
            self.log
                .info("7928f", "supervision", "Postponing supervision for now");
            return false;
        }
        // Silence is counted from the beginning of the leadership.
        let since = memory.since;
        let watched = servers
            .iter()
            .map(|(_, id)| (id.clone(), Watched::since(since)));
        memory.servers = watched.collect();
        memory.begun = true;
        true
    }

    async fn check(&self, root: &Value, kind: &str, id: &str) -> Result<(), Unavailable> {
        let short = find(root, &format!("Target/MapUniqueToShortID/{id}/ShortName"));
        if short.is_null() {
            return Ok(());
        }
        let registered = find(root, &format!("Current/ServersRegistered/{id}"));
        if !registered["endpoint"].is_string() {
            return Ok(());
        }
        let path = format!("Supervision/Health/{id}");
        let old = find(root, &path);
        let before = old["Status"].as_str().and_then(Status::parse);
        let (status, heard_at) = {
            let mut memory = self.memory.borrow_mut();
            let watched = memory
                .servers
                .entry(String::from(id))
                .or_insert_with(|| Watched::since(Instant::now()));
            watched.listen(self.heartbeat(id).as_deref());
            let status = watched.judge(before, &self.settings);
            (status, watched.heard_at.clone())
        };
        let said = find_transient(self, id);
        let mut lasting = json!({
            "ShortName": short,
            "Endpoint": registered["endpoint"],
            "Host": registered["host"],
            "Status": status.name(),
            "Version": registered["versionString"],
            "Engine": ENGINE,
        });
        if let Some(advertised) = registered["advertisedEndpoint"].as_str() {
            lasting["AdvertisedEndpoint"] = json!(advertised);
        }
        // A server that has not been heard of has said nothing.
        if said.is_string() {
            lasting["SyncStatus"] = said;
        }
        let now = crate::system::timestamp();
        let mut entry = lasting.clone();
        entry["Timestamp"] = json!(now);
        entry["SyncTime"] = json!(heard_at);
        entry["LastAckedTime"] = json!(heard_at);
        let place = tree::split(&path);
        let place: Vec<&str> = [&["arango"], place.as_slice()].concat();
        self.agent
            .transient(|root| tree::put(root, &place, entry.clone()));
        let same = lasting
            .as_object()
            .into_iter()
            .flatten()
            .all(|(key, value)| old.get(key) == Some(value));
        if same {
            return Ok(());
        }
        if before != Some(status) {
            let text = format!("health of {id}: {}", status.name());
            self.log.info("", "supervision", text);
        }
        self.conclude(root, (kind, id), (before, status), entry)
            .await
    }

    /// Writes down how a server is, with what follows from it, unless it has changed meanwhile.
    async fn conclude(
        &self,
        root: &Value,
        (kind, id): (&str, &str),
        (before, status): (Option<Status>, Status),
        entry: Value,
    ) -> Result<(), Unavailable> {
        let health = format!("Supervision/Health/{id}");
        let mut step = Step::new("")
            .if_is(
                &format!("{health}/Status"),
                &json!(before.map(Status::name)),
            )
            .if_there(&format!("Plan/{kind}/{id}"))
            .set(&health, entry);
        let failed = format!("Target/FailedServers/{id}");
        let listed = !find(root, &failed).is_null();
        let fell = status == Status::Failed && before != Some(Status::Failed);
        if kind == "DBServers" {
            if fell && !listed && !View::new(root).is_maintained(id) {
                if let Some(job) = self.next_id() {
                    step = step.and(jobs::report(id, &job, self.settings.rules, Clock::now()));
                }
            } else if status == Status::Good && listed {
                step = step.delete(&failed);
            }
        } else if fell {
            step = step
                .increment(&format!("Current/ServersKnown/{id}/rebootId"))
                .increment("Plan/Version");
            if *find(root, "Current/Foxxmaster") == json!(id) {
                step = step
                    .set("Current/Foxxmaster", "")
                    .increment("Current/Version");
            }
        }
        // If it has changed meanwhile, the next round sees why.
        self.agent.write(&step.query()).await.map(drop)
    }
}

/// What a round looks at.
fn find_all(root: &Value) -> Value {
    let paths = [
        "Supervision",
        "Target",
        "Plan/DBServers",
        "Plan/Coordinators",
    ];
    let more = [
        "Current/ServersRegistered",
        "Current/Foxxmaster",
        "Sync/LatestID",
        "Emulator/Grace",
    ];
    let paths: Vec<String> = paths
        .iter()
        .chain(&more)
        .map(|path| format!("/arango/{path}"))
        .collect();
    tree::cut_out(root, paths.iter().map(String::as_str))
}

fn find_transient(supervision: &Supervision, id: &str) -> Value {
    let path = format!("Sync/ServerStates/{id}/status");
    let found = supervision
        .agent
        .transient(|root| find(root, &path).clone());
    if found.is_null() {
        json!("UNKNOWN")
    } else {
        found
    }
}

fn planned(root: &Value) -> Vec<(&'static str, String)> {
    KINDS
        .iter()
        .flat_map(|kind| {
            let servers = find(root, &format!("Plan/{kind}")).as_object();
            servers
                .into_iter()
                .flatten()
                .map(|(id, _)| (*kind, id.clone()))
        })
        .collect()
}

/// Maintenance lasts until a time, or, as older versions wrote it, until it is taken away.
fn is_maintained(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(until) if until.len() >= 18 => *until >= crate::system::timestamp(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintenance() {
        assert!(!is_maintained(&json!(null)));
        assert!(!is_maintained(&json!("2020-01-01T00:00:00Z")));
        assert!(is_maintained(&json!(crate::system::timestamp_in(60))));
        for legacy in [json!({}), json!("on"), json!(true)] {
            assert!(is_maintained(&legacy));
        }
    }
}
