//! A leader that has resigned before its server was restarted leads again afterwards (`MoveShard.cpp`,
//! `Supervision::checkUndoLeaderChangeActions` of arangodb/arangodb).
//!
//! A move of a leader that is to be undone leaves an entry in `Target/ReturnLeadership` when it ends.
//! When the old leader has been restarted, is GOOD and in sync, a move back is made of it. What has not
//! begun after twenty minutes is forgotten.

use serde_json::{Value, json};

use super::job::{Clock, Job, create};
use super::step::Step;
use super::view::{Place, View};
use crate::supervision::health::Status;

const ENTRIES: &str = "Target/ReturnLeadership";
/// So long, in seconds, the old leader may take to come back.
const LIMIT: u64 = 20 * 60;

/// Adds the entry to the step that ends a move.
pub(super) fn remember(job: &Job<'_>, step: Step) -> Step {
    let path = format!("{ENTRIES}/{}", job.text("shard"));
    let reboot = reboot_id(job.view, job.text("fromServer"));
    if !job.view.at(&path).is_null() || reboot.is_null() {
        return step;
    }
    let entry = json!({
        "timeStamp": job.clock.text(),
        "removeIfNotStartedBy": job.clock.later(LIMIT).text(),
        "rebootId": reboot,
        "moveShard": job.entry,
    });
    step.set(&path, entry)
}

fn reboot_id<'a>(view: View<'a>, server: &str) -> &'a Value {
    view.at(&format!("Current/ServersKnown/{server}/rebootId"))
}

/// The shards that have an entry.
pub(super) fn entries(view: View<'_>) -> Vec<&str> {
    view.names(ENTRIES).collect()
}

/// What is to be done about an entry now.
pub(super) fn step(
    view: View<'_>,
    clock: Clock,
    shard: &str,
    mut ids: impl FnMut() -> Option<String>,
) -> Option<Step> {
    let path = format!("{ENTRIES}/{shard}");
    let entry = view.at(&path);
    let unchanged = |what: &str| Step::new(format!("{what} {shard}")).if_is(&path, entry);
    let (moved, started) = (&entry["moveShard"], !entry["started"].is_null());
    let text = |name: &str| moved[name].as_str().unwrap_or("");
    let place = Place {
        database: String::from(text("database")),
        collection: String::from(text("collection")),
        shard: String::from(shard),
    };
    let (from, to) = (text("fromServer"), text("toServer"));
    let late = entry["removeIfNotStartedBy"]
        .as_str()
        .is_some_and(|limit| limit < clock.text().as_str());
    let goes_on = || {
        let id = entry["jobId"].as_str().unwrap_or("");
        let stages = ["ToDo", "Pending"];
        let at = |stage: &&str| !view.at(&format!("Target/{stage}/{id}")).is_null();
        !id.is_empty() && stages.iter().any(at)
    };
    let over = if started { !goes_on() } else { late };
    if over || !view.planned(&place).contains(&from) {
        return Some(unchanged("nothing more to undo for").delete(&path));
    }
    let restarted = reboot_id(view, from).as_u64() > entry["rebootId"].as_u64();
    let follows = view.in_sync(&place).iter().skip(1).any(|id| *id == from);
    if started || !restarted || !follows || view.status(from) != Some(Status::Good) {
        return None;
    }
    let id = ids()?;
    let back = json!({
        "type": "moveShard",
        "database": place.database,
        "collection": place.collection,
        "shard": place.shard,
        "fromServer": to,
        "toServer": from,
        "isLeader": true,
        "remainsFollower": true,
        "tryUndo": false,
    });
    let step = unchanged("leads again:")
        .set(&format!("{path}/started"), clock.text())
        .set(&format!("{path}/jobId"), id.as_str());
    Some(step.and(create(&id, "supervision", clock, back)))
}
