//! What the three roles of a cluster get beside what every server gets.

use armadillo_orchestrator::{Place, View};

use super::PORT;
use super::options::Options;
use crate::role::Role;
use crate::topology::{AGENTS, DBSERVERS, REPLICATION_FACTOR};

/// How often the supervision looks at the cluster, in seconds; `arangod`'s own is 1. ArangoDB's resilience tests use this.
const SUPERVISION_FREQUENCY: f64 = 0.5;

/// How long after its last heartbeat a server is good, in seconds; `arangod`'s own is 5. A heartbeat comes each second.
const OK_THRESHOLD: f64 = 2.0;

/// How long after its last heartbeat a server is failed, in seconds; `arangod`'s own is 10, ArangoDB's resilience tests
/// use 2.5. It must be more than the threshold above, or a server would be failed that was never bad.
const GRACE_PERIOD: f64 = 3.0;

/// The setting that stretches every time limit of a run on a slow machine.
const TIMEOUT_FACTOR: &str = "timeout-factor";

/// A member of the agency. It is told where all of them are, itself too, as ArangoDB's own test utilities do.
pub(super) fn agent(options: &mut Options, view: &View, place: &Place) {
    let factor = slowness(view);
    options.set("agency.activate", "true");
    options.set("agency.size", number(view, AGENTS));
    options.set("agency.my-address", advertised(place));
    for endpoint in agents(view) {
        options.add("agency.endpoint", endpoint);
    }
    options.set("agency.supervision", "true");
    let seconds = |seconds: f64| (seconds * factor).to_string();
    options.set(
        "agency.supervision-frequency",
        seconds(SUPERVISION_FREQUENCY),
    );
    options.set("agency.supervision-ok-threshold", seconds(OK_THRESHOLD));
    options.set("agency.supervision-grace-period", seconds(GRACE_PERIOD));
    // What was handed to the kernel survives the process; nobody tests the loss of a machine's power here.
    options.set("agency.wait-for-sync", "false");
}

/// A server that holds shards.
pub(super) fn dbserver(options: &mut Options, view: &View, place: &Place) {
    member(options, view, place, "DBSERVER");
}

/// A server that clients talk to. Collections of `_system` have two copies where there are two dbservers, so that the loss
/// of one does not take the users along.
pub(super) fn coordinator(options: &mut Options, view: &View, place: &Place) {
    member(options, view, place, "COORDINATOR");
    let copies = number(view, REPLICATION_FACTOR);
    let of_system = view.topology.param(DBSERVERS).unwrap_or(1).min(2);
    options.set("cluster.default-replication-factor", copies);
    options.set("cluster.system-replication-factor", of_system.to_string());
}

/// What dbservers and coordinators have in common.
fn member(options: &mut Options, view: &View, place: &Place, role: &str) {
    options.set("cluster.my-role", role);
    options.set("cluster.my-address", advertised(place));
    for endpoint in agents(view) {
        options.add("cluster.agency-endpoint", endpoint);
    }
}

/// The addresses of all agents, as their peers reach them.
fn agents(view: &View) -> impl Iterator<Item = String> {
    view.of_role(Role::Agent.name())
        .map(|(_, place)| advertised(place))
}

/// Where peers reach a server.
fn advertised(place: &Place) -> String {
    let address = place.advertise.get(PORT).map_or("", String::as_str);
    format!("tcp://{address}")
}

fn number(view: &View, name: &str) -> String {
    view.topology.param(name).unwrap_or(1).to_string()
}

/// How much longer than usual everything may take: a machine that needs longer time limits misses heartbeats, too.
fn slowness(view: &View) -> f64 {
    let factor = view.settings.get(TIMEOUT_FACTOR);
    factor
        .and_then(|factor| factor.parse::<f64>().ok())
        .filter(|factor| factor.is_finite())
        .unwrap_or(1.0)
        .clamp(1.0, 100.0)
}
