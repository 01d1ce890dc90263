//! What the first coordinator does for all (`BootstrapFeature.cpp` of arangodb/arangodb).

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::view::{unchanged, user_key};
use super::{Cluster, PATIENCE};
use crate::auth::users::{User, document};
use crate::coordinator::system;
use crate::server::Server;
use crate::store::SYSTEM;
use crate::upgrade::CLUSTER_VERSION;
use crate::version::imitated;

/// The key that says who works, or that it is done.
const KEY: &str = "/arango/Bootstrap";
/// So long dbservers may take to make the system collections, until this is tried again.
const COLLECTIONS: Duration = Duration::from_secs(10);

impl Cluster {
    /// Returns when the cluster is set up, by this coordinator or by another. There must be as many
    /// dbservers first as the system collections have copies.
    pub(crate) async fn set_up(&self, server: &Server, root: &User) {
        let copies = system::copies(self, &Map::new());
        let told = Cell::new(0);
        loop {
            // Nobody works, or this one did when it was started the last time.
            let turn = |cluster: &Self| {
                let said = cluster.look("Bootstrap", Value::clone);
                if said.as_str().is_some_and(|said| said.ends_with(": done")) {
                    return Some(None);
                }
                let there = cluster.usable_dbservers().len() as u64;
                let ready = there >= copies;
                if !ready && there > told.replace(there) {
                    let text = format!(
                        "the system collections need {copies} dbservers, and there are {there}"
                    );
                    server.log.info("", "cluster", text);
                }
                let free = said.is_null() || said == json!(cluster.id);
                (ready && free).then_some(Some(said))
            };
            let Some(said) = self.until(turn).await else {
                return;
            };
            // Not being the first, or not being heard, shows in the copy of the tree.
            if self.try_to_set_up(server, &said, root).await.is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn try_to_set_up(&self, server: &Server, said: &Value, root: &User) -> Option<()> {
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
        self.make_collections(server).await?;
        let done = json!({
            KEY: format!("{}: done", self.id),
            CLUSTER_VERSION: imitated().number(),
        });
        let finished = self
            .agency
            .write(done, json!({ KEY: self.id }), PATIENCE)
            .await;
        let index = finished.ok()?.place()?;
        self.until(|cluster| (cluster.index.get() >= index).then_some(()))
            .await;
        Some(())
    }

    /// Makes the system collections of `_system`, unless they are planned already.
    async fn make_collections(&self, server: &Server) -> Option<()> {
        self.refresh(server).await.ok()?;
        let place = format!("Plan/Collections/{SYSTEM}");
        let planned = |plan: &Value| plan.as_object().is_some_and(|plan| !plan.is_empty());
        if !self.look(&place, planned) {
            let version = self.look("Plan/Version", Value::clone);
            let wanted = system::planned(server, self, SYSTEM, &Map::new()).await;
            let operations = json!({
                format!("/arango/{place}"): { "op": "set", "new": wanted.ok()? },
                "/arango/Plan/Version": { "op": "increment" },
            });
            let mut conditions = self.nobody_leaves();
            let key = String::from("/arango/Plan/Version");
            conditions.insert(key, unchanged(Some(&version)));
            let conditions = Value::Object(conditions);
            let written = self.agency.write(operations, conditions, PATIENCE).await;
            written.ok()?.place()?;
            self.refresh(server).await.ok()?;
        }
        let there = self.until(|cluster| cluster.has_all_collections(SYSTEM).then_some(()));
        timeout(COLLECTIONS, there).await.ok()
    }
}
