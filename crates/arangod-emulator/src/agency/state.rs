//! What the log of the agency comes to: the tree, when keys expire, and who wrote what.
//!
//! Preconditions are evaluated here, in the order of the log, and so alike on every agent. Time is
//! the leader's and is part of each entry.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::operation::{Operation, Refusal, Transaction};
use super::tree;

/// So many changes are kept for those who poll; who is further behind gets the whole tree.
const CHANGES: usize = 2000;
/// So many clients' ids are remembered.
const CLIENTS: usize = 10_000;

/// The key by which a client asks for its transaction, and the index that it got; 0 if it failed.
type Client = (String, u64);

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It was carried out.
    Done,
    /// It was not; with the tree of the keys whose conditions did not hold.
    Failed(Value),
}

/// The state.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    root: Value,
    /// When keys expire, in milliseconds since 1970.
    expiry: BTreeMap<String, u64>,
    clients: VecDeque<Client>,
    results: HashMap<String, u64>,
    /// The greatest time an entry had.
    time: u64,
    /// The last entry that is in here.
    applied: u64,
    /// Transactions that changed something, with their indexes; all behind `complete`.
    changes: VecDeque<(u64, Value)>,
    complete: u64,
}

/// The state as a snapshot holds it.
#[derive(Serialize, Deserialize)]
struct Frozen {
    root: Value,
    expiry: BTreeMap<String, u64>,
    clients: VecDeque<Client>,
    time: u64,
}

impl State {
    /// The state before the first entry.
    pub(crate) fn new() -> Self {
        Self {
            root: json!({}),
            ..Self::default()
        }
    }

    /// The state of a snapshot.
    pub(crate) fn thaw(index: u64, data: Value) -> Result<Self, serde_json::Error> {
        let frozen: Frozen = serde_json::from_value(data)?;
        Ok(Self {
            results: frozen.clients.iter().cloned().collect(),
            root: frozen.root,
            expiry: frozen.expiry,
            clients: frozen.clients,
            time: frozen.time,
            applied: index,
            changes: VecDeque::new(),
            complete: index,
        })
    }

    /// The snapshot.
    pub(crate) fn freeze(&self) -> Value {
        json!({
            "root": self.root,
            "expiry": self.expiry,
            "clients": self.clients,
            "time": self.time,
        })
    }

    /// The tree.
    pub(crate) fn root(&self) -> &Value {
        &self.root
    }

    /// The last entry that is in here.
    pub(crate) fn applied(&self) -> u64 {
        self.applied
    }

    /// The first index from which on all changes are known.
    pub(crate) fn first_change(&self) -> u64 {
        self.complete + 1
    }

    /// The changes from an index on.
    pub(crate) fn changes_from(&self, index: u64) -> impl Iterator<Item = &(u64, Value)> {
        self.changes.iter().filter(move |(at, _)| *at >= index)
    }

    /// What became of a client's transaction: its index, or 0.
    pub(crate) fn result_of(&self, client: &str) -> Option<u64> {
        self.results.get(client).copied()
    }

    /// When the next key expires.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.expiry.values().min().copied()
    }

    /// Takes in the next entry.
    pub(crate) fn apply(&mut self, index: u64, payload: &Value) -> Outcome {
        self.applied = index;
        self.expire(index, payload["time"].as_u64().unwrap_or(0));
        let Some(query) = payload.get("query") else {
            return Outcome::Done;
        };
        let outcome = match Transaction::parse(query) {
            Ok(transaction) => self.carry_out(index, &transaction, &query[0]),
            Err(_) => Outcome::Failed(json!({})),
        };
        if let Some(client) = query[2].as_str().filter(|client| !client.is_empty()) {
            let result = if outcome == Outcome::Done { index } else { 0 };
            self.remember(client, result);
        }
        outcome
    }

    fn remember(&mut self, client: &str, result: u64) {
        self.results.insert(String::from(client), result);
        self.clients.retain(|(name, _)| name != client);
        self.clients.push_back((String::from(client), result));
        if self.clients.len() > CLIENTS
            && let Some((gone, _)) = self.clients.pop_front()
        {
            self.results.remove(&gone);
        }
    }

    fn record(&mut self, index: u64, operations: Value) {
        self.changes.push_back((index, operations));
        if self.changes.len() > CHANGES
            && let Some((gone, _)) = self.changes.pop_front()
        {
            self.complete = gone;
        }
    }

    /// Removes what has expired.
    fn expire(&mut self, index: u64, time: u64) {
        self.time = self.time.max(time);
        let now = self.time;
        let gone: Vec<String> = self
            .expiry
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(path, _)| path.clone())
            .collect();
        if gone.is_empty() {
            return;
        }
        let mut operations = serde_json::Map::new();
        for path in gone {
            let parts = tree::split(&path);
            tree::remove(&mut self.root, &parts);
            self.forget_expiry(&path);
            operations.insert(path, json!({ "op": "delete" }));
        }
        self.record(index, Value::Object(operations));
    }

    /// A key that is replaced does not expire any more, nor does what was below it.
    fn forget_expiry(&mut self, path: &str) {
        let below = format!("{}/", path.trim_end_matches('/'));
        self.expiry
            .retain(|known, _| known != path && !known.starts_with(&below));
    }

    fn carry_out(&mut self, index: u64, transaction: &Transaction, said: &Value) -> Outcome {
        let failing = transaction.failing(&self.root);
        if !failing.is_empty() {
            return Outcome::Failed(tree::cut_out(&self.root, failing));
        }
        for (key, operation) in &transaction.operations {
            let parts = tree::split(key);
            let path = tree::join(&parts);
            match operation {
                Operation::Set(_, ttl) => {
                    self.forget_expiry(&path);
                    if let Some(seconds) = ttl {
                        let span = (seconds.max(0.0) * 1000.0) as u64;
                        self.expiry.insert(path, self.time.saturating_add(span));
                    }
                }
                Operation::Delete => self.forget_expiry(&path),
                _ => {}
            }
            perform(&mut self.root, &parts, operation);
        }
        if !transaction.operations.is_empty() {
            self.record(index, said.clone());
        }
        Outcome::Done
    }
}

fn perform(root: &mut Value, parts: &[&str], operation: &Operation) {
    match operation.result(tree::get(root, parts)) {
        Some(value) => tree::put(root, parts, value),
        None => tree::remove(root, parts),
    }
}

/// Carries out operations on a copy of the tree, as those do who poll.
pub(crate) fn replay(root: &mut Value, operations: &Value) -> Result<(), Refusal> {
    for (key, value) in operations.as_object().into_iter().flatten() {
        perform(root, &tree::split(key), &Operation::parse(value)?);
    }
    Ok(())
}
