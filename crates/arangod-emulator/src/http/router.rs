//! Which handler answers which path.

use std::rc::Rc;

use hyper::Method;

use super::paths::is_known;
use super::{Answer, Request};
use crate::api;
use crate::errors::ApiError;
use crate::failure_points::READ_DELAY;
use crate::role::Role;
use crate::server::Server;
use crate::settings::Step;
use crate::shard;

/// Answers a request that has passed all checks.
pub(crate) async fn dispatch(server: &Rc<Server>, request: &Request) -> Result<Answer, ApiError> {
    let route = request.route();
    let pace = server.settings.pace;
    api::refused::check(server, request, &route)?;
    if let Some(answer) = api::listing::nothing(server, request, &route) {
        return answer;
    }
    check_role(server.settings.role, request, &route)?;
    match route.as_slice() {
        ["_api", "database"] if request.method == Method::POST => {
            pace.spend(Step::CreateDatabase).await;
        }
        ["_api", "collection"] if request.method == Method::POST => {
            pace.spend(Step::CreateCollection).await;
        }
        ["_api", "document", _, _] if request.method == Method::GET => {
            if let Some(delay) = server.failure_points.delay(READ_DELAY) {
                tokio::time::sleep(delay).await;
            }
        }
        _ => {}
    }
    // What was acknowledged by another coordinator must be seen; without the agency, what is known
    // here is the best that can be said.
    if let Some(cluster) = server.cluster()
        && matches!(route.as_slice(), ["_api", "database" | "user", ..])
        && request.method == Method::GET
    {
        drop(cluster.try_refresh(server).await);
    }
    if server.settings.role == Role::Coordinator
        && let Some(cluster) = server.cluster()
        && let Some(answer) = api::sharded::dispatch(server, cluster, request, &route).await
    {
        return answer;
    }
    match route.as_slice() {
        ["_api" | "_admin", "version"] => api::version::version(server, request),
        ["_open", "auth"] => api::login::open_auth(server, request),
        ["_open", "auth", "renew"] => api::login::renew(server, request),
        ["_admin", "status"] => api::admin::status(server, request),
        ["_admin", "time"] => api::admin::time(request),
        ["_admin", "shutdown"] => api::admin::shutdown(server, request),
        ["_admin", "server", rest @ ..] => api::admin::server(server, request, rest).await,
        ["_admin", "compact"] => api::admin::compact(request),
        ["_admin", "license"] => api::admin::license(server, request),
        ["_admin", "deployment", "id"] => api::admin::deployment(server, request),
        ["_admin", "metrics"] | ["_admin", "metrics", "v2"] => {
            api::metrics::metrics(server, request)
        }
        ["_admin", "cluster", rest @ ..] => api::cluster::admin(server, request, rest).await,
        ["_api", "cluster", "endpoints"] => api::cluster::endpoints(server, request),
        ["_api", "cluster", "agency-dump"] => api::agency_views::dump(server, request).await,
        ["_api", "cluster", "agency-cache"] if let Some(cluster) = server.cluster() => {
            api::agency_views::cache(server, cluster, request)
        }
        ["_api", "agency", rest @ ..] => api::agency::agency(server, request, rest).await,
        ["_api", "agency_priv", rest @ ..] => api::agency::private(server, request, rest),
        ["_admin", "debug", rest @ ..] => api::debug::debug(server, request, rest),
        ["_admin", "log", rest @ ..] => api::log::log(server, request, rest),
        ["_api", "engine"] => api::version::engine(request),
        ["_api", "database", rest @ ..] => api::database::database(server, request, rest).await,
        ["_api", "user", rest @ ..] => api::user::user(server, request, rest).await,
        ["_api", "key-generators"] => api::listing::key_generators(request),
        ["_api", "emulator", "shard"] => shard::answer(server, request),
        ["_api", "document" | "collection", name, ..] if server.settings.role == Role::DbServer => {
            shard::serve(server, request, name).await
        }
        ["_api", "collection", rest @ ..] => api::collection::collection(server, request, rest),
        ["_api", "document", rest @ ..] => api::document::document(server, request, rest),
        ["_api", "import"] => api::import::import(server, request),
        ["_api", "index", rest @ ..] => api::index::index(server, request, rest),
        ["_api" | "_admin", "job", rest @ ..] => api::async_job::job(server, request, rest),
        ["_api", "transaction", rest @ ..] => {
            api::transaction::transaction(server, request, rest).await
        }
        [
            "_api",
            name @ ("view" | "gharial" | "analyzer" | "tasks"),
            rest @ ..,
        ] => api::listing::listing(request, name, rest),
        _ => Err(lacking(request, &route)),
    }
}

/// 404 where arangod has nothing either, and 501 where it has something.
fn lacking(request: &Request, route: &[&str]) -> ApiError {
    match is_known(route) {
        true => {
            let what = format_args!("{} {}", request.method, request.path);
            ApiError::not_implemented(what)
        }
        false => ApiError::unknown_path(&request.path),
    }
}

/// Refuses what servers of this role do not do, or not here.
fn check_role(role: Role, request: &Request, route: &[&str]) -> Result<(), ApiError> {
    let everywhere = matches!(
        route,
        ["_api" | "_admin", "version"]
            | [
                "_admin",
                "debug" | "status" | "time" | "shutdown" | "server" | "metrics" | "log",
                ..
            ]
            | ["_api", "engine"]
            | ["_open", "auth", ..]
            | ["_api" | "_admin", "job", ..]
    );
    let there = match role {
        Role::Single => {
            matches!(route, ["_api", "cluster", "endpoints"])
                || !matches!(
                    route,
                    [
                        "_api",
                        "agency" | "agency_priv" | "cluster" | "emulator",
                        ..
                    ]
                )
        }
        Role::Agent => {
            everywhere
                || matches!(
                    route,
                    ["_api", "agency" | "agency_priv", ..] | ["_admin", "cluster", ..]
                )
        }
        Role::DbServer => {
            everywhere
                || matches!(
                    route,
                    ["_api", "emulator", "shard"]
                        | ["_admin", "cluster", ..]
                        | ["_api", "document", _, ..]
                        | ["_api", "collection", _]
                        | [
                            "_api",
                            "collection",
                            _,
                            "count" | "properties" | "revision" | "truncate"
                        ]
                )
        }
        Role::Coordinator => {
            everywhere
                || matches!(
                    route,
                    ["_admin" | "_api", "cluster", ..]
                        | ["_admin", "compact" | "deployment" | "license", ..]
                        | [
                            "_api",
                            "database" | "user" | "collection" | "document" | "index",
                            ..
                        ]
                        | ["_api", "import"]
                        | ["_api", "replication", "clusterInventory"]
                        | [
                            "_api",
                            "analyzer" | "view" | "gharial" | "transaction" | "tasks",
                            ..
                        ]
                        | ["_api", "key-generators"]
                )
        }
    };
    if there {
        return Ok(());
    }
    // These are registered where there is an agency, or a cluster.
    let missing = matches!(
        (role, route),
        (Role::Single, ["_api", "agency" | "agency_priv", ..])
            | (Role::Agent, ["_api", "cluster", ..])
    );
    if missing || !is_known(route) {
        return Err(ApiError::unknown_path(&request.path));
    }
    let (method, path, role) = (&request.method, &request.path, role.name());
    Err(ApiError::not_implemented(format_args!(
        "{method} {path} on a server of role {role}"
    )))
}
