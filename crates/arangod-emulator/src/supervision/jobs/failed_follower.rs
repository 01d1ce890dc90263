//! A follower of a shard has failed (`FailedFollower.cpp` of arangodb/arangodb): a server that does not
//! have the shard takes its place. The one that has failed stays planned behind all others, for it
//! may come back before the new one has everything; `removeFollower` takes one of them away later.

use super::job::Job;
use super::step::Step;
use super::view::server_of;
use crate::supervision::health::Status;

/// How long it may wait, in seconds.
const LIMIT: u64 = 4620;

/// The only step; none while another job works on the shard. It does not matter whether the shard has
/// a leader.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let (place, from) = (job.place(), job.text("fromServer"));
    let planned = job.view.planned(&place);
    // The collection has been dropped, or somebody else has taken the server out.
    if !planned.iter().any(|entry| server_of(entry) == from) {
        return Some(job.finish());
    }
    if server_of(planned[0]) == from {
        return Some(job.fail("fromServer is no longer a follower"));
    }
    if job.view.status(from) != Some(Status::Failed) {
        return Some(job.fail("fromServer is no longer failed"));
    }
    let Some(to) = job.view.spare(&planned) else {
        return Some(job.fail("No server available."));
    };
    if job.is_late(LIMIT) {
        return Some(job.fail("Job timed out"));
    }
    if !job.view.at(&place.lock()).is_null() {
        return None;
    }
    let replaced = planned.iter().map(|server| match *server == from {
        true => to,
        false => *server,
    });
    let plan: Vec<String> = replaced.chain([from]).map(String::from).collect();
    let step = job
        .finish()
        .plan(job.view, &place, &plan)
        .if_absent(&place.lock())
        .if_absent(&format!("Supervision/DBServers/{to}"))
        .if_status(from, Status::Failed.name())
        .if_status(to, Status::Good.name());
    Some(step)
}
