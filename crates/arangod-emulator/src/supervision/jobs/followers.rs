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
    let step = replan(job, &place, &planned, plan);
    Some(step.if_status(to, Status::Good.name()))
}

/// The only step of `removeFollower`.
pub(super) fn remove(job: &Job<'_>) -> Option<Step> {
    let place = job.place();
    let Some(from) = removed(job.view, &place) else {
        return Some(job.fail("there is nobody to remove"));
    };
    let planned = job.view.planned(&place);
    let plan = planned.iter().copied().filter(|server| *server != from);
    Some(replan(job, &place, &planned, plan))
}

fn replan<'a>(
    job: &Job<'_>,
    place: &Place,
    planned: &[&str],
    plan: impl Iterator<Item = &'a str>,
) -> Step {
    let plan: Vec<String> = plan.map(String::from).collect();
    job.finish()
        .plan(place, planned, &plan)
        .if_absent(&place.lock())
        .if_is(&place.servers(), job.view.at(&place.servers()))
}

/// Whether a shard has a leader that serves, and nobody works on it.
fn is_quiet(view: View<'_>, place: &Place) -> bool {
    let planned = view.planned(place);
    planned.first().is_some_and(|leader| {
        view.in_sync(place).first() == Some(leader) && view.status(leader) == Some(Status::Good)
    }) && view.at(&place.lock()).is_null()
}

/// Who is to be added.
fn added<'a>(view: View<'a>, place: &Place) -> Option<&'a str> {
    let planned = view.planned(place);
    let few = planned.len() < view.factor(place)?;
    if few && is_quiet(view, place) {
        view.spare(&planned)
    } else {
        None
    }
}

/// Who is to go: rather one that has failed than one that lacks something, rather that than one that
/// has everything, and of those one only if enough are left.
fn removed<'a>(view: View<'a>, place: &Place) -> Option<&'a str> {
    let (planned, in_sync) = (view.planned(place), view.in_sync(place));
    let factor = view.factor(place)?;
    if planned.len() <= factor || !is_quiet(view, place) {
        return None;
    }
    let followers = || planned.iter().skip(1).rev().copied();
    let failed = followers().find(|server| view.status(server) == Some(Status::Failed));
    let behind = || followers().find(|server| !in_sync.contains(server));
    let spare = || followers().next().filter(|_| in_sync.len() > factor);
    failed.or_else(behind).or_else(spare)
}
