//! A dbserver is cleaned out: all its shards move to others (`CleanOutServer.cpp` of
//! arangodb/arangodb).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::job::{Job, KILLED};
use super::step::Step;
use super::view::{Place, server_of};
use crate::supervision::health::Status;

pub(super) const CLEANED: &str = "Target/CleanedServers";
pub(super) const TO_BE_CLEANED: &str = "Target/ToBeCleanedServers";

/// The next step.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let server = job.text("server");
    if job.is_cancelled() {
        return give_up(job, server);
    }
    if !job.begun {
        return begin(job, server);
    }
    let status = job.view.status(server);
    if job.failed_sub_job() || status == Some(Status::Failed) {
        if let Some(waiting) = job.sub_jobs().iter().find(|sub_job| !sub_job.begun) {
            return Some(waiting.fail("the clean-out has failed"));
        }
        let reason = match status {
            Some(Status::Failed) => "server has failed",
            _ => "a sub job has failed",
        };
        let step = || job.fail(reason).erase(TO_BE_CLEANED, server);
        return job.sub_jobs().is_empty().then(step);
    }
    if !job.sub_jobs().is_empty() {
        return None;
    }
    match moves(job, server) {
        Err(reason) => Some(job.fail(&reason).erase(TO_BE_CLEANED, server)),
        Ok(moves) if moves.is_empty() => {
            // Whatever is planned in the meantime may be planned there.
            let version = job.view.at("Plan/Version");
            let step = job
                .finish()
                .if_is("Plan/Version", version)
                .erase(TO_BE_CLEANED, server)
                .push(CLEANED, server);
            Some(step)
        }
        Ok(moves) => Some(job.spawn(job.go_on("more sub jobs"), moves)),
    }
}

/// Ends a job that somebody has cancelled, after its sub jobs.
fn give_up(job: &Job<'_>, server: &str) -> Option<Step> {
    if !job.begun {
        return Some(job.fail(KILLED));
    }
    let sub_jobs = job.sub_jobs();
    if let Some(open) = sub_jobs.iter().find(|sub_job| !sub_job.is_cancelled()) {
        return Some(open.cancel());
    }
    let step = || job.fail(KILLED).erase(TO_BE_CLEANED, server);
    sub_jobs.is_empty().then(step)
}

fn begin(job: &Job<'_>, server: &str) -> Option<Step> {
    if job.view.at(&format!("Plan/DBServers/{server}")).is_null() {
        return Some(job.fail("server does not exist as DBServer in Plan"));
    }
    if job.view.lists(CLEANED, server) || job.view.lists(TO_BE_CLEANED, server) {
        return Some(job.fail("server has been cleaned out already, or is about to be"));
    }
    match job.view.status(server) {
        Some(Status::Good) => {}
        Some(Status::Failed) => return Some(job.fail("server has failed")),
        Some(Status::Bad) | None => return None,
    }
    let lock = format!("Supervision/DBServers/{server}");
    if !job.view.at(&lock).is_null() {
        return None;
    }
    let moves = match moves(job, server) {
        Ok(moves) => moves,
        Err(reason) => return Some(job.fail(&reason)),
    };
    let step = job
        .begin(&[])
        .if_absent(&lock)
        .set(&lock, job.id)
        .if_status(server, Status::Good.name())
        .push(TO_BE_CLEANED, server);
    Some(job.spawn(step, moves))
}

/// A move for each shard on the server, to whoever has the fewest; or why there is none.
fn moves(job: &Job<'_>, server: &str) -> Result<Vec<Value>, String> {
    let mut load: BTreeMap<&str, usize> = job
        .view
        .names("Plan/DBServers")
        .filter(|other| *other != server && job.view.is_open(other))
        .map(|other| (other, job.view.shards_on(other).len()))
        .collect();
    let mut moves = Vec::new();
    for place in job.view.shards_on(server) {
        let planned = job.view.planned(&place);
        let free = load
            .iter_mut()
            .filter(|(other, _)| !planned.iter().any(|entry| server_of(entry) == **other));
        let Some((to, load)) = free.min_by_key(|(_, load)| **load) else {
            let shard = &place.shard;
            return Err(format!("no server is there to take shard {shard}"));
        };
        *load += 1;
        let leads = planned.first().map(|entry| server_of(entry)) == Some(server);
        moves.push(one_move(&place, (server, to), leads, false, false));
    }
    Ok(moves)
}

/// A sub job that moves one shard.
pub(super) fn one_move(
    place: &Place,
    (from, to): (&str, &str),
    leads: bool,
    remains_follower: bool,
    undo: bool,
) -> Value {
    json!({
        "type": "moveShard",
        "database": place.database,
        "collection": place.collection,
        "shard": place.shard,
        "fromServer": from,
        "toServer": to,
        "isLeader": leads,
        "remainsFollower": remains_follower,
        "tryUndo": undo,
    })
}
