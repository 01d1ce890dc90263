//! Rolling restarts and upgrades: their plan, and the steps that only ArangoDB knows.
//!
//! The order is that of the manual ("Manually upgrading a cluster deployment") and of ArangoDB's own harnesses: agents, dbservers,
//! coordinators. A dbserver gives up its leadership before it is stopped, and its shards are in sync again before the next.

use armadillo_orchestrator::operations::rolling::HEALTHY;
use armadillo_orchestrator::operations::{Change, Rolling, RollingServer, SystemStep, Version};
use armadillo_orchestrator::{ServerKey, Step, Tried, View};
use serde_json::Value;

use crate::agency::Agency;
use crate::client::ArangoClient;
use crate::health;
use crate::members;
use crate::role::Role;
use crate::steps::LIMIT;
use crate::steps::jobs::Job;

/// Gate: the supervision has done so.
const RESIGNED: &str = "resigned";
/// Gate: the server says that it has this version.
const VERSION: &str = "version";
/// Gate: every shard has its leader and all its copies.
const IN_SYNC: &str = "in-sync";

/// Where jobs stand that are not done.
const UNFINISHED: [&str; 2] = ["/arango/Target/ToDo", "/arango/Target/Pending"];

/// Roles in their order; among agents, who leads comes last.
pub(crate) fn plan(rolling: &Rolling) -> Vec<Step> {
    let mut servers: Vec<&RollingServer> = rolling.servers.iter().collect();
    servers.sort_by_key(|server| match Role::of_name(&server.role) {
        Some(Role::Agent) => 0,
        Some(Role::DbServer) => 1,
        Some(Role::Coordinator | Role::Single) | None => 2,
    });
    let turns = rolling.changes.iter().flat_map(|change| {
        let servers = servers.iter();
        servers.flat_map(move |server| turn(server, change))
    });
    turns.collect()
}

/// A server's turn.
fn turn(server: &RollingServer, change: &Change) -> Vec<Step> {
    let key = Some(&server.key);
    let is_dbserver = Role::of_name(&server.role) == Some(Role::DbServer);
    let mut steps = Vec::new();
    if is_dbserver {
        steps.push(Step::act(key, Job::Resign.step()));
        steps.push(Step::gate(key, SystemStep::new(RESIGNED)));
    }
    steps.push(change.restart(&server.key));
    if let Some(version) = change.program.as_ref().and_then(Version::of) {
        steps.push(Step::gate(
            key,
            SystemStep::with(VERSION, version.to_string()),
        ));
    }
    if is_dbserver {
        steps.push(Step::gate(key, SystemStep::new(IN_SYNC)));
    }
    steps.push(Step::gate(None, SystemStep::new(HEALTHY)));
    steps
}

/// One try, or one look; `None` if it is no step of a rolling operation.
pub(crate) async fn try_step(
    view: &View,
    server: Option<&ServerKey>,
    step: &SystemStep,
) -> Option<Tried> {
    let tried = match (step.name.as_str(), server) {
        (RESIGNED, Some(server)) => resigned(view, server).await,
        (VERSION, Some(server)) => has_version(view, server, &step.argument).await,
        (IN_SYNC, _) => in_sync(view).await,
        _ => return None,
    };
    Some(match tried {
        Ok(seen) => Tried::Done(seen),
        Err(why) => Tried::NotYet(why),
    })
}

/// Whether no job of this kind for it is unfinished.
async fn resigned(view: &View, server: &ServerKey) -> Result<String, String> {
    let agency = Agency::new(view).with_limit(LIMIT);
    let [to_do, pending] = UNFINISHED;
    let tree = agency.read(&[to_do, pending, members::SUPERVISED]).await;
    let tree = tree.map_err(|error| error.to_string())?;
    for place in UNFINISHED {
        let jobs = tree.pointer(place).and_then(Value::as_object);
        for (id, job) in jobs.into_iter().flatten() {
            let said = |attribute: &str| job.get(attribute).and_then(Value::as_str);
            let of = said("server").map(|id| members::name_of(&tree, view, id));
            if said("type") == Some("resignLeadership") && of.as_ref() == Some(server) {
                return Err(format!("job {id} is not done"));
            }
        }
    }
    Ok(String::new())
}

async fn has_version(view: &View, server: &ServerKey, wanted: &str) -> Result<String, String> {
    let client = ArangoClient::superuser_at(view, server).with_limit(LIMIT);
    let said = client.version().await.map_err(|error| error.to_string())?;
    match Version::parse(&said.version) == Version::parse(wanted) {
        true => Ok(String::new()),
        false => Err(format!("it says {}", said.version)),
    }
}

async fn in_sync(view: &View) -> Result<String, String> {
    let health = health::health(view).await;
    let parts = health.parts.iter();
    let missing = parts.filter_map(|(name, part)| Some(format!("{name}: {}", part.missing()?)));
    let missing: Vec<String> = missing.chain(health.complaints.iter().cloned()).collect();
    match missing.is_empty() {
        true => Ok(format!("{} shards", health.parts.len())),
        false => Err(missing.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(role: &str, number: u32, leads: &[&str]) -> RollingServer {
        RollingServer {
            key: ServerKey::numbered(role, number),
            role: role.into(),
            version: None,
            runs: true,
            has_older_data: false,
            leads: leads.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn agents_come_first_and_dbservers_resign() {
        // As the orchestrator gives them: those that lead nothing first.
        let servers = vec![
            server("agent", 2, &[]),
            server("coordinator", 1, &[]),
            server("agent", 1, &["agency"]),
            server("dbserver", 1, &["shard s1 of db/docs"]),
        ];
        let changes = vec![Change::default()];
        let steps = plan(&Rolling { servers, changes });
        let said: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "agent-2: restart",
                "wait for healthy",
                "agent-1: restart",
                "wait for healthy",
                "dbserver-1: resign-leadership",
                "dbserver-1: wait for resigned",
                "dbserver-1: restart",
                "dbserver-1: wait for in-sync",
                "wait for healthy",
                "coordinator-1: restart",
                "wait for healthy",
            ]
        );
    }
}
