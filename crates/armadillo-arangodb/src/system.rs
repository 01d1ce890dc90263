//! ArangoDB as a [`System`]: a table of who answers what.

use armadillo_orchestrator::{
    Candidate, Checker, Cost, Evidence, ExitMeaning, Flag, Fut, Health, Launch, LogRecord,
    PlanError, Probe, ServerKey, ServerPlan, Settings, System, Topology, View,
};

use crate::role::Role;
use crate::topology::{CLUSTER, SINGLE, SYSTEM, markers_of};
use crate::{checkers, evidence, exit_codes, health, launch, log, options, probe, programs, purge};

/// The arangodb system.
#[derive(Clone, Copy, Debug)]
pub struct ArangoDb;

armadillo_orchestrator::register_system!(ArangoDb);

const FLAGS: [Flag; 3] = [
    Flag {
        name: programs::SETTING,
        value: "PATH|emulator",
        repeats: false,
        help: "the program arangod; `emulator` is a stand-in, which is not ArangoDB",
    },
    Flag {
        name: options::SETTING,
        value: "[ROLE.]NAME=VALUE",
        repeats: true,
        help: "a server option for every deployment: [ROLE.]name=value; may be given several times",
    },
    Flag {
        name: launch::PACE,
        value: "fast|realistic",
        repeats: false,
        help: "how long the stand-in for arangod takes to start, to stop and to create things; arangod takes its own time",
    },
];

const MARKERS: [(&str, &str); 8] = [
    (
        "arango_single",
        "runs on an ArangoDB single server; set by its topology",
    ),
    (
        "arango_cluster",
        "runs on an ArangoDB cluster; set by its topology",
    ),
    ("auth_required", "is about authentication and rights"),
    (
        "cluster_coordination",
        "is about agents, plans and who does what in a cluster",
    ),
    ("replication", "is about copies of data on several servers"),
    ("sharding", "is about data spread over several servers"),
    ("failover", "is about another server taking over"),
    (
        "rta_suite",
        "belongs to a suite of the release test automation: rta_suite(\"name\")",
    ),
];

/// What a single server costs. Of `arangod` it is an estimate (without V8, and with little data); nobody measured it here.
const SINGLE_COST: Cost = Cost {
    memory_mib: 512,
    cpu_percent: 30,
    disk_mib: 300,
};

impl System for ArangoDb {
    fn name(&self) -> &'static str {
        SYSTEM
    }

    fn flags(&self) -> &'static [Flag] {
        &FLAGS
    }

    fn markers(&self) -> &'static [(&'static str, &'static str)] {
        &MARKERS
    }

    fn topology_markers(&self, topology: &Topology) -> Vec<&'static str> {
        markers_of(topology)
    }

    fn programs(&self, settings: &Settings) -> Vec<Candidate> {
        programs::candidates(settings)
    }

    fn how_to_get(&self) -> String {
        programs::HOW_TO_GET.to_owned()
    }

    fn version_of(&self, output: &str) -> Option<String> {
        programs::version_of(output)
    }

    fn complete(&self, wish: &Topology, settings: &Settings) -> Result<Topology, PlanError> {
        let error = |param: &str, says: String, help: &str| PlanError {
            param: param.to_owned(),
            says,
            help: help.to_owned(),
        };
        if !matches!(
            settings.get(launch::PACE),
            None | Some("fast" | "realistic")
        ) {
            return Err(error(
                launch::PACE,
                format!("{:?} is no pace", settings.get(launch::PACE).unwrap_or("")),
                "use fast or realistic",
            ));
        }
        match wish.shape.as_str() {
            armadillo_orchestrator::topology::ANY_SHAPE | SINGLE => {}
            CLUSTER => {
                return Err(error(
                    "shape",
                    "clusters cannot be started yet".to_owned(),
                    "use single()",
                ));
            }
            other => {
                return Err(error(
                    "shape",
                    format!("ArangoDB has no topology {other:?}"),
                    "use single()",
                ));
            }
        }
        if let Some(param) = wish.params.keys().next() {
            return Err(error(
                param,
                "a single server has no such number".to_owned(),
                "leave it out",
            ));
        }
        Ok(Topology {
            system: SYSTEM.to_owned(),
            shape: SINGLE.to_owned(),
            params: wish.params.clone(),
            options: options::complete(wish, settings, &[Role::Single])?,
        })
    }

    fn plan(&self, _topology: &Topology) -> Vec<ServerPlan> {
        vec![ServerPlan {
            key: ServerKey::numbered(Role::Single.name(), 1),
            role: Role::Single.name(),
            after: Vec::new(),
            stop_after: Vec::new(),
            ports: &[launch::PORT],
            cost: SINGLE_COST,
        }]
    }

    fn launch(&self, view: &View, server: &ServerKey) -> Launch {
        launch::launch(view, server)
    }

    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        Box::pin(async move { probe::look(view, server).await.into() })
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(health::health(view))
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

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        checkers::all()
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

    use armadillo_orchestrator::{Place, Secret, Share};

    use super::*;
    use crate::topology::{ANY, single};

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
            stand_in: false,
            settings: Settings::default(),
        }
    }

    #[test]
    fn any_deployment_is_a_single_server() {
        let complete = ArangoDb
            .complete(&ANY.to_topology(), &Settings::default())
            .unwrap();
        assert_eq!(complete, single().topology().to_topology());
        let plan = ArangoDb.plan(&complete);
        assert_eq!(plan.len(), 1);
        assert_eq!((plan[0].key.as_str(), plan[0].role), ("single-1", "single"));
        assert_eq!(
            ArangoDb.complete(&complete, &Settings::default()),
            Ok(complete)
        );
    }

    #[test]
    fn what_cannot_be_planned_is_refused() {
        let refused = |wish: Topology, settings: &Settings| {
            ArangoDb.complete(&wish, settings).unwrap_err().to_string()
        };
        let none = Settings::default();
        let mut wish = single().topology().to_topology();
        wish.shape = "cluster".into();
        assert_eq!(
            refused(wish.clone(), &none),
            "shape: clusters cannot be started yet; use single()"
        );
        wish.shape = "ring".into();
        assert!(refused(wish, &none).contains("no topology \"ring\""));
        let wish = single().topology().with("agents", 3).to_topology();
        assert!(refused(wish, &none).starts_with("agents: "));
        let mut slow = Settings::default();
        slow.set("pace", vec!["slow".into()]);
        let wish = single().topology().to_topology();
        assert!(refused(wish, &slow).starts_with("pace: \"slow\" is no pace"));
    }

    #[test]
    fn the_system_is_registered() {
        let system = armadillo_orchestrator::system("arangodb").unwrap();
        assert_eq!(system.flags().len(), FLAGS.len());
        assert_eq!(system.checkers().len(), 6);
    }
}
