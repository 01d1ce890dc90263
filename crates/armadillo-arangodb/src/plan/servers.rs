//! The servers of a complete topology.

use armadillo_orchestrator::{Cost, ServerKey, ServerPlan, Stage, Topology};

use crate::attach;
use crate::launch;
use crate::role::Role;
use crate::topology::{
    AGENTS, COORDINATORS, DBSERVERS, SINGLE, SPARE_COORDINATORS, SPARE_DBSERVERS,
};

/// What a server costs. Of `arangod` these are estimates (without V8, and with little data); nobody measured them here.
const fn cost(role: Role) -> Cost {
    let (memory_mib, cpu_percent, disk_mib) = match role {
        Role::Single | Role::DbServer => (512, 30, 300),
        Role::Agent => (256, 10, 200),
        Role::Coordinator => (384, 20, 100),
    };
    Cost {
        memory_mib,
        cpu_percent,
        disk_mib,
    }
}

/// The servers of a complete topology.
///
/// Agents find each other and start at once. Dbservers and coordinators wait until every agent knows a leader: what asks an
/// agency without one is told to come again a second later. Coordinators start with the dbservers, for which their own boot
/// waits. Agents stop last (documentation, "Cluster Administration"; ArangoDB's own test utilities).
pub(crate) fn servers(topology: &Topology) -> Vec<ServerPlan> {
    if topology.shape == SINGLE {
        return vec![server(Role::Single, 1)];
    }
    let some = |role: Role, param: &str, spares: &str| {
        let count = topology.param(param).unwrap_or(1);
        let spares = topology.param(spares).unwrap_or(0);
        let numbers = 1..=count.saturating_add(spares);
        numbers.map(move |number| ServerPlan {
            spare: number > count,
            ..server(role, number)
        })
    };
    if topology.shape == attach::SHAPE {
        return some(Role::Coordinator, COORDINATORS, "").collect();
    }
    let mut agents: Vec<ServerPlan> = some(Role::Agent, AGENTS, "").collect();
    let mut others: Vec<ServerPlan> = some(Role::DbServer, DBSERVERS, SPARE_DBSERVERS)
        .chain(some(Role::Coordinator, COORDINATORS, SPARE_COORDINATORS))
        .collect();
    let coordinators: Vec<ServerKey> = keys(&others, Role::Coordinator);
    for server in &mut others {
        server.after = agents
            .iter()
            .map(|agent| (agent.key.clone(), Stage::Ready))
            .collect();
        if server.role == Role::DbServer.name() {
            server.stop_after.clone_from(&coordinators);
        }
    }
    let stopped_before: Vec<ServerKey> = others.iter().map(|server| server.key.clone()).collect();
    for agent in &mut agents {
        agent.stop_after.clone_from(&stopped_before);
    }
    agents.into_iter().chain(others).collect()
}

fn keys(servers: &[ServerPlan], role: Role) -> Vec<ServerKey> {
    servers
        .iter()
        .filter(|server| server.role == role.name())
        .map(|server| server.key.clone())
        .collect()
}

fn server(role: Role, number: u32) -> ServerPlan {
    ServerPlan {
        key: ServerKey::numbered(role.name(), number),
        role: role.name(),
        after: Vec::new(),
        stop_after: Vec::new(),
        ports: &[launch::PORT],
        cost: cost(role),
        spare: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{cluster, single};

    #[test]
    fn spares_are_planned_after_the_others() {
        let topology = cluster()
            .dbservers(2)
            .spare_dbservers(1)
            .spare_coordinators(1);
        let plan = servers(&topology.topology().to_topology()).into_iter();
        let spares = plan
            .filter(|server| server.spare)
            .map(|server| server.key.0);
        let spares: Vec<String> = spares.collect();
        assert_eq!(spares, ["dbserver-3", "coordinator-2"]);
    }

    #[test]
    fn a_single_server_is_alone() {
        let plan = servers(&single().topology().to_topology());
        assert_eq!(plan.len(), 1);
        assert_eq!((plan[0].key.as_str(), plan[0].role), ("single-1", "single"));
    }

    #[test]
    fn agents_start_first_and_stop_last() {
        let topology = cluster()
            .agents(3)
            .dbservers(2)
            .coordinators(2)
            .topology()
            .to_topology();
        let plan = servers(&topology);
        let names: Vec<&str> = plan.iter().map(|server| server.key.as_str()).collect();
        assert_eq!(
            names,
            [
                "agent-1",
                "agent-2",
                "agent-3",
                "dbserver-1",
                "dbserver-2",
                "coordinator-1",
                "coordinator-2"
            ]
        );
        let ready = |names: &[&str]| -> Vec<(ServerKey, Stage)> {
            names
                .iter()
                .map(|name| (ServerKey::from(*name), Stage::Ready))
                .collect()
        };
        for (number, server) in plan.iter().enumerate() {
            if number < 3 {
                assert!(server.after.is_empty());
                assert_eq!(server.stop_after.len(), 4);
            } else {
                assert_eq!(server.after, ready(&["agent-1", "agent-2", "agent-3"]));
            }
        }
        assert_eq!(
            plan[3].stop_after,
            [
                ServerKey::from("coordinator-1"),
                ServerKey::from("coordinator-2")
            ]
        );
        assert!(plan[5].stop_after.is_empty());
    }
}
