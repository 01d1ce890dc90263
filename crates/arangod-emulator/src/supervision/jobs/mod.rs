//! Jobs: what is to be done in several steps, kept in the agency from their making in
//! `Target/ToDo` over `Target/Pending` to `Target/Finished` or `Target/Failed`.
//!
//! Nothing here waits or writes: a job's next step is computed from the tree, and is one transaction
//! whose preconditions are what it was computed from. So it does not matter which agent carries it
//! out, nor whether two do, nor how often.
//!
//! * `view` reads the tree, `step` is a transaction, `job` what all jobs have in common;
//! * `promotion` decides who becomes the leader of a shard, `maintenance` whom nobody touches, `undo`
//!   gives leaders back what they resigned from; the others are one kind of job each.

mod clean_out;
mod failed_follower;
mod failed_leader;
mod failed_server;
mod followers;
mod job;
mod maintenance;
mod move_shard;
mod promotion;
mod resign;
mod step;
#[cfg(test)]
mod tests;
mod undo;
mod view;

pub(super) use failed_server::report;
pub(super) use job::Clock;
pub(super) use maintenance::steps as maintenance;
pub(super) use step::Step;
pub(super) use view::View;

use job::{Job, create};

/// What the options say about jobs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The job of a failed leader plans one more follower.
    pub(crate) failed_leader_adds_follower: bool,
}

/// The next step of each job that can do one.
pub(super) fn steps(view: View<'_>, clock: Clock) -> Vec<Step> {
    let jobs = Job::open(view, clock);
    jobs.iter().filter_map(next).collect()
}

/// Jobs that nobody has asked for; `ids` names them.
pub(super) fn wanted(
    view: View<'_>,
    clock: Clock,
    rules: Rules,
    mut ids: impl FnMut() -> Option<String>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for server in failed_server::overlooked(view) {
        steps.extend(ids().map(|id| report(server, &id, rules, clock)));
    }
    for entry in undo::entries(view) {
        steps.extend(undo::step(view, clock, entry, &mut ids));
    }
    for entry in followers::wanted(view, clock) {
        steps.extend(ids().map(|id| create(&id, "supervision", clock, entry)));
    }
    steps
}

fn next(job: &Job<'_>) -> Option<Step> {
    match job.text("type") {
        "failedServer" => failed_server::step(job),
        "failedLeader" => failed_leader::step(job),
        "failedFollower" => failed_follower::step(job),
        "moveShard" => move_shard::step(job),
        "cleanOutServer" => clean_out::step(job),
        "resignLeadership" => resign::step(job),
        "addFollower" => followers::add(job),
        "removeFollower" => followers::remove(job),
        other => Some(job.fail(&format!("the emulator does not implement {other}"))),
    }
}
