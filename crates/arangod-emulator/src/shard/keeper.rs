//! Begins the work on shards that are planned here, and ends it where nobody needs them any more.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::plan::{self, Duty, Place, confirmed, each_shard, plain, still};
use super::work::Work;
use super::{Shard, Standing};
use crate::cluster::{Cluster, PATIENCE};
use crate::server::Server;

/// Keeps the shards of this server for ever.
pub(crate) async fn keep(server: Rc<Server>, cluster: Rc<Cluster>) {
    loop {
        // Without a plan nothing is known, and nothing is dropped.
        let places = cluster.until(wanted).await;
        end_others(&server, &places);
        for place in places {
            begin(&server, &cluster, place);
        }
        if let Some((operations, conditions)) = leftovers(&cluster) {
            if cluster
                .agency
                .write(operations, conditions, PATIENCE)
                .await
                .is_err()
            {
                sleep(Duration::from_millis(50)).await;
            }
            // The copy shows soon what was written; until then it would be written again.
            let seen = cluster.until(|cluster| leftovers(cluster).is_none().then_some(()));
            drop(timeout(Duration::from_millis(500), seen).await);
            continue;
        }
        cluster
            .until(|cluster| {
                let same = wanted(cluster).is_none_or(|wanted| are_kept(&server, &wanted));
                (!same || leftovers(cluster).is_some()).then_some(())
            })
            .await;
    }
}

/// The shards that are to be kept here; nothing if there is no plan.
fn wanted(cluster: &Cluster) -> Option<Vec<Place>> {
    if !cluster.look("Plan/Collections", Value::is_object) {
        return None;
    }
    let mut wanted = plan::all(cluster);
    wanted.retain(|place| place.duty(cluster) != Duty::Leave);
    Some(wanted)
}

fn are_kept(server: &Server, wanted: &[Place]) -> bool {
    let kept = server.shards.kept.borrow();
    let is_kept = |place: &Place| {
        let found = kept.get(&place.name);
        found.is_some_and(|(shard, _)| shard.place == *place)
    };
    wanted.len() == kept.len() && wanted.iter().all(is_kept)
}

fn begin(server: &Rc<Server>, cluster: &Rc<Cluster>, place: Place) {
    let mut kept = server.shards.kept.borrow_mut();
    if kept.contains_key(&place.name) {
        return;
    }
    let name = place.name.clone();
    let (queue, asked) = mpsc::unbounded_channel();
    let shard = Rc::new(Shard {
        place,
        standing: Cell::new(Standing::Follows),
        queue,
        deposed: Notify::new(),
    });
    let work = Work {
        server: Rc::clone(server),
        cluster: Rc::clone(cluster),
        shard: Rc::clone(&shard),
    };
    let task = spawn_local(work.live(asked)).abort_handle();
    kept.insert(name, (shard, task));
}

/// Ends the work on all shards but these, and drops them.
fn end_others(server: &Server, wanted: &[Place]) {
    let mut kept = server.shards.kept.borrow_mut();
    kept.retain(|_, (shard, task)| {
        let stays = wanted.contains(&shard.place);
        if !stays {
            // What is under way is answered by "not known".
            shard.standing.set(Standing::Follows);
            task.abort();
        }
        stays
    });
    let names: BTreeSet<(&str, &str)> = wanted
        .iter()
        .map(|place| (place.name.as_str(), place.database.as_str()))
        .collect();
    // Without its data a server says so itself.
    let dropped = server.write(|store| {
        for (name, database) in store.shards() {
            if !names.contains(&(name.as_str(), database.as_str()))
                && let Some(place) = Place::new(&database, "", &name)
            {
                store.drop_shard(place.id);
            }
        }
        Ok(())
    });
    drop(dropped);
}

/// The transaction that takes out of `Current` what is not planned any more, if that is for this
/// server to do: the first one of an entry that has not failed.
fn leftovers(cluster: &Cluster) -> Option<(Value, Value)> {
    let (mut operations, mut conditions) = (Map::new(), Map::new());
    cluster.look("Current/Collections", |databases| {
        each_shard(databases, |database, collection, shards| {
            let planned = format!("Plan/Collections/{database}/{collection}");
            let gone = cluster.look(&planned, Value::is_null);
            let shards = shards.as_object();
            let mine = shards.into_iter().flatten().filter(|(name, entry)| {
                let planned = format!("{planned}/shards/{name}");
                (gone || cluster.look(&planned, Value::is_null)) && is_responsible(cluster, entry)
            });
            let mine: Vec<(&String, &Value)> = mine.collect();
            if mine.is_empty() {
                return;
            }
            let place = format!("/arango/Current/Collections/{database}/{collection}");
            if gone && shards.is_some_and(|shards| shards.len() == mine.len()) {
                // The last one takes the collection away.
                conditions.insert(format!("/arango/{planned}"), json!({ "oldEmpty": true }));
                conditions.insert(place.clone(), still(&json!(shards)));
                operations.insert(place, json!({ "op": "delete" }));
                return;
            }
            for (name, entry) in mine {
                let planned = format!("/arango/{planned}/shards/{name}");
                conditions.insert(planned, json!({ "oldEmpty": true }));
                let place = format!("{place}/{name}");
                conditions.insert(place.clone(), still(entry));
                operations.insert(place, json!({ "op": "delete" }));
            }
        });
    });
    if operations.is_empty() {
        return None;
    }
    let increment = json!({ "op": "increment" });
    operations.insert(String::from("/arango/Current/Version"), increment);
    Some((Value::Object(operations), Value::Object(conditions)))
}

fn is_responsible(cluster: &Cluster, entry: &Value) -> bool {
    let servers = confirmed(entry);
    let alive = servers
        .iter()
        .map(|server| plain(server))
        .find(|server| !cluster.has_failed(server));
    alive == Some(cluster.id.as_str())
}
