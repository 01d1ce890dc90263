//! Dropping a collection.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::Planned;
use crate::cluster::{Cluster, Decided, PATIENCE};
use crate::errors::ApiError;
use crate::server::Server;

/// So long dbservers may take to drop all shards.
const CONFIRMATION: Duration = Duration::from_secs(30);

/// Takes a collection out of the plan, and returns when the dbservers that have not failed have
/// dropped it.
pub(crate) async fn remove(
    server: &Server,
    cluster: &Cluster,
    collection: &Planned,
) -> Result<(), ApiError> {
    let path = collection.path();
    let planned = format!("/arango/Plan/{path}");
    let operations = json!({
        &planned: { "op": "delete" },
        "/arango/Plan/Version": { "op": "increment" },
    });
    let conditions = json!({ format!("{planned}/id"): { "old": collection.id } });
    let decided = cluster
        .agency
        .write(operations, conditions, PATIENCE)
        .await?;
    cluster.refresh(server).await?;
    if decided == Decided::Not {
        return Err(ApiError::collection_not_found(collection.name()));
    }
    let gone = cluster.until(|cluster| cluster.is_dropped(&path).then_some(()));
    if timeout(CONFIRMATION, gone).await.is_err() {
        let text = "timeout in cluster operation: dropped, but not by all dbservers yet";
        return Err(ApiError::new(500, ApiError::CLUSTER_TIMEOUT, text));
    }
    cluster.sweep(&path).await;
    Ok(())
}

/// Whether there is nothing but places where something was.
fn is_hollow(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|inner| inner.values().all(is_hollow))
}

impl Cluster {
    /// Takes away what is left in `Current` of something that was dropped, if that is nothing.
    pub(crate) async fn sweep(&self, path: &str) {
        let place = format!("Current/{path}");
        let left = self.look(&place, Value::clone);
        if is_hollow(&left) {
            let place = format!("/arango/{place}");
            let operations = json!({
                &place: { "op": "delete" },
                "/arango/Current/Version": { "op": "increment" },
            });
            let conditions = json!({ place: { "old": left } });
            // Empty places do no harm.
            drop(self.agency.write(operations, conditions, PATIENCE).await);
        }
    }

    /// Whether nobody who lives has shards below this place of `Current` any more. Who has failed
    /// will see that they are not planned when it comes back.
    pub(crate) fn is_dropped(&self, path: &str) -> bool {
        let shards = self.look(&format!("Current/{path}"), Value::clone);
        let failed = |servers: &Value| {
            let leader = servers[0].as_str().unwrap_or("").trim_start_matches('_');
            let status = format!("Supervision/Health/{leader}/Status");
            self.look(&status, |status| status == "FAILED")
        };
        let mut left = shards.as_object().into_iter().flatten();
        left.all(|(_, entry)| entry["servers"].is_null() || failed(&entry["servers"]))
    }
}
