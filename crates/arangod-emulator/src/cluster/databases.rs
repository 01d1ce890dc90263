//! Databases on dbservers: what is planned is made, and confirmed in `Current`.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::{Cluster, PATIENCE};

impl Cluster {
    /// Confirms for ever.
    pub(super) async fn confirm_databases(self: Rc<Self>) {
        loop {
            let (operations, conditions) = self.until(Self::difference).await;
            if self
                .agency
                .write(operations, conditions, PATIENCE)
                .await
                .is_err()
            {
                sleep(Duration::from_millis(50)).await;
            }
            // The copy shows soon what was written; until then it would be written again.
            let seen = self.until(|cluster| cluster.difference().is_none().then_some(()));
            drop(tokio::time::timeout(Duration::from_millis(500), seen).await);
        }
    }

    /// One transaction that brings `Current` nearer to `Plan`; its condition is that the plan stays.
    fn difference(&self) -> Option<(Value, Value)> {
        let id = &self.id;
        let planned = self.look("Plan/Databases", |plan| plan.as_object().cloned())?;
        let current = self.look("Current/Databases", Value::clone);
        let (mut operations, mut conditions) = (Map::new(), Map::new());
        for (name, entry) in &planned {
            if current[name][id]["id"] != entry["id"] {
                operations.insert(
                    format!("/arango/Current/Databases/{name}/{id}"),
                    json!({
                        "id": entry["id"], "name": name,
                        "error": false, "errorNum": 0, "errorMessage": "",
                    }),
                );
                conditions.insert(
                    format!("/arango/Plan/Databases/{name}/id"),
                    json!({ "old": entry["id"] }),
                );
            }
        }
        for (name, servers) in current.as_object().into_iter().flatten() {
            if !planned.contains_key(name) && servers.get(id).is_some() {
                // The last one takes the database away.
                let last = servers
                    .as_object()
                    .is_some_and(|servers| servers.len() == 1);
                let path = match last {
                    true => format!("/arango/Current/Databases/{name}"),
                    false => format!("/arango/Current/Databases/{name}/{id}"),
                };
                operations.insert(path.clone(), json!({ "op": "delete" }));
                conditions.insert(
                    format!("/arango/Plan/Databases/{name}"),
                    json!({ "oldEmpty": true }),
                );
                if last {
                    conditions.insert(path, json!({ "old": servers }));
                }
            }
        }
        if operations.is_empty() {
            return None;
        }
        let increment = json!({ "op": "increment" });
        operations.insert(String::from("/arango/Current/Version"), increment);
        Some((Value::Object(operations), Value::Object(conditions)))
    }
}
