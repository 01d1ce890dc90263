//! Undoes what a test left.

use armadillo_orchestrator::View;

use crate::client::{EtcdClient, EtcdError};
use crate::{auth, names};

/// How many keys are named; the rest is counted.
const NAMED: u32 = 20;

/// Deletes every key and every user of the lease, and says which there were. With the mark of the deployment in place of a lease,
/// that is what is kept for the deployment.
pub(crate) async fn purge(view: &View, lease: &str) -> Result<Vec<String>, String> {
    let client = EtcdClient::for_lease(view, lease);
    let (client, users) = if lease == view.mark() {
        (client.for_deployment(), names::DEPLOYMENT_USERS.to_owned())
    } else {
        (client, names::lease_users(lease))
    };
    let mut left = leftovers(&client).await.map_err(|e| e.to_string())?;
    if !left.is_empty() {
        client
            .delete_prefix("")
            .await
            .map_err(|error| error.to_string())?;
    }
    // Somebody else's members have no users of ours.
    if view.attached().is_none() && auth::login(view).is_some() {
        let removed = remove_users(&client, &users).await;
        left.extend(removed.map_err(|error| error.to_string())?);
    }
    Ok(left)
}

/// Removes the users whose names begin so, a line each.
async fn remove_users(client: &EtcdClient, prefix: &str) -> Result<Vec<String>, EtcdError> {
    let mut removed = Vec::new();
    for user in client.users().await? {
        if user.starts_with(prefix) {
            client.remove_user(&user).await?;
            removed.push(format!("user {user}"));
        }
    }
    Ok(removed)
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
