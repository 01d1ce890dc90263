//! A follower of a shard has failed (`FailedFollower.cpp` of arangodb/arangodb): a server that has
//! not got the shard takes its place, if there is one; if there are too many anyway, nobody does.

use super::job::Job;
use super::step::Step;
use super::view::server_of;
use crate::supervision::health::Status;

/// The only step; none while there is nobody, or the shard has no leader who could teach anybody.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let (place, from) = (job.place(), job.text("fromServer"));
    let planned = job.view.planned(&place);
    let Some(leader) = planned.first().copied() else {
        return Some(job.finish());
    };
    if server_of(leader) == from || !planned.contains(&from) {
        return Some(job.fail("fromServer is no longer a follower"));
    }
    if job.view.status(from) != Some(Status::Failed) {
        return Some(job.fail("fromServer is no longer failed"));
    }
    // Until a leader serves, the one that has failed may be the only one who has everything.
    let serves = job.view.in_sync(&place).first() == Some(&leader);
    let locked = !job.view.at(&place.lock()).is_null();
    if locked || !serves || job.view.status(leader) != Some(Status::Good) {
        return None;
    }
    let mut replaced: Vec<String> = planned.iter().copied().map(String::from).collect();
    let mut step = job.finish();
    if job
        .view
        .factor(&place)
        .is_some_and(|factor| planned.len() > factor)
    {
        replaced.retain(|server| server != from);
    } else {
        let to = job.view.spare(&planned)?;
        step = step.if_status(to, Status::Good.name());
        for server in replaced.iter_mut().filter(|server| *server == from) {
            *server = String::from(to);
        }
    }
    let step = step
        .plan(&place, &planned, &replaced)
        .if_absent(&place.lock())
        .if_is(&place.servers(), job.view.at(&place.servers()))
        .if_status(from, Status::Failed.name())
        .if_status(leader, Status::Good.name());
    Some(step)
}
