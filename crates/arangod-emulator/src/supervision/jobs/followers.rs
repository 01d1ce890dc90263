//! As many servers for a shard as its replication factor says (`Supervision::enforceReplication`,
//! `AddFollower.cpp` and `RemoveFollower.cpp` of arangodb/arangodb).

use serde_json::{Value, json};

use super::job::{Clock, Job};
use super::step::Step;
use super::view::{Place, View};
use crate::supervision::health::Status;

/// Jobs for the shards that have too few followers, or too many.
pub(super) fn wanted(view: View<'_>, clock: Clock) -> Vec<Value> {
    let busy: Vec<Place> = Job::open(view, clock).iter().map(Job::place).collect();
    let places = view.shards().into_iter();
    places
        .filter(|place| !busy.contains(place))
        .filter_map(|place| {
            let kind = if added(view, &place).is_some() {
                "addFollower"
            } else if removed(view, &place).is_some() {
                "removeFollower"
            } else {
                return None;
            };
            Some(json!({
                "type": kind,
                "database": place.database,
                "collection": place.collection,
                "shard": place.shard,
            }))
        })
        .collect()
}

/// The only step of `addFollower`.
pub(super) fn add(job: &Job<'_>) -> Option<Step> {
    let place = job.place();
    let Some(to) = added(job.view, &place) else {
        return Some(job.fail("there is nothing to add, or nobody"));
    };
    let planned = job.view.planned(&place);
    let plan = planned.iter().copied().chain([to]);
    let step = replan(job, &place, plan);
    Some(step.if_status(to, Status::Good.name()))
}

/// The only step of `removeFollower`.
pub(super) fn remove(job: &Job<'_>) -> Option<Step> {
    let place = job.place();
    let Some(gone) = removed(job.view, &place) else {
        return Some(job.fail("there is nobody to remove"));
    };
    let planned = job.view.planned(&place);
    let kept = || {
        planned
            .iter()
            .copied()
            .filter(|server| !gone.contains(server))
    };
    let step = replan(job, &place, kept());
    Some(kept().fold(step, |step, server| {
        step.if_status(server, Status::Good.name())
    }))
}

fn replan<'a>(job: &Job<'_>, place: &Place, plan: impl Iterator<Item = &'a str>) -> Step {
    let plan: Vec<String> = plan.map(String::from).collect();
    job.finish()
        .plan(job.view, place, &plan)
        .if_absent(&place.lock())
        .if_in_sync_as(job.view, place)
}

/// Whether a shard has a leader that serves, and nobody works on it.
fn is_quiet(view: View<'_>, place: &Place) -> bool {
    let planned = view.planned(place);
    planned.first().is_some_and(|leader| {
        view.leader(place) == Some(*leader) && view.status(leader) == Some(Status::Good)
    }) && view.at(&place.lock()).is_null()
}

/// Who is to be added: followers that have failed do not count, but they are not forgotten either.
fn added<'a>(view: View<'a>, place: &Place) -> Option<&'a str> {
    let planned = view.planned(place);
    let factor = view.factor(place)?;
    let lives =
        |server: &&&str| view.status(server) != Some(Status::Failed) || view.is_maintained(server);
    let copies = 1 + planned.iter().skip(1).filter(lives).count();
    if copies < factor && planned.len() < factor + 2 && is_quiet(view, place) {
        view.spare(&planned)
    } else {
        None
    }
}

/// Who is to go, if enough are left that are GOOD and have everything: rather those that are not GOOD
/// than those that lack something, rather these than those that are cleaned out, and those at the end.
fn removed<'a>(view: View<'a>, place: &Place) -> Option<Vec<&'a str>> {
    let (planned, in_sync) = (view.planned(place), view.in_sync(place));
    let factor = view.factor(place)?;
    if planned.len() <= factor || !is_quiet(view, place) {
        return None;
    }
    let good = |server: &str| view.status(server) == Some(Status::Good);
    let whole = |server: &str| good(server) && in_sync.contains(&server);
    if planned.iter().filter(|server| whole(server)).count() < factor {
        return None;
    }
    let leaves = |server: &str| {
        let lists = ["Target/CleanedServers", "Target/ToBeCleanedServers"];
        lists.iter().any(|list| view.lists(list, server))
    };
    let mut followers: Vec<&str> = planned.iter().skip(1).rev().copied().collect();
    // The order of equals stays.
    followers.sort_by_key(|server| (good(server), whole(server), !leaves(server)));
    followers.truncate(planned.len() - factor);
    Some(followers)
}
