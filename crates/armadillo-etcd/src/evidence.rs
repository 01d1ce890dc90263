//! What is worth keeping when something has failed.

use std::time::Duration;

use armadillo_orchestrator::{Evidence, Request, Secret, ServerKey, View};
use serde_json::json;

use crate::client::session::Session;

/// How long each answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Status, members, alarms, metrics and goroutines of each member.
///
/// The goroutines come from the profiler's page, which leaves the member alone; SIGQUIT would write the same and end it.
pub(crate) fn evidence(view: &View) -> Vec<Evidence> {
    // Somebody has logged in before, or there is no login.
    let token = Session::of(view).and_then(|session| session.held());
    let members = view.servers();
    members
        .flat_map(|(server, _)| of_member(server, token.as_ref()))
        .collect()
}

fn of_member(server: &ServerKey, token: Option<&Secret>) -> Vec<Evidence> {
    let empty = json!({});
    let requests = [
        (
            "status.json",
            Request::post("/v3/maintenance/status").json(&empty),
        ),
        (
            "members.json",
            Request::post("/v3/cluster/member/list").json(&empty),
        ),
        (
            "alarms.json",
            Request::post("/v3/maintenance/alarm").json(&json!({ "action": "GET" })),
        ),
        ("metrics.txt", Request::get("/metrics")),
        (
            "goroutines.txt",
            Request::get("/debug/pprof/goroutine?debug=2"),
        ),
    ];
    requests
        .into_iter()
        .map(|(file, request)| Evidence::Http {
            server: server.clone(),
            request: match token {
                Some(token) => request.header("authorization", token.reveal()),
                None => request,
            },
            save_as: format!("{server}.{file}"),
            limit: LIMIT,
        })
        .collect()
}
