//! Clusters as processes.

use serde_json::Value;

use crate::agents::Agents;
use crate::support::{Client, Place, Server, wait_for};

/// A cluster of three agents.
pub(crate) struct Cluster {
    pub(crate) agents: Agents,
    pub(crate) dbservers: Vec<(Place, Option<Server>)>,
    pub(crate) coordinators: Vec<(Place, Option<Server>)>,
}

impl Cluster {
    /// Everything is started at once; nobody waits for anybody but by itself.
    pub(crate) fn start(dbservers: usize, coordinators: usize) -> Self {
        Self::start_with(&[], &[], dbservers, coordinators)
    }

    /// The same with more arguments for the agents, and for everybody else.
    pub(crate) fn start_with(
        agents: &[&str],
        members: &[&str],
        dbservers: usize,
        coordinators: usize,
    ) -> Self {
        let members = with_copies_for(dbservers, members);
        let members = members.as_slice();
        let places = |count| (0..count).map(|_| (Place::new(), None)).collect();
        let mut cluster = Self {
            agents: Agents::plan(3, agents),
            dbservers: places(dbservers),
            coordinators: places(coordinators),
        };
        let agents = &cluster.agents;
        for (place, server) in &mut cluster.coordinators {
            *server = Some(spawn_with(agents, place, "COORDINATOR", members));
        }
        for (place, server) in &mut cluster.dbservers {
            *server = Some(spawn_with(agents, place, "PRIMARY", members));
        }
        for index in 0..3 {
            cluster.agents.boot(index);
        }
        for (_, server) in cluster
            .dbservers
            .iter_mut()
            .chain(&mut cluster.coordinators)
        {
            server.as_mut().unwrap().wait_until_ready();
        }
        cluster
    }

    pub(crate) fn client(&self, coordinator: usize) -> Client {
        self.coordinators[coordinator].1.as_ref().unwrap().client()
    }

    pub(crate) fn dbserver(&self, index: usize) -> &Server {
        self.dbservers[index].1.as_ref().unwrap()
    }

    /// The id of a server, as it says itself.
    pub(crate) fn id(server: &Server) -> String {
        let answer = server.client().get("/_admin/server/id").json();
        String::from(answer["id"].as_str().unwrap())
    }

    pub(crate) fn health(&self) -> Value {
        self.client(0).get("/_admin/cluster/health").json()["Health"].clone()
    }

    pub(crate) fn wait_for_status(&self, id: &str, status: &str) {
        let what = format!("{id} to be {status}");
        wait_for(&what, || {
            (self.health()[id]["Status"] == status).then_some(())
        });
    }

    pub(crate) fn wait_until_healthy(&self, servers: usize) {
        wait_for("health", || {
            let health = self.health();
            let good = |entry: &&Value| entry["Status"] == "GOOD";
            (health.as_object()?.values().filter(good).count() == servers).then_some(())
        });
    }
}

/// The arguments with as many copies of system collections as there can be.
pub(crate) fn with_copies_for<'a>(dbservers: usize, members: &[&'a str]) -> Vec<&'a str> {
    let alone = (dbservers == 1).then_some("--cluster.system-replication-factor=1");
    alone.into_iter().chain(members.iter().copied()).collect()
}

/// Starts a member and does not wait for it.
pub(crate) fn spawn(agents: &Agents, place: &Place, role: &str) -> Server {
    spawn_with(agents, place, role, &[])
}

/// The same with more arguments.
pub(crate) fn spawn_with(agents: &Agents, place: &Place, role: &str, more: &[&str]) -> Server {
    let mut args = vec![
        format!("--cluster.my-role={role}"),
        format!("--cluster.my-address=tcp://{}", place.port.address),
    ];
    args.extend(
        (0..agents.places.len())
            .map(|index| format!("--cluster.agency-endpoint={}", agents.endpoint(index))),
    );
    args.extend(more.iter().copied().map(String::from));
    place.spawn(&args.iter().map(String::as_str).collect::<Vec<_>>())
}
