//! A dbserver gives up the lead of its shards (`ResignLeadership.cpp` of arangodb/arangodb). Shards
//! that nobody else has in sync stay as they are. Unless `undoMoves` is false, it leads again after a restart.

use serde_json::Value;

use super::clean_out::{CLEANED, TO_BE_CLEANED, one_move};
use super::job::Job;
use super::promotion::ready_to_lead;
use super::step::Step;
use super::view::server_of;
use crate::supervision::health::Status;

/// The next step.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let server = job.text("server");
    let status = job.view.status(server);
    if !job.begun {
        if job.view.at(&format!("Plan/DBServers/{server}")).is_null() {
            return Some(job.fail("server does not exist as DBServer in Plan"));
        }
        if status == Some(Status::Failed) {
            return Some(job.fail("server has failed"));
        }
        if job.view.lists(CLEANED, server) {
            return Some(job.fail("server must not be in `Target/CleanedServers`"));
        }
        if job.view.available() == 1 {
            return Some(job.fail(&format!("server {server} cannot resign")));
        }
        let lock = format!("Supervision/DBServers/{server}");
        if status != Some(Status::Good) || !job.view.at(&lock).is_null() {
            return None;
        }
        let step = job
            .begin(&[])
            .if_absent(&lock)
            .set(&lock, job.id)
            .if_status(server, Status::Good.name())
            .push(TO_BE_CLEANED, server);
        return Some(job.spawn(step, moves(job, server)));
    }
    if let Some(waiting) = job.sub_jobs().iter().find(|sub_job| !sub_job.begun)
        && status == Some(Status::Failed)
    {
        return Some(waiting.fail("the server has failed"));
    }
    if !job.sub_jobs().is_empty() {
        return None;
    }
    if job.failed_sub_job() {
        return Some(
            job.fail("a sub job has failed")
                .erase(TO_BE_CLEANED, server),
        );
    }
    Some(job.finish().erase(TO_BE_CLEANED, server))
}

fn moves(job: &Job<'_>, server: &str) -> Vec<Value> {
    let undo = job.entry["undoMoves"] != false;
    let mut moves = Vec::new();
    for place in job.view.shards_on(server) {
        let planned = job.view.planned(&place);
        let leads = planned.first().map(|entry| server_of(entry)) == Some(server);
        let ready = ready_to_lead(job.view, &place, server);
        let mut ready = ready.into_iter().filter(|server| job.view.is_open(server));
        if leads && let Some(to) = ready.next() {
            moves.push(one_move(&place, (server, to), true, true, undo));
        }
    }
    moves
}
