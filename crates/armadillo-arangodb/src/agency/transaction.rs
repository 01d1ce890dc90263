//! What is written: operations that take effect together, if their preconditions hold (`Node.cpp`, `Store.cpp`).

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Operations that take effect together or not at all. A key has one operation; the last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    operations: Map<String, Value>,
    preconditions: Map<String, Value>,
    client: Option<String>,
}

/// What must hold of a key for a transaction to take effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Precondition {
    /// Its value is this one.
    Is(Value),
    /// Its value is another one.
    IsNot(Value),
    /// There is nothing.
    Empty,
    /// There is something.
    Present,
    /// Whether its value is an array.
    IsArray(bool),
    /// Its value is an array that has this in it.
    Contains(Value),
    /// Its value is an array that does not have this in it.
    Lacks(Value),
}

impl Precondition {
    fn entry(&self) -> (&'static str, Value) {
        match self {
            Self::Is(value) => ("old", value.clone()),
            Self::IsNot(value) => ("oldNot", value.clone()),
            Self::Empty => ("oldEmpty", true.into()),
            Self::Present => ("oldEmpty", false.into()),
            Self::IsArray(is) => ("isArray", (*is).into()),
            Self::Contains(value) => ("in", value.clone()),
            Self::Lacks(value) => ("notin", value.clone()),
        }
    }
}

impl Transaction {
    /// A transaction that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key; an object replaces everything below it.
    #[must_use]
    pub fn set(self, key: &str, value: impl Into<Value>) -> Self {
        self.operation(key, json!({"op": "set", "new": value.into()}))
    }

    /// Sets a key that goes away after some seconds.
    #[must_use]
    pub fn set_for(self, key: &str, value: impl Into<Value>, seconds: u64) -> Self {
        self.operation(
            key,
            json!({"op": "set", "new": value.into(), "ttl": seconds}),
        )
    }

    /// Deletes a key and everything below it.
    #[must_use]
    pub fn delete(self, key: &str) -> Self {
        self.operation(key, json!({"op": "delete"}))
    }

    /// Adds to a number; one that is missing is 0.
    #[must_use]
    pub fn increment(self, key: &str, step: i64) -> Self {
        self.operation(key, json!({"op": "increment", "step": step}))
    }

    /// Takes from a number; one that is missing is 0.
    #[must_use]
    pub fn decrement(self, key: &str, step: i64) -> Self {
        self.operation(key, json!({"op": "decrement", "step": step}))
    }

    /// Puts a value at the end of an array.
    #[must_use]
    pub fn push(self, key: &str, value: impl Into<Value>) -> Self {
        self.operation(key, json!({"op": "push", "new": value.into()}))
    }

    /// Takes the last value of an array away.
    #[must_use]
    pub fn pop(self, key: &str) -> Self {
        self.operation(key, json!({"op": "pop"}))
    }

    /// Puts a value at the beginning of an array.
    #[must_use]
    pub fn prepend(self, key: &str, value: impl Into<Value>) -> Self {
        self.operation(key, json!({"op": "prepend", "new": value.into()}))
    }

    /// Takes the first value of an array away.
    #[must_use]
    pub fn shift(self, key: &str) -> Self {
        self.operation(key, json!({"op": "shift"}))
    }

    /// Takes a value out of an array.
    #[must_use]
    pub fn erase(self, key: &str, value: impl Into<Value>) -> Self {
        self.operation(key, json!({"op": "erase", "val": value.into()}))
    }

    /// Replaces a value of an array.
    #[must_use]
    pub fn replace(self, key: &str, old: impl Into<Value>, new: impl Into<Value>) -> Self {
        let operation = json!({"op": "replace", "val": old.into(), "new": new.into()});
        self.operation(key, operation)
    }

    /// Adds a precondition; several of different kinds on one key must all hold.
    #[must_use]
    pub fn when(mut self, key: &str, precondition: Precondition) -> Self {
        let (name, value) = precondition.entry();
        let of_key = self
            .preconditions
            .entry(rooted(key))
            .or_insert_with(|| Map::new().into());
        if let Value::Object(of_key) = of_key {
            of_key.insert(name.to_owned(), value);
        }
        self
    }

    /// An id by which [`Agency::inquire`](super::Agency::inquire) finds the transaction again, when its answer was lost.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client = Some(id.into());
        self
    }

    fn operation(mut self, key: &str, operation: Value) -> Self {
        self.operations.insert(rooted(key), operation);
        self
    }
}

/// As the agency takes it: operations, then preconditions and the client's id where there are any.
impl Serialize for Transaction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts: Vec<Value> = vec![self.operations.clone().into()];
        if !self.preconditions.is_empty() || self.client.is_some() {
            parts.push(self.preconditions.clone().into());
        }
        parts.extend(self.client.clone().map(Value::String));
        parts.serialize(serializer)
    }
}

/// A key that begins with one slash.
pub(super) fn rooted(key: &str) -> String {
    format!("/{}", key.trim_start_matches('/'))
}
