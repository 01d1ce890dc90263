//! Jobs of the supervision that a test did not wait for: they would move shards under the tests to come.

use std::time::Duration;

use armadillo_orchestrator::{Checker, Deadline, Fut, Poll, Scope, ServerKey, View};
use serde_json::Value;

use crate::agency::{Agency, AgencyError};
use crate::members;
use crate::topology::CLUSTER;

/// Where jobs stand that are not done: those that wait, and those under way.
const UNFINISHED: [&str; 2] = ["ToDo", "Pending"];

/// How long they may take to end. The supervision itself begins some, and those of a repaired cluster end soon. Less than
/// the look before a deployment stops may take, so that they are named there too.
const LIMIT: Duration = Duration::from_secs(4);

/// How long the agency may take to say it although the wait is over.
const LOOK: Duration = Duration::from_secs(1);

/// No job of a cluster's supervision may be unfinished.
pub(super) struct Unfinished;

impl Checker for Unfinished {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            if view.topology.shape != CLUSTER {
                return Ok(());
            }
            ended(view, Deadline::after(LIMIT)).await
        })
    }
}

/// Waits until there is none.
async fn ended(view: &View, deadline: Deadline) -> Result<(), String> {
    let agency = Agency::new(view);
    let mut poll = Poll::new(Duration::from_millis(50), Duration::from_millis(500));
    loop {
        let limit = deadline.left().max(LOOK);
        let found = unfinished(&agency.with_limit(limit), view).await;
        let found = found.map_err(|error| format!("cannot check: {error}"))?;
        if found.is_empty() {
            return Ok(());
        }
        if deadline.passed() {
            return Err(format!("unfinished jobs: {}", found.join(", ")));
        }
        poll.pause(deadline).await;
    }
}

/// Each in a few words.
async fn unfinished(agency: &Agency, view: &View) -> Result<Vec<String>, AgencyError> {
    let places = UNFINISHED.map(|state| format!("/arango/Target/{state}"));
    let tree = agency
        .read(&[&places[0], &places[1], members::SUPERVISED])
        .await?;
    let named = |id: &str| members::name_of(&tree, view, id);
    let mut found = Vec::new();
    for (state, place) in UNFINISHED.iter().zip(&places) {
        let jobs = tree.pointer(place).and_then(Value::as_object);
        for (id, job) in jobs.into_iter().flatten() {
            found.push(format!("{} ({state})", described(id, job, named)));
        }
    }
    Ok(found)
}

/// `moveShard 17 of s8 from dbserver-1 to dbserver-2`.
fn described(id: &str, job: &Value, named: impl Fn(&str) -> ServerKey) -> String {
    let said = |attribute: &str| job.get(attribute).and_then(Value::as_str);
    let mut text = format!("{} {id}", said("type").unwrap_or("job"));
    if let Some(shard) = said("shard") {
        text += &format!(" of {shard}");
    }
    let servers = [("server", "of"), ("fromServer", "from"), ("toServer", "to")];
    for (attribute, word) in servers {
        if let Some(server) = said(attribute) {
            text += &format!(" {word} {}", named(server));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scripted::{answer, run, run_as};
    use crate::system::tests::cluster_view;

    fn agency(to_do: &Value, pending: &Value) -> Vec<u8> {
        let server =
            |port: u32| json!({"Endpoint": format!("tcp://127.0.0.1:{port}"), "Status": "GOOD"});
        let tree = json!([{"arango": {
            "Target": {"ToDo": to_do, "Pending": pending},
            "Supervision": {"Health": {"PRMR-1": server(10002), "PRMR-2": server(10003)}},
        }}]);
        answer(200, &tree.to_string())
    }

    fn clean_out() -> Value {
        json!({"17": {"type": "cleanOutServer", "server": "PRMR-1", "jobId": "17"}})
    }

    #[test]
    fn jobs_that_end_soon_are_waited_for() {
        let (single, _) = run(vec![], async |view| Unfinished.check(&view, "").await);
        assert_eq!(single, Ok(()));
        let none = json!({});
        let answers = vec![
            agency(&clean_out(), &none),
            agency(&none, &clean_out()),
            agency(&none, &none),
        ];
        let (checked, seen) = run_as(cluster_view(1, 2, 1), answers, async |view| {
            Unfinished.check(&view, "").await
        });
        assert_eq!(checked, Ok(()));
        assert_eq!(
            seen[0].body,
            json!([[
                "/arango/Target/ToDo",
                "/arango/Target/Pending",
                "/arango/Supervision/Health"
            ]])
        );
    }

    #[test]
    fn others_are_named_with_their_servers() {
        let moved = json!({"17-1": {
            "type": "moveShard", "shard": "s8", "fromServer": "PRMR-1", "toServer": "PRMR-2",
        }, "18": {"type": "removeFollower", "shard": "s9"}, "19": {"type": "failedServer", "server": "PRMR-9"}});
        let answers = vec![agency(&moved, &clean_out())];
        let (checked, _) = run_as(cluster_view(1, 2, 1), answers, async |view| {
            ended(&view, Deadline::after(Duration::ZERO)).await
        });
        assert_eq!(
            checked.unwrap_err(),
            "unfinished jobs: moveShard 17-1 of s8 from dbserver-1 to dbserver-2 (ToDo), \
             removeFollower 18 of s9 (ToDo), failedServer 19 of PRMR-9 (ToDo), \
             cleanOutServer 17 of dbserver-1 (Pending)"
        );
    }
}
