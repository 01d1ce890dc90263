//! What arangod refuses, on this kind of server or at all, and whom it refuses what the emulator has
//! not got. The answers are those recorded from a real 3.12.10.

use hyper::Method;
use serde_json::Value;

use crate::auth::{Identity, Right};
use crate::errors::ApiError;
use crate::http::Request;
use crate::role::Role;
use crate::server::Server;
use crate::store::SYSTEM;

/// Refuses what a real server refuses.
pub(crate) fn check(server: &Server, request: &Request, route: &[&str]) -> Result<(), ApiError> {
    match server.settings.role {
        Role::Single => only_in_clusters(server, request, route)?,
        Role::Coordinator => not_in_clusters(route)?,
        Role::Agent | Role::DbServer => return Ok(()),
    }
    match route {
        ["_admin", "telemetrics"] => Err(ApiError::unknown_path(&request.path)),
        ["_admin", "wal", "properties" | "transactions"] => {
            Err(ApiError::without_number(501, "not implemented"))
        }
        ["_api", "document-state", ..] => {
            server.require_admin(&request.identity)?;
            Err(not_implemented())
        }
        _ => permit(server, request, route),
    }
}

fn not_implemented() -> ApiError {
    ApiError::new(501, 9, "not implemented")
}

fn only_in_clusters(server: &Server, request: &Request, route: &[&str]) -> Result<(), ApiError> {
    let only = ApiError::only_on_coordinators;
    match route {
        ["_admin", "execute"] => Err(ApiError::unknown_path(&request.path)),
        ["_admin", "supervisionState"] => {
            server.require_admin(&request.identity)?;
            Err(only())
        }
        ["_api", "log", ..] => {
            server.require_admin(&request.identity)?;
            Err(not_implemented())
        }
        ["_api", "cluster", "agency-dump"] => Err(not_implemented()),
        ["_api", "database", "shardStatistics"] => Err(only()),
        ["_api", "replication", "clusterInventory"] => {
            Err(ApiError::new(403, 1471, only().message))
        }
        _ => Ok(()),
    }
}

fn not_in_clusters(route: &[&str]) -> Result<(), ApiError> {
    match route {
        ["_api", "wal", ..] => {
            let text = "this operation is not supported in a cluster";
            Err(ApiError::new(501, 1470, text))
        }
        _ => Ok(()),
    }
}

/// Who may ask for what the emulator has not got: everybody else is refused as by a real server.
fn permit(server: &Server, request: &Request, route: &[&str]) -> Result<(), ApiError> {
    let who = &request.identity;
    let get = request.method == Method::GET;
    match route {
        ["_admin", "options" | "options-description"] => match who {
            Identity::Superuser => Ok(()),
            _ => Err(ApiError::not_admin()),
        },
        ["_admin", "compact"]
        | ["_admin", "cluster", "vpackSortMigration", ..]
        | ["_api", "query", "registry"] => superuser(who),
        ["_admin", "server", "jwt" | "encryption"] if !get => superuser(who),
        ["_admin", "auth", "reload"]
        | [
            "_admin",
            "async-registry" | "backup" | "crashes" | "supervisionState" | "support-info",
            ..,
        ]
        | [
            "_admin",
            "cluster",
            "cancelAgencyJob" | "rebalance" | "rebalanceShards",
            ..,
        ]
        | ["_admin", "server", "api-calls" | "aql-queries"]
        | ["_admin", "wal", "wait_for_estimator_sync"]
        | [
            "_api",
            "cluster",
            "agency-cache" | "agency-dump" | "cluster-info",
            ..,
        ]
        | ["_api", "log" | "token", ..] => server.require_admin(who),
        ["_api", "aqlfunction", ..] if !get => {
            server.require_collection(request, "_aqlfunctions", Right::Rw)
        }
        ["_api", "analyzer", ..] if !get && request.database == SYSTEM => {
            server.require_privilege(who)?;
            server.require_collection(request, "_analyzers", Right::Rw)
        }
        ["_api", "analyzer", ..] if !get => server.require_ddl(request),
        ["_api", "view" | "tasks"] | ["_api", "query-plan-cache"] if !get => {
            server.require_ddl(request)
        }
        ["_api", "edges", name] => server.require_collection(request, name, Right::Ro),
        ["_api", "simple", what] => {
            let right = match what.starts_with("remove-") {
                true => Right::Rw,
                false => Right::Ro,
            };
            match request
                .json_object()?
                .get("collection")
                .and_then(Value::as_str)
            {
                Some(name) => server.require_collection(request, name, right),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn superuser(who: &Identity) -> Result<(), ApiError> {
    match who {
        Identity::Superuser => Ok(()),
        _ => Err(ApiError::forbidden()),
    }
}
