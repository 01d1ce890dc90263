//! What one server does about one shard, for ever.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::leader::Leader;
use super::plan::{self, Duty, confirmed, into_current, still};
use super::{Asked, Shard, Standing};
use crate::cluster::{Cluster, PATIENCE};
use crate::errors::ApiError;
use crate::server::Server;
use crate::store::Store;

/// The pause after something that did not come to pass.
const PAUSE: Duration = Duration::from_millis(20);

/// A shard with what is needed to work on it.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) server: Rc<Server>,
    pub(super) cluster: Rc<Cluster>,
    pub(super) shard: Rc<Shard>,
}

impl Work {
    /// Does what is to be done, until the task is ended.
    pub(super) async fn live(self, mut queue: UnboundedReceiver<Asked>) {
        loop {
            self.shard.standing.set(Standing::Follows);
            // Those who came too late are told to ask elsewhere: nothing was done for them.
            while let Ok(asked) = queue.try_recv() {
                let _ = asked.answer.send(Err(ApiError::not_leader()));
            }
            self.cluster.until(|_| self.is_called()).await;
            // Nothing is decided by an old copy of the tree.
            let lease = self.cluster.leased().await;
            if self.cluster.try_refresh(&self.server).await.is_err() {
                sleep(PAUSE).await;
                continue;
            }
            match self.shard.place.duty(&self.cluster) {
                Duty::Resign => self.resign().await,
                duty @ (Duty::Found | Duty::Lead) if self.is_called().is_some() => {
                    if let Some(leader) = Leader::begin(&self, duty, lease).await {
                        leader.lead(&mut queue).await;
                    }
                }
                Duty::Found | Duty::Lead | Duty::Follow | Duty::Leave => {}
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether there is more to do than to follow. A server that is known to have failed waits for
    /// supervision to see that it lives: until then its shards may be given to others.
    fn is_called(&self) -> Option<()> {
        let called = match self.shard.place.duty(&self.cluster) {
            Duty::Found => true,
            Duty::Lead => !self.cluster.has_failed(&self.cluster.id) && self.is_there(),
            Duty::Resign => true,
            Duty::Follow | Duty::Leave => false,
        };
        called.then_some(())
    }

    /// Whether the data are there, and can be changed. Where they are not, nobody must take that for an empty shard.
    fn is_there(&self) -> bool {
        let id = self.shard.place.id;
        self.server
            .peek(|store| store.is_some_and(|store| is_usable(store, id)))
    }

    /// Something that no entry in `Current` has had before.
    pub(super) fn stamp(&self) -> String {
        let number = self.cluster.next_stamp();
        format!("{}/{}/{number}", self.cluster.id, self.cluster.reboot.get())
    }

    /// Says in `Current` that this server leads no longer.
    async fn resign(&self) {
        let place = &self.shard.place;
        let (Some(planned), current) = (place.planned(&self.cluster), place.current(&self.cluster))
        else {
            return;
        };
        let mut servers = confirmed(&current);
        if let Some(first) = servers.first_mut() {
            *first = format!("_{first}");
        }
        let entry = plan::entry(&servers, &self.stamp());
        let operations = into_current(place.current_key(), json!({ "op": "set", "new": entry }));
        let conditions = json!({
            place.servers_key(): still(&json!(planned.servers)),
            place.current_key(): still(&current),
        });
        // Whatever came of it, the next look shows.
        drop(
            self.cluster
                .agency
                .write(Value::Object(operations), conditions, PATIENCE)
                .await,
        );
    }
}

fn is_usable(store: &Store, id: u64) -> bool {
    store.check().is_ok() && store.collection_by_id(id).is_some()
}
