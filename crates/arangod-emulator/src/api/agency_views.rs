//! The agency as coordinators show it: `/_api/cluster/agency-dump` and `agency-cache` (`RestClusterHandler.cpp` and
//! `AgencyCache.cpp` of arangodb/arangodb).

use hyper::Method;
use serde_json::json;

use crate::cluster::{Cluster, PATIENCE};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// Who may see it, and how.
fn permit(server: &Server, request: &Request) -> Result<(), ApiError> {
    if request.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    server.require_admin(&request.identity)
}

/// What the leading agent says of its state, as it says it.
pub(crate) async fn dump(server: &Server, request: &Request) -> Result<Answer, ApiError> {
    let Some(cluster) = server.cluster() else {
        let text = "only to be executed on coordinators";
        return Err(ApiError::new(501, 9, text));
    };
    permit(server, request)?;
    let lost = |why: String| {
        let text = format!("timeout in cluster operation: {why}");
        ApiError::new(503, ApiError::CLUSTER_TIMEOUT, text)
    };
    let config = cluster.agency.learn().await;
    let config = config.map_err(|error| lost(error.to_string()))?;
    let leader = config["leaderId"].as_str().unwrap_or_default();
    let endpoint = config["configuration"]["pool"][leader].as_str();
    let endpoint = endpoint.ok_or_else(|| lost(String::from("the agency has no leader")))?;
    let client = cluster.agency.client();
    let answer = client.get(endpoint, "/_api/agency/state", PATIENCE).await;
    match answer {
        Ok(answer) if answer.status == 200 => Ok(Answer::json(200, &answer.json())),
        Ok(answer) => Err(lost(format!(
            "the leading agent answered {}",
            answer.status
        ))),
        Err(error) => Err(lost(error.to_string())),
    }
}

/// The copy of the tree that this server keeps, and how new it is.
pub(crate) fn cache(
    server: &Server,
    cluster: &Cluster,
    request: &Request,
) -> Result<Answer, ApiError> {
    permit(server, request)?;
    let (index, tree) = cluster.copy();
    Ok(Answer::json(
        200,
        &json!({ "index": index, "cache": [tree] }),
    ))
}
