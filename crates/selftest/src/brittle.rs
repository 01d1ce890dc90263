//! A system with faults to order: the servers of the tally example, called wrongly if the topology says so, and a
//! checker that finds what a test has left. Its server leads the group `counters`.

use armadillo::deployment::{DeploymentHandle, Observe, ServerKey};
use armadillo::harness::needs::Needs;
use armadillo::orchestrator::versions::VersionName;
use armadillo::orchestrator::{
    Candidate, Checker, ExitMeaning, Flag, Fut, Health, Launch, Level, LogRecord, PlanError, Probe,
    ServerPlan, Settings, StaticTopology, System, Topology, View, register_system,
};
use armadillo::prelude::*;
use tally_system::system::TallySystem;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The counter that carries no lease's id.
const LEFTOVERS: &str = "leftovers";

/// The one server.
const SERVER: &str = "tally-1";

/// The system: a value without state.
pub struct BrittleSystem;

register_system!(BrittleSystem);

/// The topology builder: one server.
#[must_use]
pub const fn brittle() -> BrittleTopology {
    BrittleTopology(StaticTopology::new("brittle", "server").with("broken", 0))
}

/// See [`brittle`].
pub struct BrittleTopology(StaticTopology);

impl BrittleTopology {
    /// A server that cannot start.
    #[must_use]
    pub const fn broken(self) -> Self {
        Self(self.0.with("broken", 1))
    }

    /// A server that runs this program.
    #[must_use]
    pub const fn server_binary(self, program: &'static str) -> Self {
        Self(self.0.with_binary("tally", program))
    }

    /// The finished value.
    #[must_use]
    pub const fn topology(self) -> StaticTopology {
        self.0
    }
}

impl System for BrittleSystem {
    fn name(&self) -> &'static str {
        "brittle"
    }

    fn flags(&self) -> &'static [Flag] {
        &[
            Flag {
                name: "brittle",
                short: None,
                value: "PATH",
                repeats: false,
                help: "the brittle program; `PATH` looks for one that is nowhere; otherwise the one that is built in",
            },
            Flag {
                name: "brittle-word",
                short: None,
                value: "WORD",
                repeats: false,
                help: "an option of its servers, which changes nothing",
            },
        ]
    }

    fn programs(&self, settings: &Settings) -> Vec<Candidate> {
        match settings.get("brittle") {
            Some("PATH") => vec![Candidate::OnPath("armadillo-has-no-such-program")],
            Some(name) => vec![self.program_named(name)],
            None => TallySystem.programs(settings),
        }
    }

    fn program_named(&self, name: &str) -> Candidate {
        match VersionName::parse(name) {
            Some(version) => Candidate::Version {
                version,
                on_path: "armadillo-has-no-such-program",
            },
            None => Candidate::File(name.into()),
        }
    }

    fn program_option(&self, _role: &str) -> String {
        "server_binary".to_owned()
    }

    fn how_to_get(&self) -> String {
        "leave --brittle out".to_owned()
    }

    fn version_of(&self, output: &str) -> Option<String> {
        TallySystem.version_of(output)
    }

    fn complete(&self, wish: &Topology, _settings: &Settings) -> Result<Topology, PlanError> {
        Ok(wish.clone())
    }

    fn plan(&self, topology: &Topology) -> Vec<ServerPlan> {
        TallySystem.plan(topology)
    }

    fn launch(&self, view: &View, server: &ServerKey) -> Launch {
        match view.topology.param("broken") {
            // Without an address it prints its usage and exits with 2.
            Some(1) => Launch::default(),
            _ => TallySystem.launch(view, server),
        }
    }

    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe> {
        TallySystem.probe(view, server)
    }

    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health> {
        Box::pin(async move {
            let mut health = TallySystem.health(view).await;
            let leader = Some(ServerKey::from(SERVER));
            health.leaders.insert("counters".to_owned(), leader);
            health
        })
    }

    fn exit_meaning(&self, role: &str, code: i32) -> ExitMeaning {
        TallySystem.exit_meaning(role, code)
    }

    fn log_line(&self, line: &str) -> Option<LogRecord> {
        let text = line.strip_prefix("fatal: ")?;
        Some(LogRecord {
            time: None,
            level: Level::Fatal,
            id: None,
            text: text.to_owned(),
            crash: false,
        })
    }

    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        vec![Box::new(Counters), Box::new(Leftovers)]
    }

    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>> {
        TallySystem.purge(view, lease)
    }
}

/// Finds the counter that a test has left at another value than 0.
struct Counters;

impl Checker for Counters {
    fn name(&self) -> &'static str {
        "counters"
    }

    fn scope(&self) -> armadillo::orchestrator::Scope {
        armadillo::orchestrator::Scope::Lease
    }

    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let asked = ask(view, &format!("get {lease}.counter")).await;
            match asked.map_err(|error| error.to_string())?.as_str() {
                "0" => Ok(()),
                value => Err(format!("the counter {lease}.counter is {value}")),
            }
        })
    }
}

/// Finds, on a server that nobody uses, what a test has left under no name of its own.
struct Leftovers;

impl Checker for Leftovers {
    fn name(&self) -> &'static str {
        "leftovers"
    }

    fn scope(&self) -> armadillo::orchestrator::Scope {
        armadillo::orchestrator::Scope::Idle
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let asked = ask(view, &format!("get {LEFTOVERS}")).await;
            match asked.map_err(|error| error.to_string())?.as_str() {
                "0" => Ok(()),
                value => Err(format!("{value} left over")),
            }
        })
    }
}

/// A handle on the server.
#[derive(Clone)]
pub struct Brittle {
    orchestrator: Orchestrator,
}

impl Brittle {
    /// The deployment, as clients see it.
    #[must_use]
    pub fn view(&self) -> &View {
        self.orchestrator.view()
    }

    /// Adds to the test's counter.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn add(&self, number: i64) -> Result<(), TestError> {
        let line = format!("add {}.counter {number}", self.orchestrator.lease());
        ask(self.orchestrator.view(), &line).await.map(drop)
    }

    /// Leaves something that no clean-up after a test finds.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn leave(&self) -> Result<(), TestError> {
        let line = format!("add {LEFTOVERS} 1");
        ask(self.orchestrator.view(), &line).await.map(drop)
    }

    /// How much was left so.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn left(&self) -> Result<String, TestError> {
        ask(self.orchestrator.view(), &format!("get {LEFTOVERS}")).await
    }

    /// Makes the server log that it gives up, which it does not.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn complain(&self) -> Result<(), TestError> {
        let line = "note fatal: nothing works";
        ask(self.orchestrator.view(), line).await.map(drop)
    }

    /// Makes the server log this, one line.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn log(&self, text: &str) -> Result<(), TestError> {
        let line = format!("note {text}");
        ask(self.orchestrator.view(), &line).await.map(drop)
    }

    /// The server's process id.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn pid(&self) -> Result<String, TestError> {
        ask(self.orchestrator.view(), "pid").await
    }
}

impl Fixture for Brittle {
    type From = ();
    const NEEDS: Needs = Needs::of(brittle().topology());
    const SCOPE: Scope<Self> = Scope::handle();

    async fn setup(cx: &TestContext, (): ()) -> Result<Self, TestError> {
        Self::open(cx)
    }
}

impl Observe for Brittle {
    fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }
}

impl DeploymentHandle for Brittle {
    fn open(cx: &TestContext) -> Result<Self, TestError> {
        Ok(Self {
            orchestrator: Orchestrator::open(cx)?,
        })
    }
}

async fn ask(view: &View, line: &str) -> Result<String, TestError> {
    let server = ServerKey::from(SERVER);
    let address = view.reach(&server, "main").ok_or("no such server")?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    Ok(answer.trim_end().to_owned())
}
