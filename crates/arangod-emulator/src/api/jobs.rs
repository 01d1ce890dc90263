//! What people ask supervision to do, below `/_admin/cluster` of coordinators
//! (`RestAdminClusterHandler.cpp` of arangodb/arangodb).

use serde_json::{Map, Value, json};

use crate::auth::{Right, collection_right};
use crate::cluster::{Cluster, PATIENCE, find};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// So often an id is asked for again because another one was faster.
const TRIES: usize = 100;

/// `POST moveShard`, `cleanOutServer`, `resignLeadership`: a job is made, and its id is the answer.
pub(super) async fn ask(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
    kind: &str,
) -> Result<Answer, ApiError> {
    if kind != "moveShard" {
        server.require_admin(&request.identity)?;
    }
    let Value::Object(body) = request.json()? else {
        return Err(ApiError::bad_parameter("object expected"));
    };
    let paths = [
        "/arango/Plan/DBServers",
        "/arango/Plan/Databases",
        "/arango/Plan/Collections",
        "/arango/Target/MapUniqueToShortID",
    ];
    let tree = cluster.agency.read(&paths, PATIENCE).await?;
    let mut entry = match kind {
        "moveShard" => move_shard(server, &tree, request, &body)?,
        _ => {
            // Whether there is such a server, the job finds out.
            let name = text(&body, "server")?;
            json!({ "server": dbserver(&tree, name).unwrap_or(name) })
        }
    };
    if kind == "resignLeadership"
        && let Some(undo) = body.get("undoMoves")
    {
        entry["undoMoves"] = undo.clone();
    }
    entry["type"] = json!(kind);
    let id = create(cluster, entry).await?;
    Ok(Answer::good(202, json!({ "id": id })))
}

/// `GET queryAgencyJob?id=`
pub(super) async fn query(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let id = request.query("id").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ApiError::bad_parameter("missing id parameter"))?;
    let tree = cluster.agency.read(&["/arango/Target"], PATIENCE).await?;
    for stage in ["Pending", "Failed", "Finished", "ToDo"] {
        let Some(entry) = find(&tree, &format!("/arango/Target/{stage}")).get(id) else {
            continue;
        };
        let mut body = entry.clone();
        body["error"] = json!(false);
        body["job"] = json!(id);
        body["status"] = json!(stage);
        return Ok(Answer::json(200, &body));
    }
    Err(missing(format!("there is no job {id}")))
}

/// `POST cancelAgencyJob`: the job is marked, and supervision ends it.
pub(super) async fn cancel(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    server.require_admin(&request.identity)?;
    let Value::Object(body) = request.json()? else {
        return Err(ApiError::bad_parameter("object expected"));
    };
    let id = text(&body, "id")?;
    let tree = cluster.agency.read(&["/arango/Target"], PATIENCE).await?;
    let job = |stage: &str| find(&tree, &format!("/arango/Target/{stage}")).get(id);
    for stage in ["ToDo", "Pending"] {
        let Some(entry) = job(stage) else { continue };
        if entry["type"] != "moveShard" && entry["type"] != "cleanOutServer" {
            let text = "only jobs of the types moveShard and cleanOutServer can be cancelled";
            return Err(ApiError::bad_parameter(text));
        }
        let path = format!("/arango/Target/{stage}/{id}");
        let mark = json!({ format!("{path}/abort"): true });
        let there = json!({ path: { "oldEmpty": false } });
        let marked = cluster.agency.write(mark, there, PATIENCE).await?;
        return match marked.place() {
            Some(_) => {
                let body = json!({ "job": id, "status": "aborted", "error": false });
                Ok(Answer::json(200, &body))
            }
            // It has gone on, or ended.
            None => Err(ApiError::new(412, 412, "precondition failed")),
        };
    }
    let mut ended = ["Finished", "Failed"].into_iter();
    if let Some(stage) = ended.find(|stage| job(stage).is_some()) {
        let text = format!("{} jobs can no longer be cancelled.", stage.to_lowercase());
        return Err(ApiError::bad_parameter(text));
    }
    Err(missing(format!("there is no job {id}")))
}

/// 404 with the HTTP number.
pub(super) fn missing(message: impl Into<String>) -> ApiError {
    ApiError::new(404, 404, message)
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    let text = body.get(name).and_then(Value::as_str);
    text.ok_or_else(|| ApiError::bad_parameter(format!("object with key `{name}`")))
}

/// The id of a server that is called by its id or its short name.
pub(super) fn id_of<'a>(tree: &Value, planned: &'a Value, name: &str) -> Option<&'a str> {
    let shorts = find(tree, "/arango/Target/MapUniqueToShortID");
    let ids = planned.as_object()?.keys();
    ids.map(String::as_str)
        .find(|id| *id == name || shorts[*id]["ShortName"] == name)
}

/// The id of a dbserver.
pub(super) fn dbserver<'a>(tree: &'a Value, name: &str) -> Option<&'a str> {
    id_of(tree, find(tree, "/arango/Plan/DBServers"), name)
}

fn move_shard(
    server: &Server,
    tree: &Value,
    request: &Request,
    body: &Map<String, Value>,
) -> Result<Value, ApiError> {
    let database = match body.get("database") {
        None => request.database.as_str(),
        Some(_) => text(body, "database")?,
    };
    let (name, shard) = (text(body, "collection")?, text(body, "shard")?);
    let servers = (text(body, "fromServer")?, text(body, "toServer")?);
    let collections = find(tree, "/arango/Plan/Collections")[database].as_object();
    let mut collections = collections.into_iter().flatten();
    let found = collections.find(|(cid, collection)| *cid == name || collection["name"] == name);
    let called = found.and_then(|(_, collection)| collection["name"].as_str());
    let who = &request.identity;
    let right = server.read(|store| {
        let called = called.unwrap_or(name);
        Ok(collection_right(store, who, database, called))
    })?;
    if right < Right::Rw && !server.is_admin(who)? {
        let text = "insufficient permissions on database to move shard";
        return Err(ApiError::new(403, 403, text));
    }
    let (cid, collection) = found.ok_or_else(|| missing("database/collection not found"))?;
    if collection.get("distributeShardsLike").is_some() {
        let text = "MoveShard only allowed for collections which have distributeShardsLike unset.";
        return Err(ApiError::new(403, 403, text));
    }
    let (Some(from), Some(to)) = (dbserver(tree, servers.0), dbserver(tree, servers.1)) else {
        return Err(missing("one or both dbservers not found"));
    };
    let planned = collection["shards"][shard].as_array();
    if planned.is_none() {
        return Err(missing("shard not found"));
    }
    let place = planned.into_iter().flatten().position(|each| each == from);
    let place = place.ok_or_else(|| missing("shard is not located on the server"))?;
    let leads = place == 0;
    // Whatever is not true counts as false.
    let remains = body
        .get("remainsFollower")
        .is_none_or(|it| *it == json!(true));
    let undo = body.get("tryUndo").is_some_and(|it| *it == json!(true));
    Ok(json!({
        "database": database,
        "collection": cid,
        "shard": shard,
        "fromServer": from,
        "toServer": to,
        "isLeader": leads,
        "remainsFollower": leads && remains,
        "tryUndo": undo,
    }))
}

/// Makes a job, with an id that nobody else has.
async fn create(cluster: &Cluster, mut entry: Value) -> Result<String, ApiError> {
    const LATEST: &str = "/arango/Sync/LatestID";
    entry["creator"] = json!(cluster.id);
    for _ in 0..TRIES {
        let tree = cluster.agency.read(&[LATEST], PATIENCE).await?;
        let latest = find(&tree, LATEST).as_u64().unwrap_or(0);
        let id = (latest + 1).to_string();
        entry["jobId"] = json!(id);
        entry["timeCreated"] = json!(crate::system::timestamp());
        let job = format!("/arango/Target/ToDo/{id}");
        let operations = json!({
            LATEST: latest + 1,
            job.clone(): { "op": "set", "new": entry },
        });
        let conditions = json!({ LATEST: { "old": latest }, job: { "oldEmpty": true } });
        let decided = cluster
            .agency
            .write(operations, conditions, PATIENCE)
            .await?;
        if decided.place().is_some() {
            return Ok(id);
        }
    }
    Err(ApiError::unknown_outcome())
}
