//! Agents as processes, and a client that finds their leader.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Place, Server, superuser_token, wait_for};

/// Agents that keep their leader although the machine stands still for a moment, for tests that talk to one of them.
pub(crate) const PATIENT: [&str; 2] = [
    "--agency.election-timeout-min=5",
    "--agency.election-timeout-max=6",
];

/// An agency.
pub(crate) struct Agents {
    pub(crate) places: Vec<Place>,
    pub(crate) servers: Vec<Option<Server>>,
    more: Vec<String>,
    /// Who led in which term, as far as anybody has said so.
    seen: Mutex<BTreeMap<u64, String>>,
}

/// What became of a write whose answer may be lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in the log, and its preconditions held.
    Done,
    /// It is not, and will not be; or they did not hold.
    Failed,
}

impl Agents {
    /// So many agents, each of which knows all addresses.
    pub(crate) fn start(size: usize, more: &[&str]) -> Self {
        let mut agents = Self::plan(size, more);
        for index in 0..size {
            agents.boot(index);
        }
        agents.leader();
        agents
    }

    /// So many agents that are not started yet.
    pub(crate) fn plan(size: usize, more: &[&str]) -> Self {
        Self {
            places: (0..size).map(|_| Place::new()).collect(),
            servers: (0..size).map(|_| None).collect(),
            more: more.iter().map(|arg| String::from(*arg)).collect(),
            seen: Mutex::default(),
        }
    }

    pub(crate) fn endpoint(&self, index: usize) -> String {
        format!("tcp://{}", self.places[index].port.address)
    }

    /// Starts an agent that knows where all are.
    pub(crate) fn boot(&mut self, index: usize) {
        self.servers[index] = Some(self.launch(index));
    }

    /// Starts an agent that knows where these are.
    pub(crate) fn boot_knowing(&mut self, index: usize, known: &[String]) {
        self.servers[index] = Some(self.launch_knowing(index, known));
    }

    /// Starts an agent on an empty directory, with this id.
    pub(crate) fn boot_anew(&mut self, index: usize, id: &str) {
        std::fs::remove_dir_all(self.places[index].data()).unwrap();
        let own_id = format!("--agency.disaster-recovery-id={id}");
        let known = self.endpoints();
        self.servers[index] = Some(self.launch_with(index, &known, &[own_id]));
    }

    fn endpoints(&self) -> Vec<String> {
        (0..self.places.len()).map(|at| self.endpoint(at)).collect()
    }

    /// The process of an agent that knows where all are.
    pub(crate) fn launch(&self, index: usize) -> Server {
        self.launch_knowing(index, &self.endpoints())
    }

    fn launch_knowing(&self, index: usize, known: &[String]) -> Server {
        self.launch_with(index, known, &[])
    }

    fn launch_with(&self, index: usize, known: &[String], own: &[String]) -> Server {
        let mut args = vec![
            String::from("--agency.activate=true"),
            format!("--agency.size={}", self.places.len()),
            format!("--agency.my-address={}", self.endpoint(index)),
            String::from("--agency.supervision=true"),
        ];
        args.extend(
            known
                .iter()
                .map(|endpoint| format!("--agency.endpoint={endpoint}")),
        );
        args.extend(self.more.iter().chain(own).cloned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut server = self.places[index].spawn(&args);
        server.wait_until_ready();
        server
    }

    pub(crate) fn kill(&mut self, index: usize) {
        if let Some(server) = self.servers[index].take() {
            server.kill();
        }
    }

    pub(crate) fn signal(&self, index: usize, signal: Signal) {
        self.servers[index].as_ref().unwrap().signal(signal);
    }

    pub(crate) fn client(&self, index: usize) -> Client {
        Client::new(self.places[index].port.address).bearer(&superuser_token())
    }

    fn config(&self, index: usize) -> Option<Value> {
        self.servers[index].as_ref()?;
        let answer = self.client(index).try_get("/_api/agency/config")?;
        let config = (answer.status == 200).then(|| answer.json())?;
        let (term, leader) = (config["term"].as_u64()?, config["leaderId"].as_str()?);
        if !leader.is_empty() {
            let mut seen = self.seen.lock().unwrap();
            let known = seen.entry(term).or_insert_with(|| String::from(leader));
            assert_eq!(known, leader, "two leaders in term {term}");
        }
        Some(config)
    }

    /// One look at an agent.
    pub(crate) fn look(&self, index: usize) {
        self.config(index);
    }

    /// In how many terms somebody was seen to lead.
    pub(crate) fn terms_seen(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Waits until all agents that run name one leader and exactly one knows how far the others
    /// are; its index and the term.
    pub(crate) fn leader(&self) -> (usize, u64) {
        wait_for("a leader of the agency", || {
            let running = (0..self.servers.len()).filter(|index| self.servers[*index].is_some());
            let configs: Option<Vec<_>> = running
                .map(|index| Some((index, self.config(index)?)))
                .collect();
            let configs = configs?;
            let name = configs.first()?.1["leaderId"].as_str()?;
            let agreed = configs.iter().all(|(_, config)| config["leaderId"] == name);
            let mut leading = configs
                .iter()
                .filter(|(_, config)| config.get("lastAcked").is_some());
            match (leading.next(), leading.next()) {
                (Some((index, config)), None) if agreed && !name.is_empty() => {
                    Some((*index, config["term"].as_u64()?))
                }
                _ => None,
            }
        })
    }

    /// The answer of whoever can give one, asked again and again until there is one.
    pub(crate) fn ask(&self, verb: &str, body: &Value) -> Answer {
        let path = format!("/_api/agency/{verb}");
        wait_for("an answer of the agency", || {
            (0..self.places.len()).find_map(|index| {
                let answer = self
                    .client(index)
                    .try_send("POST", &path, &body.to_string())?;
                (![307, 503].contains(&answer.status)).then_some(answer)
            })
        })
    }

    /// What is at a path.
    pub(crate) fn read(&self, path: &str) -> Value {
        let tree = self.ask("read", &json!([[path]])).json();
        tree[0].pointer(path).cloned().unwrap_or(Value::Null)
    }

    /// Writes what has no preconditions, as soon as there is a leader: an agency that is electing takes nothing.
    pub(crate) fn set(&self, operations: &Value) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        wait_for("a write", || {
            let client = format!("set-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
            (self.write(operations, &json!({}), &client) == Fate::Done).then_some(())
        });
    }

    /// Writes once, and finds out what became of it when no answer says so.
    pub(crate) fn write(&self, operations: &Value, conditions: &Value, client: &str) -> Fate {
        let body = json!([[operations, conditions, client]]).to_string();
        for index in 0..self.places.len() {
            let answer = self
                .client(index)
                .try_send("POST", "/_api/agency/write", &body);
            match answer.map(|answer| answer.status) {
                Some(200) => return Fate::Done,
                Some(412) => return Fate::Failed,
                // These have taken nothing.
                Some(307) => continue,
                Some(_) | None => {}
            }
            let known = self.ask("inquire", &json!([client]));
            if known.status == 200 && known.json()["results"][0] != 0 {
                return Fate::Done;
            }
        }
        Fate::Failed
    }
}
