//! Undoes what a test left.

use armadillo_orchestrator::View;

use crate::client::{EtcdClient, EtcdError};

/// How many keys are named; the rest is counted.
const NAMED: u32 = 20;

/// Deletes every key of the lease, and says which there were.
pub(crate) async fn purge(view: &View, lease: &str) -> Result<Vec<String>, String> {
    let client = EtcdClient::for_lease(view, lease);
    let left = leftovers(&client).await.map_err(|e| e.to_string())?;
    if !left.is_empty() {
        client
            .delete_prefix("")
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(left)
}

/// The keys below the client's prefix, a line each; beyond the first twenty, their number.
pub(crate) async fn leftovers(client: &EtcdClient) -> Result<Vec<String>, EtcdError> {
    let (keys, count) = client.list_keys("", NAMED).await?;
    let unnamed = count.saturating_sub(keys.len() as u64);
    let mut lines: Vec<String> = keys
        .iter()
        .map(|key| format!("key {}{key}", client.prefix()))
        .collect();
    if unnamed > 0 {
        lines.push(format!("{unnamed} more keys below {}", client.prefix()));
    }
    Ok(lines)
}
