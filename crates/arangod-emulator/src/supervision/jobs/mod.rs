//! Jobs: what is to be done in several steps, kept in the agency from their making in
//! `Target/ToDo` over `Target/Pending` to `Target/Finished` or `Target/Failed`.
//!
//! Nothing here waits or writes: a job's next step is computed from the tree, and is one transaction
//! whose preconditions are what it was computed from. So it does not matter which agent carries it
//! out, nor whether two do, nor how often.
//!
//! * `view` reads the tree, `step` is a transaction, `job` what all jobs have in common;
//! * `promotion` decides who becomes the leader of a shard; the others are one kind of job each.

mod failed_follower;
mod failed_leader;
mod failed_server;
mod job;
mod promotion;
mod step;
#[cfg(test)]
mod tests;
mod view;

pub(super) use failed_server::{overlooked, report};
pub(super) use job::Clock;
pub(super) use step::Step;
pub(super) use view::View;

use job::Job;

/// The next step of each job that can do one.
pub(super) fn steps(view: View<'_>, clock: Clock) -> Vec<Step> {
    let jobs = Job::open(view, clock);
    jobs.iter().filter_map(next).collect()
}

fn next(job: &Job<'_>) -> Option<Step> {
    match job.text("type") {
        "failedServer" => failed_server::step(job),
        "failedLeader" => failed_leader::step(job),
        "failedFollower" => failed_follower::step(job),
        other => Some(job.fail(&format!("the emulator does not implement {other}"))),
    }
}
