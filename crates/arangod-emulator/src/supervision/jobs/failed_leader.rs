//! The leader of a shard has failed (`FailedLeader.cpp` of arangodb/arangodb): another one that has
//! everything is put in its place, and a server that does not have the shard is planned beside it.

use serde_json::json;

use super::job::Job;
use super::promotion::{new_leader, new_order};
use super::step::Step;
use super::view::server_of;
use crate::supervision::health::Status;

/// How long it may take, in seconds.
const LIMIT: u64 = 4620;

/// The next step; none while nobody is there to take over.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let place = job.place();
    let planned = job.view.planned(&place);
    // The collection has been dropped.
    let Some(leader) = planned.first().copied() else {
        return Some(job.finish());
    };
    if job.begun {
        let to = job.text("toServer");
        if leader != to {
            return Some(job.fail("the leader has been changed again"));
        }
        if job.view.leader(&place) == Some(to) {
            return Some(job.finish());
        }
        return job.is_late(LIMIT).then(|| job.fail("timeout"));
    }
    let from = job.text("fromServer");
    if server_of(leader) != from {
        return Some(job.fail("fromServer is no longer the leader"));
    }
    if job.view.status(from) != Some(Status::Failed) {
        return Some(job.fail("fromServer is no longer failed"));
    }
    let to = new_leader(job.view, &place, from)?;
    let adds = job.entry["addsFollower"] != false;
    let more = adds.then(|| job.view.spare(&planned)).flatten();
    let order = new_order(job.view, &place, from, to, more);
    // All that the choice rests on must still be so when the agency decides.
    let step = job
        .begin(&[("toServer", json!(to))])
        .plan(job.view, &place, &order)
        .if_in_sync_as(job.view, &place)
        .if_status(from, Status::Failed.name())
        .if_status(to, Status::Good.name())
        .set(&place.lock(), json!(job.id));
    Some(step)
}
