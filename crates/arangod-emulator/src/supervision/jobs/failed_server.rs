//! A dbserver has failed (`FailedServer.cpp` of arangodb/arangodb): each shard that is planned on it
//! gets a sub job. One that it only follows gets it once: when there is nobody to take its place then,
//! `addFollower` finds somebody later.

use serde_json::{Value, json};

use super::Rules;
use super::job::{Clock, Job, create};
use super::step::Step;
use super::view::{Place, View, server_of};
use crate::supervision::health::Status;

/// Writes down that a server has failed, and what is to be done.
pub(in crate::supervision) fn report(server: &str, id: &str, rules: Rules, clock: Clock) -> Step {
    let failed = format!("Target/FailedServers/{server}");
    let entry = json!({
        "type": "failedServer",
        "server": server,
        "failedLeaderAddsFollower": rules.failed_leader_adds_follower,
    });
    create(id, "supervision", clock, entry)
        .if_absent(&failed)
        .set(&failed, json!([]))
}

/// Servers that have failed and are not written down: their maintenance is over, or another leader
/// of the agency has found it out.
pub(in crate::supervision) fn overlooked(view: View<'_>) -> Vec<&str> {
    let failed = |server: &&str| {
        view.status(server) == Some(Status::Failed)
            && !view.is_maintained(server)
            && view.at(&format!("Target/FailedServers/{server}")).is_null()
    };
    view.names("Plan/DBServers").filter(failed).collect()
}

/// The next step.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let server = job.text("server");
    let failed = job.view.status(server) == Some(Status::Failed);
    if !job.begun {
        if !failed {
            let reason = format!("Server {server} is no longer failed. Not starting the job");
            return Some(job.fail(&reason));
        }
        let lock = format!("Supervision/DBServers/{server}");
        // Whatever works on a server that has failed cannot go on, and finds that out itself.
        let step = job
            .begin(&[])
            .if_status(server, Status::Failed.name())
            .set(&lock, json!(job.id));
        let mut sub_jobs = leading(job, server);
        sub_jobs.extend(following(job, server));
        return Some(job.spawn(step, sub_jobs));
    }
    let open = job.sub_jobs();
    if !failed {
        // What has not begun is not needed any more.
        let waiting = open.iter().find(|sub_job| !sub_job.begun);
        return match waiting {
            Some(sub_job) => Some(sub_job.fail("the server is no longer failed")),
            None if open.is_empty() => Some(job.finish()),
            None => None,
        };
    }
    let more = leading(job, server);
    if !more.is_empty() {
        let step = job.go_on("more sub jobs");
        let step = step.if_status(server, Status::Failed.name());
        return Some(job.spawn(step, more));
    }
    open.is_empty().then(|| job.finish())
}

/// Sub jobs for the shards that the server leads and about which there is none.
fn leading(job: &Job<'_>, server: &str) -> Vec<Value> {
    let open = Job::open(job.view, job.clock).into_iter();
    let open = open
        .filter(|other| other.text("fromServer") == server && other.text("type") == "failedLeader");
    let open: Vec<Place> = open.map(|other| other.place()).collect();
    let led = shards(job, server, true).into_iter();
    led.filter(|place| !open.contains(place))
        .map(|place| {
            let mut entry = sub_job("failedLeader", &place, server);
            entry["addsFollower"] = json!(job.entry["failedLeaderAddsFollower"] != false);
            entry
        })
        .collect()
}

/// Sub jobs for the shards that the server follows.
fn following(job: &Job<'_>, server: &str) -> Vec<Value> {
    let followed = shards(job, server, false).into_iter();
    followed
        .map(|place| sub_job("failedFollower", &place, server))
        .collect()
}

/// The shards that the server leads, or those that it follows.
fn shards(job: &Job<'_>, server: &str, led: bool) -> Vec<Place> {
    let mut places = job.view.shards_on(server);
    places.retain(|place| {
        let leader = job.view.planned(place).first().copied().unwrap_or("");
        (server_of(leader) == server) == led
    });
    places
}

fn sub_job(kind: &str, place: &Place, server: &str) -> Value {
    json!({
        "type": kind,
        "database": place.database,
        "collection": place.collection,
        "shard": place.shard,
        "fromServer": server,
    })
}
