//! One transaction of a job: what it does, and what must be so for that.

use serde_json::{Map, Value, json};

use super::view::{Place, View};

/// A transaction with paths below `/arango`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::supervision) struct Step {
    /// What happens, for people.
    pub(in crate::supervision) what: String,
    operations: Map<String, Value>,
    conditions: Map<String, Value>,
}

impl Step {
    /// A transaction that does nothing yet.
    pub(in crate::supervision) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    fn put(mut self, path: &str, operation: Value) -> Self {
        self.operations.insert(format!("/arango/{path}"), operation);
        self
    }

    fn suppose(mut self, path: &str, name: &str, value: Value) -> Self {
        let conditions = self.conditions.entry(format!("/arango/{path}"));
        let conditions = conditions.or_insert_with(|| json!({}));
        conditions[name] = value;
        self
    }

    /// Replaces what is at a path.
    pub(in crate::supervision) fn set(self, path: &str, value: impl Into<Value>) -> Self {
        self.put(path, json!({ "op": "set", "new": value.into() }))
    }

    /// Removes what is at a path.
    pub(in crate::supervision) fn delete(self, path: &str) -> Self {
        self.put(path, json!({ "op": "delete" }))
    }

    /// Adds one to what is at a path.
    pub(in crate::supervision) fn increment(self, path: &str) -> Self {
        self.put(path, json!({ "op": "increment" }))
    }

    /// Adds to a list.
    pub(in crate::supervision) fn push(self, path: &str, value: &str) -> Self {
        self.put(path, json!({ "op": "push", "new": value }))
    }

    /// Takes something out of a list.
    pub(in crate::supervision) fn erase(self, path: &str, value: &str) -> Self {
        self.put(path, json!({ "op": "erase", "val": value }))
    }

    /// Only if this is at the path.
    pub(in crate::supervision) fn if_is(self, path: &str, value: &Value) -> Self {
        if value.is_null() {
            return self.if_absent(path);
        }
        self.suppose(path, "old", value.clone())
    }

    /// Only if something is at the path.
    pub(in crate::supervision) fn if_there(self, path: &str) -> Self {
        self.suppose(path, "oldEmpty", json!(false))
    }

    /// Only if nothing is at the path.
    pub(in crate::supervision) fn if_absent(self, path: &str) -> Self {
        self.suppose(path, "oldEmpty", json!(true))
    }

    /// Only if a server is what it was.
    pub(in crate::supervision) fn if_status(self, server: &str, status: &str) -> Self {
        let path = format!("Supervision/Health/{server}/Status");
        self.if_is(&path, &json!(status))
    }

    /// Plans a shard, and those that are distributed like it, on other servers, only if they are planned
    /// as they were.
    pub(super) fn plan(self, view: View<'_>, place: &Place, new: &[String]) -> Self {
        let step = self.increment("Plan/Version");
        view.group(place).iter().fold(step, |step, each| {
            let plan = each.plan();
            step.if_is(&plan, view.at(&plan)).set(&plan, json!(new))
        })
    }

    /// Only if the servers that have a shard in sync are those that they were, also of those that are
    /// distributed like it.
    pub(super) fn if_in_sync_as(self, view: View<'_>, place: &Place) -> Self {
        view.group(place).iter().fold(self, |step, each| {
            let servers = each.servers();
            step.if_is(&servers, view.at(&servers))
        })
    }

    /// Adds everything another one does and supposes.
    pub(in crate::supervision) fn and(mut self, other: Self) -> Self {
        self.operations.extend(other.operations);
        self.conditions.extend(other.conditions);
        self
    }

    /// As the agency takes it.
    pub(in crate::supervision) fn query(&self) -> Value {
        json!([self.operations, self.conditions])
    }
}
