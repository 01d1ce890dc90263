//! What Armadillo has to know of the product.

use std::path::Path;

use armadillo::orchestrator::{
    Applet, Candidate, Cost, ExitMeaning, Fut, Health, Identity, Launch, PlanError, Probe,
    ServerKey, ServerPlan, Settings, Stage, State, StaticTopology, System, Topology, View,
    build_id, inventory, register_system,
};

use armadillo::orchestrator::links::{CLIENT_LINKS, LINKS};

use crate::server;

/// The system: a value without state.
pub struct TallySystem;

register_system!(TallySystem);

inventory::submit! {
    Applet { name: "tally", main: server::main, build: Some(build) }
}

/// Test executables with the same server share its processes.
fn build() -> String {
    build_id::<TallySystem>(&[include_str!("server.rs")])
}

/// The topology builder: `tally()` or, in a test's attribute, `tally(servers = 2)`.
#[must_use]
pub const fn tally() -> TallyTopology {
    TallyTopology(StaticTopology::new("tally", "servers").with("servers", 1))
}

/// See [`tally`].
pub struct TallyTopology(StaticTopology);

impl TallyTopology {
    /// How many servers, each with counters of its own.
    #[must_use]
    pub const fn servers(self, servers: u32) -> Self {
        Self(self.0.with("servers", servers))
    }

    /// With a proxy between the servers. They have nothing to say to each other.
    #[must_use]
    pub const fn links(self) -> Self {
        Self(self.0.with_word(LINKS))
    }

    /// With a proxy between clients and each server.
    #[must_use]
    pub const fn client_links(self) -> Self {
        Self(self.0.with_word(CLIENT_LINKS))
    }

    /// The finished value.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

impl System for TallySystem {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn programs(&self, _settings: &Settings) -> Vec<Candidate> {
        vec![Candidate::BuiltIn { applet: "tally" }]
    }

    fn how_to_get(&self) -> String {
        "it is built into the test executable".to_owned()
    }

    fn version_of(&self, output: &str) -> Option<String> {
        output.trim().strip_prefix("tally ").map(str::to_owned)
    }

    fn complete(&self, wish: &Topology, _settings: &Settings) -> Result<Topology, PlanError> {
        match wish.param("servers") {
            Some(1..=9) => Ok(wish.clone()),
            servers => Err(PlanError {
                param: "servers".into(),
                says: format!("{} is not a number of servers", servers.unwrap_or(0)),
                help: "use 1 to 9".into(),
            }),
        }
    }

    fn plan(&self, topology: &Topology) -> Vec<ServerPlan> {
        let server = |number| ServerPlan {
            key: ServerKey::numbered("tally", number),
            role: "tally",
            after: vec![],
            stop_after: vec![],
            ports: &["main"],
            cost: Cost {
                memory_mib: 8,
                cpu_percent: 1,
                disk_mib: 0,
            },
            spare: false,
        };
        (1..=topology.param("servers").unwrap_or(1))
            .map(server)
            .collect()
    }

    fn launch(&self, view: &View, server: &ServerKey) -> Launch {
        let address = view
            .places
            .get(server)
            .and_then(|place| place.bind.get("main"))
            .cloned();
        Launch {
            args: address.into_iter().collect(),
            ..Launch::default()
        }
    }

    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        Box::pin(async move {
            match crate::fixture::request(view, server, "pid")
                .await
                .map(|pid| pid.parse())
            {
                Ok(Ok(pid)) => Probe::At {
                    stage: Stage::Ready,
                    identity: Some(Identity::Pid(pid)),
                    missing: String::new(),
                },
                Ok(Err(error)) => Probe::Hopeless(format!("its pid is none: {error}")),
                Err(error) => Probe::NotYet(error.to_string()),
            }
        })
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(async move {
            let mut health = Health::default();
            for server in view.places.keys() {
                let state = match crate::fixture::request(view, server, "pid").await {
                    Ok(_) => (State::Good, String::new()),
                    Err(error) => (State::Failed, error.to_string()),
                };
                health.servers.insert(server.clone(), state);
            }
            health
        })
    }

    fn exit_meaning(&self, _role: &str, code: i32) -> ExitMeaning {
        match code {
            2 => ExitMeaning::Config("called wrongly".into()),
            3 => ExitMeaning::Transient("it cannot listen".into()),
            _ => ExitMeaning::Unknown,
        }
    }

    fn access(&self, view: &View, server: &ServerKey, _credentials: &Path) -> Vec<String> {
        let address = view.reach(server, "main").and_then(|at| at.split_once(':'));
        let line = |(host, port)| format!("printf 'pid\\n' | nc -N {host} {port}");
        address.map(line).into_iter().collect()
    }

    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            for server in view.places.keys() {
                let dropped = crate::fixture::request(view, server, &format!("drop {lease}")).await;
                dropped.map_err(|error| format!("{server}: {error}"))?;
            }
            Ok(vec![])
        })
    }
}
