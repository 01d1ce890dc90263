//! What the three roles of a cluster get beside what every server gets.

use armadillo_orchestrator::{Place, ServerKey, View};

use super::options::Options;
use super::{FAILOVER, PORT, endpoint_scheme};
use crate::role::Role;
use crate::topology::{AGENTS, DBSERVERS, FAST_FAILOVER, REPLICATION_FACTOR};

/// The periods of the supervision, in seconds. A heartbeat comes each second.
struct Periods {
    /// How often it looks at the cluster.
    frequency: f64,
    /// How long after its last heartbeat a server is good.
    ok_threshold: f64,
    /// How long after its last heartbeat a server is failed. It must be more than the threshold above, or a server would be
    /// failed that was never bad.
    grace_period: f64,
}

/// Those of `arangod` itself, which the Starter and the Kubernetes operator keep.
const STANDARD: Periods = Periods {
    frequency: 1.0,
    ok_threshold: 5.0,
    grace_period: 10.0,
};

/// Those of ArangoDB's own resilience tests.
const FAST: Periods = Periods {
    frequency: 0.5,
    ok_threshold: 1.5,
    grace_period: 2.5,
};

/// The setting that stretches every time limit of a run on a slow machine.
const TIMEOUT_FACTOR: &str = "timeout-factor";

/// A member of the agency. It is told where all of them are, itself too, as ArangoDB's own test utilities do.
pub(super) fn agent(options: &mut Options, view: &View, server: &ServerKey, place: &Place) {
    let factor = slowness(view);
    let periods = periods(view, server);
    options.set("agency.activate", "true");
    options.set("agency.size", number(view, AGENTS));
    options.set("agency.my-address", advertised(view, place));
    for endpoint in agents(view) {
        options.add("agency.endpoint", endpoint);
    }
    options.set("agency.supervision", "true");
    let seconds = |seconds: f64| (seconds * factor).to_string();
    options.set("agency.supervision-frequency", seconds(periods.frequency));
    options.set(
        "agency.supervision-ok-threshold",
        seconds(periods.ok_threshold),
    );
    options.set(
        "agency.supervision-grace-period",
        seconds(periods.grace_period),
    );
    // What was handed to the kernel survives the process; nobody tests the loss of a machine's power here.
    options.set("agency.wait-for-sync", "false");
}

/// How soon the supervision of this agent is to act: as the topology says, or the setting; short where nobody does and the
/// agent is the stand-in, which is no `arangod` to be tested.
fn periods(view: &View, server: &ServerKey) -> Periods {
    let said = view.settings.get(FAILOVER);
    let is_fast = match said {
        _ if view.topology.param(FAST_FAILOVER).is_some() => true,
        None => view.stand_ins.contains(server),
        Some(said) => said == "fast",
    };
    match is_fast {
        true => FAST,
        false => STANDARD,
    }
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
    options.set("cluster.my-address", advertised(view, place));
    for endpoint in agents(view) {
        options.add("cluster.agency-endpoint", endpoint);
    }
}

/// The addresses of all agents, as their peers reach them.
fn agents(view: &View) -> impl Iterator<Item = String> + '_ {
    view.of_role(Role::Agent.name())
        .map(|(_, place)| advertised(view, place))
}

/// Where peers reach a server.
fn advertised(view: &View, place: &Place) -> String {
    let address = place.advertise.get(PORT).map_or("", String::as_str);
    format!("{}://{address}", endpoint_scheme(view))
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
