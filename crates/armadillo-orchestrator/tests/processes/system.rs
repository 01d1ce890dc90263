//! The system under test: servers in a row, each waiting for the one before it.

use std::time::Duration;

use armadillo_orchestrator::http::{Client, Request};
use armadillo_orchestrator::{
    Candidate, Checker, Cost, Evidence, ExitMeaning, Fut, Health, Identity, Launch, Level,
    LogRecord, PlanError, Preparation, Probe, Program, Scope, Secret, ServerKey, ServerPlan,
    Settings, Stage, State, Stop, System, Topology, Verb, View,
};
use serde::Deserialize;

use crate::server;

/// How long a server may take to answer: less than a look at the whole, more than any machine stands still.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// A row of `nodes` servers; an option `node-N` is a word on that server's command line.
pub(crate) struct Row;

/// What a server says of itself.
#[derive(Deserialize)]
struct Answer {
    pid: u32,
    stage: String,
    token: String,
}

impl Row {
    async fn ask(view: &View, server: &ServerKey) -> Result<Answer, String> {
        let address = view.reach(server, "http").ok_or("no such server")?;
        let response = Client::tcp(address)
            .send(Request::get("/"), ANSWER_LIMIT)
            .await
            .map_err(|error| error.to_string())?;
        response.json().map_err(|error| error.to_string())
    }
}

impl System for Row {
    fn name(&self) -> &'static str {
        "row"
    }

    fn programs(&self, settings: &Settings) -> Vec<Candidate> {
        match settings.get("row") {
            Some(path) => vec![Candidate::File(path.into())],
            None => vec![
                Candidate::OnPath("no-such-program"),
                Candidate::BuiltIn { applet: "nothing" },
            ],
        }
    }

    fn how_to_get(&self) -> String {
        "It cannot be had.".into()
    }

    fn version_of(&self, output: &str) -> Option<String> {
        output.lines().next().map(str::to_owned)
    }

    fn complete(&self, wish: &Topology, _: &Settings) -> Result<Topology, PlanError> {
        Ok(wish.clone())
    }

    fn plan(&self, topology: &Topology) -> Vec<ServerPlan> {
        let count = topology.param("nodes").unwrap_or(1);
        let key = |number| ServerKey::numbered("node", number);
        let spares = topology.param("spares").unwrap_or(0);
        (1..=count + spares)
            .map(|number| ServerPlan {
                key: key(number),
                role: "node",
                after: (1..number)
                    .rev()
                    .take(1)
                    .map(|before| (key(before), Stage::Answering))
                    .collect(),
                stop_after: (number + 1..=count).take(1).map(key).collect(),
                ports: &["http"],
                cost: Cost {
                    memory_mib: 10,
                    cpu_percent: 150,
                    disk_mib: 1,
                },
                spare: number > count,
            })
            .collect()
    }

    fn launch(&self, view: &View, server: &ServerKey) -> Launch {
        let place = &view.places[server];
        let port = place.bind["http"].rsplit_once(':').unwrap().1;
        let mut args = vec![
            "serve".to_owned(),
            format!("port={port}"),
            "token=right".into(),
        ];
        let own = view
            .topology
            .options
            .iter()
            .filter(|(name, _)| name == server.as_str());
        if view
            .topology
            .options
            .iter()
            .any(|(name, _)| name == "impostor")
        {
            server::impersonate(port.parse().unwrap());
        }
        args.extend(own.map(|(_, word)| word.clone()));
        Launch {
            args,
            first: Vec::new(),
            env: [("ROW_SERVER".to_owned(), server.0.clone())].into(),
            files: vec![
                ("key".into(), 0o600, view.secret.clone()),
                ("conf".into(), 0o644, Secret::new("open")),
            ],
            stop: Stop {
                polite: Verb::Terminate,
                grace: Duration::from_millis(u64::from(
                    view.topology.param("grace_ms").unwrap_or(10_000),
                )),
                then: view.topology.param("abort_ms").map_or(Vec::new(), |limit| {
                    vec![(Verb::Abort, Duration::from_millis(limit.into()))]
                }),
            },
        }
    }

    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        Box::pin(async move {
            match Self::ask(view, server).await {
                Err(why) => Probe::NotYet(why),
                Ok(answer) if answer.stage == "hopeless" => Probe::Hopeless("it said so".into()),
                Ok(answer) => Probe::At {
                    stage: match answer.stage.as_str() {
                        _ if view.topology.shape == "by-nothing" => Stage::Started,
                        "ready" => Stage::Ready,
                        _ => Stage::Answering,
                    },
                    identity: match view.topology.shape.as_str() {
                        "by-pid" => Some(Identity::Pid(answer.pid)),
                        "by-token" => Some(Identity::Ours(answer.token == "right")),
                        _ => None,
                    },
                    missing: "it says that it is busy".into(),
                },
            }
        })
    }

    fn before_start(
        &self,
        view: &View,
        server: &ServerKey,
        _: Option<&Program>,
        now: &Program,
    ) -> Option<Preparation> {
        let words = now.version.as_deref()?;
        let mut launch = self.launch(view, server);
        launch.args.extend(words.split(' ').map(str::to_owned));
        Some(Preparation {
            what: "the exercise",
            launch,
        })
    }

    fn passed_on(&self) -> &'static [&'static str] {
        &["ONLY_IN_THE_PARENT", "ROW_SERVER", "NOWHERE"]
    }

    fn ready_message(&self, view: &View, _: &ServerKey) -> Option<&'static str> {
        (view.topology.shape == "by-log").then_some("READY")
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(async move {
            let mut health = Health::default();
            health.leaders.insert("row".into(), None);
            for key in view.places.keys() {
                let state = match Self::ask(view, key).await {
                    Ok(_) => {
                        let leader = health.leaders.get_mut("row").unwrap();
                        leader.get_or_insert(key.clone());
                        (State::Good, String::new())
                    }
                    Err(why) => (State::Failed, why),
                };
                health.servers.insert(key.clone(), state);
            }
            health
        })
    }

    fn exit_meaning(&self, _: &str, code: i32) -> ExitMeaning {
        match code {
            0 => ExitMeaning::Clean,
            3 => ExitMeaning::Config("an unknown option".into()),
            21 => ExitMeaning::Transient("it could not bind its port".into()),
            _ => ExitMeaning::Unknown,
        }
    }

    fn log_line(&self, line: &str) -> Option<LogRecord> {
        Some(LogRecord {
            time: None,
            level: Level::Info,
            id: line.starts_with("READY").then(|| "READY".to_owned()),
            text: line.to_owned(),
            crash: line.starts_with("CRASH"),
        })
    }

    fn evidence(&self, view: &View) -> Vec<Evidence> {
        let mut all = Vec::new();
        for key in view.places.keys() {
            all.push(Evidence::Http {
                server: key.clone(),
                request: Request::get("/"),
                save_as: format!("{key}.json"),
                limit: ANSWER_LIMIT,
            });
            all.push(Evidence::File {
                server: key.clone(),
                path: "conf".into(),
            });
        }
        all.push(Evidence::Signal("node-1".into(), Verb::DumpStacks));
        all
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        vec![Box::new(Never)]
    }

    fn purge<'a>(&'a self, _: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        Box::pin(async move { Ok(vec![lease.to_owned()]) })
    }
}

/// A checker that never answers.
struct Never;

impl Checker for Never {
    fn name(&self) -> &'static str {
        "never"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn check<'a>(&'a self, _: &'a View, _: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(std::future::pending())
    }
}
