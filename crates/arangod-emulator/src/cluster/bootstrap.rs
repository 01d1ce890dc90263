//! What the first coordinator does for all (`BootstrapFeature.cpp` of arangodb/arangodb).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::view::user_key;
use super::{Cluster, PATIENCE};
use crate::auth::users::{User, document};

/// The key that says who works, or that it is done.
const KEY: &str = "/arango/Bootstrap";

impl Cluster {
    /// Returns when the cluster is set up, by this coordinator or by another. There must be a
    /// dbserver first.
    pub(crate) async fn set_up(&self, root: &User) {
        loop {
            // Nobody works, or this one did when it was started the last time.
            let turn = |cluster: &Self| {
                let said = cluster.look("Bootstrap", Value::clone);
                if said.as_str().is_some_and(|said| said.ends_with(": done")) {
                    return Some(None);
                }
                let servers =
                    |servers: &Value| servers.as_object().is_some_and(|map| !map.is_empty());
                let ready = cluster.look("Current/DBServers", servers);
                let free = said.is_null() || said == json!(cluster.id);
                (ready && free).then_some(Some(said))
            };
            let Some(said) = self.until(turn).await else {
                return;
            };
            // Not being the first, or not being heard, shows in the copy of the tree.
            if self.try_to_set_up(&said, root).await.is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn try_to_set_up(&self, said: &Value, root: &User) -> Option<()> {
        let before = match said {
            Value::Null => json!({ "oldEmpty": true }),
            said => json!({ "old": said }),
        };
        let claim = json!({ KEY: { "op": "set", "new": self.id, "ttl": self.settings.bootstrap } });
        let claimed = self
            .agency
            .write(claim, json!({ KEY: before }), PATIENCE)
            .await;
        claimed.ok()?.place()?;
        // Users may be there from a set-up that was interrupted at its end.
        let key = user_key(&root.name);
        let user = json!({ &key: { "op": "set", "new": document(root) } });
        let absent = json!({ &key: { "oldEmpty": true } });
        self.agency.write(user, absent, PATIENCE).await.ok()?;
        let done = json!({ KEY: format!("{}: done", self.id) });
        let finished = self
            .agency
            .write(done, json!({ KEY: self.id }), PATIENCE)
            .await;
        let index = finished.ok()?.place()?;
        self.until(|cluster| (cluster.index.get() >= index).then_some(()))
            .await;
        Some(())
    }
}
