//! What is worth keeping when something has failed.

use std::time::Duration;

use armadillo_orchestrator::{Evidence, Request, ServerKey, View};
use serde_json::json;

/// How long each answer may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Status, members, alarms, metrics and goroutines of each member.
///
/// The goroutines come from the profiler's page, which leaves the member alone; SIGQUIT would write the same and end it.
pub(crate) fn evidence(view: &View) -> Vec<Evidence> {
    view.places.keys().flat_map(of_member).collect()
}

fn of_member(server: &ServerKey) -> Vec<Evidence> {
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
            request,
            save_as: format!("{server}.{file}"),
            limit: LIMIT,
        })
        .collect()
}
