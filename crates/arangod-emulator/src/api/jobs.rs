//! What people ask supervision to do, below `/_admin/cluster` of coordinators
//! (`RestAdminClusterHandler.cpp` of arangodb/arangodb).

use serde_json::{Map, Value, json};

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
    server.require_admin(&request.identity)?;
    let body = request.json_object()?;
    let paths = [
        "/arango/Plan/DBServers",
        "/arango/Plan/Databases",
        "/arango/Plan/Collections",
        "/arango/Target/MapUniqueToShortID",
    ];
    let tree = cluster.agency.read(&paths, PATIENCE).await?;
    let mut entry = match kind {
        "moveShard" => move_shard(&tree, request, &body)?,
        _ => {
            let name = text(&body, "server")?;
            let server = dbserver(&tree, name).ok_or_else(|| missing("dbserver not found"))?;
            json!({ "server": server })
        }
    };
    if kind == "resignLeadership" {
        match body.get("undoMoves") {
            None | Some(Value::Bool(false)) => entry["undoMoves"] = json!(false),
            Some(_) => return Err(ApiError::not_implemented("undoMoves")),
        }
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
    let id = id.ok_or_else(|| ApiError::bad("missing parameter 'id'"))?;
    let tree = cluster.agency.read(&["/arango/Target"], PATIENCE).await?;
    for stage in ["ToDo", "Pending", "Finished", "Failed"] {
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

/// 404 with the HTTP number.
pub(super) fn missing(message: impl Into<String>) -> ApiError {
    ApiError::new(404, 404, message)
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    let text = body.get(name).and_then(Value::as_str);
    text.ok_or_else(|| ApiError::bad(format!("expecting a string as '{name}'")))
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
    if find(tree, "/arango/Plan/Databases").get(database).is_none() {
        return Err(ApiError::database_not_found());
    }
    let collections = find(tree, "/arango/Plan/Collections")[database].as_object();
    let mut collections = collections.into_iter().flatten();
    let (cid, collection) = collections
        .find(|(cid, collection)| *cid == name || collection["name"] == name)
        .ok_or_else(|| ApiError::collection_not_found(name))?;
    if collection.get("distributeShardsLike").is_some() {
        let text = "MoveShard only allowed for collections which have distributeShardsLike unset.";
        return Err(ApiError::new(403, 11, text));
    }
    let (Some(from), Some(to)) = (dbserver(tree, servers.0), dbserver(tree, servers.1)) else {
        return Err(missing("one or both dbservers not found"));
    };
    let planned = collection["shards"][shard].as_array();
    let place = planned.into_iter().flatten().position(|each| each == from);
    let place = place.ok_or_else(|| missing("shard is not located on the server"))?;
    let leads = place == 0;
    let remains = match body.get("remainsFollower") {
        None => leads,
        Some(Value::Bool(remains)) => leads && *remains,
        Some(_) => return Err(ApiError::bad("expecting a boolean as 'remainsFollower'")),
    };
    Ok(json!({
        "database": database,
        "collection": cid,
        "shard": shard,
        "fromServer": from,
        "toServer": to,
        "isLeader": leads,
        "remainsFollower": remains,
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
    Err(ApiError::new(503, 1457, "timeout in cluster operation"))
}
