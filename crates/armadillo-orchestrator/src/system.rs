//! The seam between a product and everything else: the trait [`System`].
//!
//! No method waits, retries, spawns a process or picks an address: the orchestrator does.

mod checker;
mod complete;
mod log;
mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

pub use crate::candidate::{Candidate, Installed};

use crate::attach::{AttachError, Attached, Attachment};
use crate::doctor::{Assumption, CheckStage, CheckedDeployment};
use crate::health::Health;
use crate::http::Client;
use crate::links::LinkUse;
use crate::membership::LaunchWords;
use crate::operations::{self, Rolling, SystemStep, Tried};
use crate::program::Program;
use crate::secret::Secret;
use crate::server::{Launch, Preparation, ServerKey, ServerPlan, Stop, Verb};
use crate::settings::{Flag, Settings};
use crate::statistics::{FigureSource, Metrics};
use crate::tls::TlsUse;
use crate::topology::{ANY_SHAPE, OfferedTopology, Topology};
use crate::versions::VersionName;
use crate::view::View;

pub use checker::{Checker, Scope};
pub use complete::completed;
pub use log::{Level, LogRecord};
pub use probe::{Identity, Probe};

/// A boxed future, so that [`System`] can be a trait object.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a product implements to be run by Armadillo.
pub trait System: Send + Sync + 'static {
    /// The short name, used in topologies, paths and settings: `mydb`.
    fn name(&self) -> &'static str;

    /// The flags it adds; the harness parses and documents them and mirrors them as `ARMADILLO_*`.
    fn flags(&self) -> &'static [Flag] {
        &[]
    }

    /// Whether one of its flags concerns deployments of this shape. A flag that concerns none is about tests only.
    fn concerns(&self, _flag: &str, _shape: &str) -> bool {
        true
    }

    /// The markers it declares, each with its meaning.
    fn markers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The markers a test on this topology gets without saying so: `mydb_single`.
    fn topology_markers(&self, _topology: &Topology) -> Vec<&'static str> {
        Vec::new()
    }

    /// The shape that a marker gives to a test whose fixtures fit every deployment: a test on any deployment with the
    /// marker `mydb_cluster` runs on a cluster. On a test that has another deployment, or none, the marker is refused.
    fn shape_of_marker(&self, _marker: &str) -> Option<&'static str> {
        None
    }

    /// The topologies that can be asked for by name, outside of a test's attribute.
    fn offered(&self) -> &'static [OfferedTopology] {
        &[]
    }

    /// Why a test with this wish, which is complete as `topology`, is not run with these settings, although it could be: they
    /// ask for other deployments.
    fn ignored(
        &self,
        _wish: &Topology,
        _topology: &Topology,
        _settings: &Settings,
    ) -> Option<String> {
        None
    }

    /// Whether the settings make sense, whatever a run's tests need: asked before any run, list or plan.
    ///
    /// # Errors
    /// The first that makes none; the parameter at fault is the name of its flag.
    fn check_settings(&self, _settings: &Settings) -> Result<(), PlanError> {
        Ok(())
    }

    /// Where the program may be, best first. The first that exists is used.
    fn programs(&self, settings: &Settings) -> Vec<Candidate>;

    /// Where the program is that a topology names for a role: a file, unless the system knows the word.
    fn program_named(&self, name: &str) -> Candidate {
        Candidate::File(name.into())
    }

    /// What to run where a program was found or named: a product may come with a script in front of its program, or be a
    /// directory. It looks at files, and starts nothing.
    ///
    /// # Errors
    /// Why it will not do, after its path: `is a directory without bin/mydb`.
    fn installed(&self, found: &Path) -> Result<Installed, String> {
        Ok(Installed::at(found))
    }

    /// How a test's topology names the program of a role's servers: `member_binary`.
    fn program_option(&self, role: &str) -> String {
        format!("{role}_binary")
    }

    /// What to tell a user who has none of them: how to install it, which setting names it.
    fn how_to_get(&self) -> String;

    /// How to get a version by its name, for a product whose programs can be named so.
    fn how_to_get_version(&self, _version: &VersionName) -> String {
        self.how_to_get()
    }

    /// One look at servers that somebody else started: what they are, and whether tests can run on them with this login.
    /// Asked only of a system that has the flags [`crate::attach::flag`] and [`crate::attach::login_flag`].
    fn survey<'a>(&'a self, at: &'a Attachment) -> Fut<'a, Result<Attached, AttachError>> {
        let at = at.addresses.first().map_or("", String::as_str);
        let says = format!("tests of {} cannot run on it", self.name());
        let error = AttachError::at(at, says, "remove it");
        Box::pin(std::future::ready(Err(error)))
    }

    /// Whether servers that somebody else started will do for a test with this wish, which says nothing of options and
    /// programs.
    ///
    /// # Errors
    /// What is missing: `needs members = 3, not 1`.
    fn suffices(&self, wish: &Topology, attached: &Attached) -> Result<(), String> {
        let there = &attached.topology;
        if wish.shape != ANY_SHAPE && wish.shape != there.shape {
            return Err(format!(
                "needs {} {}, not {}",
                self.name(),
                wish.shape,
                there.shape
            ));
        }
        if let Some(word) = wish.words.difference(&there.words).next() {
            return Err(format!("needs {word}"));
        }
        let mut params = wish.params.iter();
        match params.find(|(name, wanted)| there.param(name) != Some(**wanted)) {
            None => Ok(()),
            Some((name, wanted)) => Err(match there.param(name) {
                Some(number) => format!("needs {name} = {wanted}, not {number}"),
                None => format!("needs {name} = {wanted}"),
            }),
        }
    }

    /// The deployments on which `--doctor` tries out what is assumed of the product, in their order.
    fn stages(&self) -> &'static [CheckStage] {
        &[]
    }

    /// What is assumed of the product, in the order in which it is tried out.
    fn assumptions(&self) -> &'static [Assumption] {
        &[]
    }

    /// Tries one of them out. Returns what was seen.
    ///
    /// # Errors
    /// What was seen instead.
    fn try_out<'a>(
        &'a self,
        assumption: &'a str,
        _on: &'a CheckedDeployment,
    ) -> Fut<'a, Result<String, String>> {
        let unknown = format!("{} does not know how to try {assumption}", self.name());
        Box::pin(std::future::ready(Err(unknown)))
    }

    /// What tests may require of the product by a word of its own, each with its meaning.
    fn capabilities(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Why what a program runs has not this capability: `the stand-in has no AQL`. `None` if it has.
    fn lacks(&self, _capability: &str, _program: &Program, _settings: &Settings) -> Option<String> {
        None
    }

    /// The arguments that make the program say its version.
    fn version_args(&self) -> &'static [&'static str] {
        &["--version"]
    }

    /// What else the program says that it has, of the words that [`System::lacks`] looks for in [`Program::features`].
    fn features_of(&self, _output: &str) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// The version in what the program printed.
    fn version_of(&self, output: &str) -> Option<String>;

    /// The wish of a test with every unsaid number filled in, from settings or defaults: the grouping key.
    ///
    /// # Errors
    /// When it makes no sense (an even number of members), with what would.
    fn complete(&self, wish: &Topology, settings: &Settings) -> Result<Topology, PlanError>;

    /// Every server of a complete topology, with gates, ports and cost.
    fn plan(&self, topology: &Topology) -> Vec<ServerPlan>;

    /// Whether a server of a topology with existing data gets a copy of it, in its directory below [`System::data_directory`].
    /// The others start from nothing.
    fn takes_data(&self, _topology: &Topology, _server: &ServerKey) -> bool {
        true
    }

    /// The directory below a server's own in which it keeps its data.
    fn data_directory(&self) -> &'static str {
        "data"
    }

    /// How to start `server`. Pure; called again at each restart.
    fn launch(&self, view: &View, server: &ServerKey) -> Launch;

    /// What the program `now` must do before `server` starts with it on data that `before` has served, such as an upgrade of that
    /// data; `None`: on existing data, for the first time. It is launched for it, and waited for, before the server is started as
    /// [`Self::launch`] says. Asked only if the two differ; not before a start that is meant to fail.
    fn before_start(
        &self,
        _view: &View,
        _server: &ServerKey,
        _before: Option<&Program>,
        _now: &Program,
    ) -> Option<Preparation> {
        None
    }

    /// The variables that servers inherit from the environment of the run, where that has them and their launch does not set
    /// them: what sanitizers and profilers read.
    fn passed_on(&self) -> &'static [&'static str] {
        &[]
    }

    /// How each server is stopped when the whole deployment ends; `None`: as its launch says. By then nobody will read
    /// what a server would still save, and some products take long to part from peers that part at the same time.
    fn last_stop(&self) -> Option<Stop> {
        None
    }

    /// ONE look at a server that was started.
    fn probe<'a>(&'a self, view: &'a View, server: &'a ServerKey) -> Fut<'a, Probe>;

    /// The id of the message ([`LogRecord::id`]) that a server logs when it is ready, for products whose servers answer as if
    /// they were ready before they are. A server that the probe calls ready is waited for until it has logged it since its
    /// start; `None` takes the probe's word.
    fn ready_message(&self, _view: &View, _server: &ServerKey) -> Option<&'static str> {
        None
    }

    /// What a server still needs that its probe calls ready, and that no command line can say, such as switching
    /// authentication on for the deployment. It is ready when this succeeds. Until then it is tried again; the servers of a
    /// deployment get there at the same time, and again at each restart, so doing it twice must do no harm.
    ///
    /// # Errors
    /// What it still lacks.
    fn make_ready<'a>(
        &'a self,
        _view: &'a View,
        _server: &'a ServerKey,
    ) -> Fut<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What servers of this topology do with TLS; `None` if they do not speak it. A product that does knows the word
    /// [`crate::tls::TLS`] in its topologies, and its launch names the files in [`View::tls`].
    fn tls(&self, _topology: &Topology) -> Option<TlsUse> {
        None
    }

    /// Which ports of servers of this topology take part in links, where the topology says
    /// [`LINKS`](crate::links::LINKS) or [`CLIENT_LINKS`](crate::links::CLIENT_LINKS). A product whose topologies know these
    /// words has its servers tell their peers [`Place::advertise`](crate::view::Place::advertise), and clients
    /// [`Place::reach`](crate::view::Place::reach).
    fn links(&self, _topology: &Topology) -> LinkUse {
        LinkUse::default()
    }

    /// The name of the stream that a connection carries which begins with these bytes, for products whose protocol shows it:
    /// faults of links can be limited to one. Pure; asked once for each connection, in another process.
    fn stream_of(&self, _beginning: &[u8]) -> Option<String> {
        None
    }

    /// Has a server read its certificates again, for products that do not look at them by themselves. `client` speaks to it
    /// even if nobody else does, because the certificate it still shows is not valid.
    ///
    /// # Errors
    /// Why it does not.
    fn reload_certificates<'a>(
        &'a self,
        _view: &'a View,
        _server: &'a ServerKey,
        _client: &'a Client,
    ) -> Fut<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// One look at the whole. Every planned server must be in the answer.
    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health>;

    /// Where the figures that systems have in common are in what [`System::metrics`] returns.
    fn figures(&self) -> &'static [FigureSource] {
        &[]
    }

    /// ONE look at everything that a server says of itself in figures.
    ///
    /// # Errors
    /// Why it does not.
    fn metrics<'a>(
        &'a self,
        _view: &'a View,
        server: &'a ServerKey,
    ) -> Fut<'a, Result<Metrics, String>> {
        let none = format!("{} has no metrics of {server}", self.name());
        Box::pin(std::future::ready(Err(none)))
    }

    /// The role of the servers that decide by majority, and what they are called in the plural: operations keep a majority of them,
    /// unless they are forced.
    fn voters(&self, _topology: &Topology) -> Option<(&'static str, &'static str)> {
        None
    }

    /// The steps of a rolling restart, upgrade or downgrade: in which order, what is to be done before a server is stopped, and
    /// which gates must open before the next one is. Without a plan of its own, each server is restarted in turn, and the whole is
    /// healthy before the next.
    ///
    /// # Errors
    /// Why it cannot be done: `3.4 cannot be upgraded to 3.6 in one step`.
    fn rolling(&self, _view: &View, rolling: &Rolling) -> Result<Vec<operations::Step>, String> {
        Ok(rolling.one_by_one())
    }

    /// ONE look at what the launch of a server is told that joins the deployment while it runs, besides the topology; `None`
    /// leaves what it was told before.
    ///
    /// # Errors
    /// Why it cannot be said yet.
    fn joining<'a>(
        &'a self,
        _view: &'a View,
        _server: &'a ServerKey,
    ) -> Fut<'a, Result<Option<LaunchWords>, String>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// ONE try of a step of an operation, or one look at a gate, which the system has named in [`System::rolling`] or in a plan
    /// of a test. Done twice, it must do no harm.
    fn try_step<'a>(
        &'a self,
        _view: &'a View,
        _server: Option<&'a ServerKey>,
        step: &'a SystemStep,
    ) -> Fut<'a, Tried> {
        let refused = Tried::Refused(format!("{} does not know how to do it", self.name()));
        let _ = step;
        Box::pin(std::future::ready(refused))
    }

    /// What an exit code of this product means.
    fn exit_meaning(&self, _role: &str, _code: i32) -> ExitMeaning {
        ExitMeaning::Unknown
    }

    /// Reads one line of a server's log.
    fn log_line(&self, _line: &str) -> Option<LogRecord> {
        None
    }

    /// What to fetch when something failed.
    fn evidence(&self, _view: &View) -> Vec<Evidence> {
        Vec::new()
    }

    /// How a person reaches a server from a shell: command lines that work when they are pasted, the best first. What they
    /// need of credentials they read from `credentials`, a file with the content of [`System::credentials`].
    fn access(&self, _view: &View, _server: &ServerKey, _credentials: &Path) -> Vec<String> {
        Vec::new()
    }

    /// The content of the file that the lines of [`System::access`] read; `None` if they need none. Only its owner can read
    /// the file, and nobody shows it.
    fn credentials(&self, _view: &View) -> Option<Secret> {
        None
    }

    /// How a program of any language reaches the deployment with all rights, as variables of its environment: endpoints, login,
    /// certificates. Some are secrets: hand them to the process and show them nowhere.
    fn environment(&self, _view: &View) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// The names of the variables of [`System::environment`]: for deployments of this complete topology, or all that there can be.
    fn variables(&self, _topology: Option<&Topology>) -> Vec<&'static str> {
        Vec::new()
    }

    /// The invariants looked at after tests.
    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        Vec::new()
    }

    /// Switches off what a test may have switched on in a server that goes on without it, such as failure points. Asked after
    /// each test that had the deployment alone, of every server that runs.
    fn switch_off<'a>(
        &'a self,
        _view: &'a View,
        _server: &'a ServerKey,
    ) -> Fut<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Undoes what a test left: everything whose name carries this lease. Returns what it removed.
    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>>;
}

/// A wish that cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{param}: {says}; {help}")]
pub struct PlanError {
    /// The parameter at fault.
    pub param: String,
    /// What is wrong with it.
    pub says: String,
    /// What would be right.
    pub help: String,
}

/// What an exit code means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitMeaning {
    /// Nothing known.
    Unknown,
    /// A stop as it should be.
    Clean,
    /// A wrong configuration: starting again will not help. The text names it.
    Config(String),
    /// Something that may pass (a port taken). The text names it.
    Transient(String),
    /// It failed. The text names how.
    Failure(String),
}

/// Something to collect when a test failed.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// The answer to a request. `save_as` is a file name.
    Http {
        /// The server asked.
        server: ServerKey,
        /// The request.
        request: crate::http::Request,
        /// The name of the file it is saved in.
        save_as: String,
        /// How long it may take.
        limit: Duration,
    },
    /// A file of a server, relative to its directory.
    File {
        /// The server.
        server: ServerKey,
        /// The path below the server's directory.
        path: PathBuf,
    },
    /// A verb that makes the server write what it knows; the server may end by it.
    Signal(ServerKey, Verb),
}
