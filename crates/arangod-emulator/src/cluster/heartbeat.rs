//! The sign of life, and the coordinator that runs queues of Foxx services.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{AgencyError, Cluster, PATIENCE};
use crate::failure_points::HEARTBEAT;
use crate::server::Server;

impl Cluster {
    /// Says again and again that the server lives.
    pub(super) async fn beat(self: Rc<Self>, server: Rc<Server>) {
        loop {
            let sent = Instant::now();
            let is_silent = server.failure_points.has(HEARTBEAT);
            if !is_silent && self.say("SERVING").await.is_ok() {
                self.renew_lease(sent);
            }
            let pause = self.look("Sync/HeartbeatIntervalMs", |pause| pause.as_u64());
            sleep(Duration::from_millis(
                pause.unwrap_or(self.settings.heartbeat).max(10),
            ))
            .await;
        }
    }

    /// Says how the server is. If nobody hears it, supervision will notice.
    pub(crate) async fn say(&self, status: &str) -> Result<(), AgencyError> {
        let path = format!("/arango/Sync/ServerStates/{}", self.id);
        let state = json!({ "status": status, "time": crate::system::timestamp() });
        self.agency.whisper(&json!({ path: state })).await
    }

    /// Takes the post when nobody has it.
    pub(super) async fn be_foxxmaster(self: Rc<Self>) {
        loop {
            let vacancy = |cluster: &Self| {
                cluster.look("Current", |current| {
                    let known = current.is_object();
                    let old = current.get("Foxxmaster");
                    (known && old.is_none_or(|old| old == "")).then(|| old.cloned())
                })
            };
            let condition = match self.until(vacancy).await {
                None => json!({ "oldEmpty": true }),
                Some(old) => json!({ "old": old }),
            };
            let operations = json!({
                "/arango/Current/Foxxmaster": self.id,
                "/arango/Current/Version": { "op": "increment" },
            });
            let conditions = json!({ "/arango/Current/Foxxmaster": condition });
            // Whether this one got it or another one: the copy of the tree will say.
            drop(self.agency.write(operations, conditions, PATIENCE).await);
            sleep(Duration::from_millis(self.settings.heartbeat)).await;
        }
    }
}
