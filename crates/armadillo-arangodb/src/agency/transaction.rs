//! What is written: operations that take effect together, if their preconditions hold (`Node.cpp`, `Store.cpp`).

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::conflict::Conflict;

/// Operations that take effect together or not at all, each on a key of its own.
///
/// Slashes at the ends of a key, and doubled ones, mean nothing. The agency goes by the order of keys, not by the order in which
/// they were said: first what is done to `/a`, then what is done to `/a/b` (`Store.cpp`, `applies`). All preconditions are
/// looked at before.
///
/// What would be lost on the way (two operations on one key, or two preconditions of one kind) is a [`Conflict`], with which
/// nothing is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    operations: Map<String, Value>,
    preconditions: Map<String, Value>,
    client: Option<String>,
    /// The first one.
    conflict: Option<Conflict>,
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
    /// Its value is an array that does not have this in it, or there is nothing.
    Lacks(Value),
    /// Its value is an array that has none of these in it, or there is nothing.
    IntersectionEmpty(Vec<Value>),
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
            Self::IntersectionEmpty(values) => ("intersectionEmpty", values.clone().into()),
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
    ///
    /// The agency takes one of each kind for each key, and [`Precondition::Empty`] and [`Precondition::Present`] are one kind:
    /// another one of the same kind, if it is not equal, is a [`Conflict`].
    #[must_use]
    pub fn when(mut self, key: &str, precondition: Precondition) -> Self {
        let key = rooted(key);
        let (kind, value) = precondition.entry();
        let of_key = self
            .preconditions
            .entry(key.clone())
            .or_insert_with(|| Map::new().into());
        match of_key.get(kind).cloned() {
            None => of_key[kind] = value,
            Some(first) if first == value => {}
            Some(first) => self.refuse(Conflict::Preconditions {
                key,
                kind,
                first,
                second: value,
            }),
        }
        self
    }

    /// An id by which [`Agency::inquire`](super::Agency::inquire) finds the transaction again, when its answer was lost. Then
    /// [`Agency::write`](super::Agency::write) does not look for it.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client = Some(id.into());
        self
    }

    /// What it says twice, so that nothing of it can be sent.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        self.conflict.as_ref()
    }

    pub(super) fn check(&self) -> Result<(), Conflict> {
        self.conflict.clone().map_or(Ok(()), Err)
    }

    /// The id that the test gave it.
    pub(super) fn id(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// As the agency takes it: operations, then preconditions and an id where there are any; this id if it has none of its own.
    pub(super) fn body(&self, id: Option<&str>) -> Value {
        let id = self.id().or(id);
        let mut parts: Vec<Value> = vec![self.operations.clone().into()];
        if !self.preconditions.is_empty() || id.is_some() {
            parts.push(self.preconditions.clone().into());
        }
        parts.extend(id.map(Value::from));
        parts.into()
    }

    fn operation(mut self, key: &str, operation: Value) -> Self {
        let key = rooted(key);
        match self.operations.get(&key).cloned() {
            None => drop(self.operations.insert(key, operation)),
            Some(first) => self.refuse(Conflict::Operations {
                key,
                first,
                second: operation,
            }),
        }
        self
    }

    fn refuse(&mut self, conflict: Conflict) {
        self.conflict.get_or_insert(conflict);
    }
}

/// As the agency takes it; with a [`Conflict`] it cannot be said.
impl Serialize for Transaction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(serde::ser::Error::custom)?;
        self.body(None).serialize(serializer)
    }
}

/// A key in one spelling: it begins with a slash, and has one between its parts.
pub(super) fn rooted(key: &str) -> String {
    let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}
