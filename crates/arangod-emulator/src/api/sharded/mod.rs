//! Collections and documents on coordinators: the same paths as on a single server, answered by the
//! plan and by the leaders of shards.

mod batch;
mod collection;
mod distribution;
mod document;
mod import;
mod index;
mod inventory;
mod properties;

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::Value;

use crate::auth::Right;
use crate::cluster::Cluster;
use crate::coordinator::{Ask, Planned, join_all};
use crate::errors::ApiError;
use crate::http::{Answer, Reply, Request};
use crate::server::Server;
use crate::store::revision_of;

/// The answer, if the path is one of these.
pub(crate) async fn dispatch(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
    route: &[&str],
) -> Option<Result<Answer, ApiError>> {
    let asks = Sharded {
        server,
        cluster,
        request,
    };
    Some(match route {
        ["_api", "collection", rest @ ..] => collection::collection(asks, rest).await,
        ["_api", "document", rest @ ..] => document::document(asks, rest).await,
        ["_api", "import"] => import::import(asks).await,
        ["_api", "index", rest @ ..] => index::index(asks, rest).await,
        ["_api", "replication", "clusterInventory"] => inventory::inventory(asks).await,
        [
            "_admin",
            "cluster",
            what @ ("shardDistribution" | "collectionShardDistribution"),
        ] => distribution::distribution(asks, what).await,
        ["_admin", "cluster", "shardStatistics"] => distribution::statistics(asks).await,
        _ => return None,
    })
}

/// A request to a coordinator.
#[derive(Clone, Copy)]
struct Sharded<'a> {
    server: &'a Server,
    cluster: &'a Cluster,
    request: &'a Request,
}

impl Sharded<'_> {
    /// The collection, for those who have the right on it.
    async fn collection(&self, name: &str, right: Right) -> Result<Planned, ApiError> {
        let permit = |called: &str| {
            let (server, request) = (self.server, self.request);
            server.require_collection(request, called, right)
        };
        self.permitted(name, permit).await
    }

    /// The collection, for those whom `permit` lets through.
    async fn permitted(
        &self,
        name: &str,
        permit: impl FnOnce(&str) -> Result<(), ApiError>,
    ) -> Result<Planned, ApiError> {
        let database = &self.request.database;
        let found = self.cluster.collection(self.server, database, name).await;
        // Rights are granted on names, and a collection may be called by its id.
        permit(found.as_ref().map_or(name, Planned::name))?;
        found
    }

    /// The parameters of the request for a shard, without some.
    fn parameters(&self, without: &[&str]) -> Vec<(String, String)> {
        let own = ["collection", "collectionName"];
        let queries = self.request.queries().iter();
        queries
            .filter(|(name, _)| !own.contains(&name.as_str()) && !without.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    /// Asks the leader of one shard.
    async fn ask(&self, collection: &Planned, shard: &str, ask: &Ask) -> Result<Reply, ApiError> {
        self.cluster
            .ask_leader(self.server, collection, shard, ask)
            .await
    }

    /// Asks the leaders of all shards at once, for answers in the order of the shards; all have to
    /// agree.
    async fn ask_all(&self, collection: &Planned, ask: &Ask) -> Result<Vec<Value>, ApiError> {
        let shards = collection.shards();
        let asked = shards.iter().map(|shard| self.ask(collection, shard, ask));
        let mut bodies = Vec::with_capacity(shards.len());
        let mut worst: Option<ApiError> = None;
        for reply in join_all(asked).await {
            match reply.and_then(accepted) {
                Ok(reply) => bodies.push(reply.json()),
                Err(error) => worst = Some(worse(worst, error)),
            }
        }
        worst.map_or(Ok(bodies), Err)
    }

    /// What the leaders say of their shards, in the order of the shards.
    async fn look_at_all(&self, collection: &Planned, what: &str) -> Result<Vec<Value>, ApiError> {
        let ask = Ask {
            method: Method::GET,
            path: format!("/_api/collection/{{}}/{what}"),
            query: Vec::new(),
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            reads: true,
        };
        self.ask_all(collection, &ask).await
    }

    /// What the leaders count, by shard.
    async fn counts(&self, collection: &Planned) -> Result<BTreeMap<String, u64>, ApiError> {
        let bodies = self.look_at_all(collection, "count").await?;
        let count = |(shard, body): (String, Value)| {
            let broken = || ApiError::new(500, 4, "a leader did not count");
            Ok((shard, body["count"].as_u64().ok_or_else(broken)?))
        };
        collection
            .shards()
            .into_iter()
            .zip(bodies)
            .map(count)
            .collect()
    }

    /// The sum of what the leaders count.
    async fn count(&self, collection: &Planned) -> Result<u64, ApiError> {
        Ok(self.counts(collection).await?.values().sum())
    }

    /// The newest revision of all shards (`revisionOnCoordinator`).
    async fn revision(&self, collection: &Planned) -> Result<Value, ApiError> {
        let bodies = self.look_at_all(collection, "revision").await?;
        let revisions = bodies.iter().map(|body| &body["revision"]);
        let newest = revisions.max_by_key(|text| text.as_str().map(revision_of));
        Ok(newest.cloned().unwrap_or_default())
    }
}

/// The reply if the leader did what it was asked to, or its error.
fn accepted(reply: Reply) -> Result<Reply, ApiError> {
    if reply.status < 400 {
        return Ok(reply);
    }
    Err(error_of(reply.status, &reply.json()))
}

/// The error that a leader has answered.
fn error_of(status: u16, body: &Value) -> ApiError {
    let number = body["errorNum"]
        .as_u64()
        .and_then(|number| number.try_into().ok());
    let message = body["errorMessage"].as_str().unwrap_or("a leader refused");
    let mut error = ApiError::new(status, number.unwrap_or(u32::from(status)), message);
    let known = ["code", "error", "errorMessage", "errorNum"];
    let more = body.as_object().into_iter().flatten();
    error.extra = more
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    error
}

/// Of two errors the one to be told: that something may have been done is worse than that it was
/// not.
fn worse(known: Option<ApiError>, new: ApiError) -> ApiError {
    match known {
        Some(known) if known.is_of_unknown_outcome() || !new.is_of_unknown_outcome() => known,
        _ => new,
    }
}
