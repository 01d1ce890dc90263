//! ArangoDB as a [`System`]: a table of who answers what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use armadillo_orchestrator::doctor::{Assumption, CheckStage, CheckedDeployment};
use armadillo_orchestrator::membership::LaunchWords;
use armadillo_orchestrator::operations::Rolling;
use armadillo_orchestrator::statistics::FigureSource;
use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::topology::OfferedTopology;
use armadillo_orchestrator::{
    AttachError, Attached, Attachment, Candidate, Checker, Client, Evidence, ExitMeaning, Flag,
    Fut, Health, Installed, Launch, LogRecord, Metrics, PlanError, Preparation, Probe, Program,
    Secret, ServerKey, ServerPlan, Settings, Step, System, SystemStep, TlsUse, Topology, Tried,
    View,
};

use crate::client::{ArangoClient, Connection};
use crate::role::Role;
use crate::topology::{self, SYSTEM};
use crate::{
    attach, auth, capabilities, checkers, doctor, evidence, existing_data, exit_codes, fixture,
    health, launch, log, plan, probe, programs, purge, rolling, statistics, steps,
};

/// The arangodb system.
#[derive(Clone, Copy, Debug)]
pub struct ArangoDb;

armadillo_orchestrator::register_system!(ArangoDb);

const MARKERS: [(&str, &str); 8] = [
    (
        "arango_single",
        "runs on an ArangoDB single server; set automatically",
    ),
    (
        "arango_cluster",
        "runs on an ArangoDB cluster; set automatically",
    ),
    ("auth_required", "tests authentication and permissions"),
    (
        "cluster_coordination",
        "tests agents, plans and the roles in a cluster",
    ),
    ("replication", "tests copies of data on several servers"),
    ("sharding", "tests data distributed over several servers"),
    ("failover", "tests that another server takes over"),
    (
        "rta_suite",
        "belongs to a suite of the release test automation: rta_suite(\"name\")",
    ),
];

impl System for ArangoDb {
    fn name(&self) -> &'static str {
        SYSTEM
    }

    fn flags(&self) -> &'static [Flag] {
        &plan::FLAGS
    }

    fn concerns(&self, flag: &str, shape: &str) -> bool {
        plan::concerns(flag, shape)
    }

    fn markers(&self) -> &'static [(&'static str, &'static str)] {
        &MARKERS
    }

    fn topology_markers(&self, topology: &Topology) -> Vec<&'static str> {
        topology::markers_of(topology)
    }

    fn shape_of_marker(&self, marker: &str) -> Option<&'static str> {
        topology::shape_of_marker(marker)
    }

    fn offered(&self) -> &'static [OfferedTopology] {
        topology::OFFERED
    }

    fn ignored(&self, wish: &Topology, topology: &Topology, settings: &Settings) -> Option<String> {
        plan::ignored(wish, topology, settings)
    }

    fn check_settings(&self, settings: &Settings) -> Result<(), PlanError> {
        plan::check(settings)
    }

    fn programs(&self, settings: &Settings) -> Vec<Candidate> {
        programs::candidates(settings)
    }

    fn program_named(&self, name: &str) -> Candidate {
        programs::named(name)
    }

    fn installed(&self, found: &Path) -> Result<Installed, String> {
        programs::installed(found)
    }

    fn program_option(&self, role: &str) -> String {
        match Role::of_name(role) {
            Some(Role::Single) => "binary".to_owned(),
            _ => format!("{role}_binary"),
        }
    }

    fn how_to_get(&self) -> String {
        programs::HOW_TO_GET.to_owned()
    }

    fn survey<'a>(&'a self, at: &'a Attachment) -> Fut<'a, Result<Attached, AttachError>> {
        Box::pin(attach::survey(at))
    }

    fn suffices(&self, wish: &Topology, attached: &Attached) -> Result<(), String> {
        attach::suffices(wish, attached)
    }

    fn capabilities(&self) -> &'static [(&'static str, &'static str)] {
        &capabilities::ALL
    }

    fn lacks(&self, capability: &str, program: &Program, settings: &Settings) -> Option<String> {
        capabilities::lacks(capability, program, settings)
    }

    fn stages(&self) -> &'static [CheckStage] {
        &doctor::STAGES
    }

    fn assumptions(&self) -> &'static [Assumption] {
        &doctor::ALL
    }

    fn try_out<'a>(
        &'a self,
        assumption: &'a str,
        on: &'a CheckedDeployment,
    ) -> Fut<'a, Result<String, String>> {
        Box::pin(doctor::try_out(assumption, on))
    }

    fn features_of(&self, output: &str) -> BTreeSet<String> {
        capabilities::features_of(output)
    }

    fn version_of(&self, output: &str) -> Option<String> {
        programs::version_of(output)
    }

    fn complete(&self, wish: &Topology, settings: &Settings) -> Result<Topology, PlanError> {
        plan::complete(wish, settings)
    }

    fn plan(&self, topology: &Topology) -> Vec<ServerPlan> {
        plan::servers(topology)
    }

    fn launch(&self, view: &View, server: &ServerKey) -> Launch {
        launch::launch(view, server)
    }

    fn before_start(
        &self,
        view: &View,
        server: &ServerKey,
        before: Option<&Program>,
        now: &Program,
    ) -> Option<Preparation> {
        let needed = match (before, view.topology.data.as_deref()) {
            (Some(before), _) => programs::needs_upgrade(before, now),
            (None, Some(data)) => existing_data::needs_upgrade(data, now),
            (None, None) => false,
        };
        needed.then(|| launch::upgrade(view, server))
    }

    fn passed_on(&self) -> &'static [&'static str] {
        &launch::PASSED_ON
    }

    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        Box::pin(async move { probe::look(view, server).await.into() })
    }

    fn ready_message(&self, view: &View, server: &ServerKey) -> Option<&'static str> {
        probe::ready_message(view, server)
    }

    fn tls(&self, _topology: &Topology) -> Option<TlsUse> {
        Some(TlsUse::default())
    }

    fn reload_certificates<'a>(
        &'a self,
        view: &'a View,
        _server: &'a ServerKey,
        client: &'a Client,
    ) -> Fut<'a, Result<(), String>> {
        Box::pin(crate::tls::reload(view, client))
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(health::health(view))
    }

    fn figures(&self) -> &'static [FigureSource] {
        &statistics::FIGURES
    }

    fn metrics<'a>(
        &'a self,
        view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<Metrics, String>> {
        Box::pin(statistics::metrics(view, server))
    }

    fn voters(&self, topology: &Topology) -> Option<(&'static str, &'static str)> {
        (topology.shape == topology::CLUSTER).then_some((Role::Agent.name(), "agents"))
    }

    fn rolling(&self, _view: &View, rolling: &Rolling) -> Result<Vec<Step>, String> {
        Ok(rolling::plan(rolling))
    }

    fn joining<'a>(
        &'a self,
        view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<Option<LaunchWords>, String>> {
        Box::pin(async move {
            match view.places.get(server) {
                Some(place) if place.role == Role::Agent.name() => {
                    steps::agents::joining(view, server).await
                }
                _ => Ok(None),
            }
        })
    }

    fn try_step<'a>(
        &'a self,
        view: &'a View,
        server: Option<&'a ServerKey>,
        step: &'a SystemStep,
    ) -> Fut<'a, Tried> {
        Box::pin(steps::try_step(view, server, step))
    }

    fn exit_meaning(&self, _role: &str, code: i32) -> ExitMeaning {
        exit_codes::meaning(code)
    }

    fn log_line(&self, line: &str) -> Option<LogRecord> {
        log::read(line)
    }

    fn evidence(&self, view: &View) -> Vec<Evidence> {
        evidence::evidence(view)
    }

    fn switch_off<'a>(
        &'a self,
        view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<(), String>> {
        Box::pin(fixture::switch_off(view, server))
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checkers::all()
    }

    fn access(&self, view: &View, server: &ServerKey, credentials: &Path) -> Vec<String> {
        let Some(address) = view.reach(server, "http") else {
            return Vec::new();
        };
        // `-K` reads options of curl from a file, so that the token is on no command line.
        let path = match view.places.get(server).map(|place| place.role.as_str()) {
            Some("agent") => "_api/agency/config",
            _ => "_api/version?details=true",
        };
        let credentials = credentials.display();
        let authority = match &view.tls {
            Some(tls) => format!(" --cacert '{}'", tls.authority_file.display()),
            None => String::new(),
        };
        vec![format!(
            "curl -sS{authority} -K '{credentials}' '{}/{path}'",
            view.url(address)
        )]
    }

    fn credentials(&self, view: &View) -> Option<Secret> {
        let authorization = crate::auth::of_superuser(view)?;
        let authorization = authorization.reveal();
        Some(Secret::new(format!(
            "header = \"Authorization: {authorization}\"\n"
        )))
    }

    fn environment(&self, view: &View) -> BTreeMap<String, String> {
        let mut connection = ArangoClient::superuser(view).connection();
        // It is valid as long as the servers are there.
        connection.token = auth::superuser_token(view);
        connection.env()
    }

    fn variables(&self, topology: Option<&Topology>) -> Vec<&'static str> {
        let tls = topology.is_none_or(|topology| topology.says(TLS));
        Connection::variables(tls)
    }

    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            let removed = purge::purge(view, lease).await;
            removed.map_err(|error| error.to_string())
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use armadillo_orchestrator::{Place, Secret, Share};

    use super::*;
    use crate::topology::{cluster, single};

    /// A deployment of one single server, of which nothing runs.
    pub(crate) fn view() -> View {
        let address = BTreeMap::from([("http".to_owned(), "127.0.0.1:4711".to_owned())]);
        let place = Place {
            role: "single".to_owned(),
            bind: address.clone(),
            advertise: address.clone(),
            reach: address,
            dir_inside: "/d/single-1".into(),
            dir_outside: "/d/single-1".into(),
            share: Share {
                memory_mib: 512,
                cores: 2,
            },
        };
        View {
            deployment: "arangodb-single-00c0ffee".to_owned(),
            topology: single().topology().to_topology(),
            places: BTreeMap::from([("single-1".into(), place)]),
            secret: Secret::new("a secret made for this deployment"),
            keys: Default::default(),
            membership: Default::default(),
            stand_ins: Default::default(),
            settings: Settings::default(),
            tls: None,
            held: Default::default(),
        }
    }

    #[test]
    fn a_person_reaches_a_server_without_seeing_the_token() {
        let view = view();
        let server = ServerKey::from("single-1");
        let lines = ArangoDb.access(&view, &server, Path::new("/private/credentials"));
        let line =
            "curl -sS -K '/private/credentials' 'http://127.0.0.1:4711/_api/version?details=true'";
        assert_eq!(lines, [line]);
        let token = crate::auth::superuser_token(&view);
        let content = ArangoDb.credentials(&view).unwrap();
        let header = format!("header = \"Authorization: bearer {}\"\n", token.reveal());
        assert_eq!(content.reveal(), header);
    }

    /// A deployment of a cluster, of which nothing runs. The servers listen on ports from 10001 on, in the order of the plan.
    pub(crate) fn cluster_view(agents: u32, dbservers: u32, coordinators: u32) -> View {
        let wish = cluster()
            .agents(agents)
            .dbservers(dbservers)
            .coordinators(coordinators)
            .topology()
            .to_topology();
        let settings = Settings::default();
        let topology = ArangoDb.complete(&wish, &settings).unwrap();
        let places = (10001..)
            .zip(ArangoDb.plan(&topology))
            .map(|(port, server)| {
                let address = BTreeMap::from([("http".to_owned(), format!("127.0.0.1:{port}"))]);
                let directory = PathBuf::from("/d").join(server.key.as_str());
                let place = Place {
                    role: server.role.to_owned(),
                    bind: address.clone(),
                    advertise: address.clone(),
                    reach: address,
                    dir_inside: directory.clone(),
                    dir_outside: directory,
                    share: Share {
                        memory_mib: 256,
                        cores: 1,
                    },
                };
                (server.key, place)
            });
        View {
            deployment: "arangodb-cluster-00c0ffee".to_owned(),
            places: places.collect(),
            topology,
            secret: Secret::new("a secret made for this cluster"),
            keys: Default::default(),
            membership: Default::default(),
            stand_ins: Default::default(),
            settings,
            tls: None,
            held: Default::default(),
        }
    }

    #[test]
    fn every_marker_of_the_suites_this_stands_for_is_declared() {
        let all = armadillo_harness::markers::Markers::declared(&BTreeMap::new());
        for marker in [
            "arango_single",
            "arango_cluster",
            "fast",
            "slow",
            "crash_test",
            "stress_test",
            "flaky",
            "auth_required",
            "cluster_coordination",
            "replication",
            "sharding",
            "failover",
            "smoke_test",
            "regression",
            "performance",
            "rta_suite",
        ] {
            assert!(all.declares(marker), "{marker}");
        }
    }

    #[test]
    fn the_system_is_registered() {
        let system = armadillo_orchestrator::system("arangodb").unwrap();
        assert_eq!(system.flags().len(), plan::FLAGS.len());
        assert_eq!(system.checkers().len(), 14);
    }
}
