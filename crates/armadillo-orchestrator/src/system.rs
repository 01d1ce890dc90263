//! The seam between a product and everything else: the trait [`System`].
//!
//! No method waits, retries, spawns a process or picks an address: the orchestrator does.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use crate::attach::{AttachError, Attached, Attachment};
use crate::doctor::{Assumption, DoctorStage, Patient};
use crate::health::Health;
use crate::program::Program;
use crate::secret::Secret;
use crate::server::{Launch, ServerKey, ServerPlan, Stage, Stop, Verb};
use crate::settings::{Flag, Settings};
use crate::topology::{ANY_SHAPE, Topology};
use crate::view::View;

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
    fn stages(&self) -> &'static [DoctorStage] {
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
        _on: &'a Patient,
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

    /// The version in what the program printed.
    fn version_of(&self, output: &str) -> Option<String>;

    /// The wish of a test with every unsaid number filled in, from settings or defaults: the grouping key.
    ///
    /// # Errors
    /// When it makes no sense (an even number of members), with what would.
    fn complete(&self, wish: &Topology, settings: &Settings) -> Result<Topology, PlanError>;

    /// Every server of a complete topology, with gates, ports and cost.
    fn plan(&self, topology: &Topology) -> Vec<ServerPlan>;

    /// How to start `server`. Pure; called again at each restart.
    fn launch(&self, view: &View, server: &ServerKey) -> Launch;

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

    /// One look at the whole. Every planned server must be in the answer.
    fn health<'a>(&'a self, view: &'a View) -> Fut<'a, Health>;

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

    /// The invariants looked at after tests.
    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        Vec::new()
    }

    /// Undoes what a test left: everything whose name carries this lease. Returns what it removed.
    fn purge<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<Vec<String>, String>>;
}

/// A place where the program may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// This file, or what else [`System::installed`] knows; if it is named and missing, that is an error, not a reason to
    /// try the next.
    File(PathBuf),
    /// The same where it usually is: if nothing is there, the next is tried.
    Usually(PathBuf),
    /// This file below each directory of `parent` whose name begins with `prefix`, the newest version first.
    UsuallyBelow {
        /// Where the directories are: `/opt`.
        parent: PathBuf,
        /// How their names begin: `mydb-`.
        prefix: &'static str,
        /// The file below each: `bin/mydb`.
        file: &'static str,
    },
    /// This name, looked up in `PATH`.
    OnPath(&'static str),
    /// An applet of this executable that stands in for the product, with the title it is shown under.
    StandIn {
        /// The applet's name, as registered with [`crate::Applet`].
        applet: &'static str,
        /// `mydb-emulator, a stand-in, not MyDb`.
        title: &'static str,
    },
    /// An applet of this executable that *is* the product: a server built into the test executable.
    BuiltIn {
        /// The applet's name, as registered with [`crate::Applet`].
        applet: &'static str,
    },
}

/// What is run where a program was found or named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What is executed.
    pub program: PathBuf,
    /// Arguments before those of each launch, because of where it is.
    pub args: Vec<String>,
    /// Why it is not what was found, for the header of a run.
    pub note: Option<String>,
}

impl Installed {
    /// What was found itself.
    #[must_use]
    pub fn at(found: &Path) -> Self {
        Self {
            program: found.to_owned(),
            args: Vec::new(),
            note: None,
        }
    }
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

/// What one look at a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Not there yet, and why.
    NotYet(String),
    /// It has reached this stage; `identity` says who answered, where the product can say. With [`Stage::Started`], somebody
    /// answers, but not as a server of this deployment would: a start fails if another process listens there.
    At {
        /// How far it has come.
        stage: Stage,
        /// Proof that the answer comes from the process just started; `None` leaves the proof to the socket's owner.
        identity: Option<Identity>,
        /// What it still lacks to be ready, for the message of a start that takes too long; empty if it is ready.
        missing: String,
    },
    /// It will never get there.
    Hopeless(String),
}

/// Who answered a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The answer carries the process id.
    Pid(u32),
    /// The answer carries something only this deployment's server can say (its token, its cluster's and its own id),
    /// already compared by the system: true if it is ours.
    Ours(bool),
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

impl LogRecord {
    /// `13:45:01.123` of a time as in ISO 8601, `2026-11-28T13:45:01.123456Z`; `None` if it is none.
    #[must_use]
    pub fn time_of_day(time: &str) -> Option<String> {
        let (_, time) = time.split_once('T')?;
        let end = time.find(|c: char| !c.is_ascii_digit() && !":.".contains(c));
        let time = &time[..end.unwrap_or(time.len())];
        Some(time.get(..12).unwrap_or(time).to_owned())
    }
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Finest.
    Trace,
    /// For developers.
    Debug,
    /// Ordinary.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
    /// The server gives up.
    Fatal,
}

/// One line of a server's log, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// When it was written, as the log says it, for people: `13:45:01.123`.
    pub time: Option<String>,
    /// How loud it is.
    pub level: Level,
    /// The product's own id of the message, if it has such.
    pub id: Option<String>,
    /// The message.
    pub text: String,
    /// Whether it reports a crash of the server.
    pub crash: bool,
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

/// An invariant looked at after a test on its deployment.
pub trait Checker: Send + Sync {
    /// Its name: `databases`.
    fn name(&self) -> &'static str;

    /// When it may be asked.
    fn scope(&self) -> Scope;

    /// Whether a test that had the deployment alone, and left it well, fails as leaked for what this finds: so it is with
    /// what only tests make (a database, a key), and not with what a repair or a replacement is for (a server that is
    /// down). Asked of those of scope *idle*; what those of scope *lease* find is charged in any case.
    fn is_charged(&self) -> bool {
        false
    }

    /// Looks. `lease` is the id that the names of what a test created carry.
    ///
    /// # Errors
    /// What was found that should not be there, named.
    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>>;
}

/// When a checker may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// After every test: it looks only at things that carry the lease's id in their name.
    Lease,
    /// When nobody holds a lease: it looks at the whole.
    Idle,
}

/// A system's entry in the registry: `armadillo_orchestrator::register_system!(MyDb)`.
pub struct SystemEntry(pub &'static dyn System);

inventory::collect!(SystemEntry);

/// All systems linked into this executable, by name.
#[must_use]
pub fn systems() -> Vec<&'static dyn System> {
    let mut all: Vec<&'static dyn System> = inventory::iter::<SystemEntry>
        .into_iter()
        .map(|entry| entry.0)
        .collect();
    all.sort_by_key(|system| system.name());
    all.dedup_by_key(|system| system.name());
    all
}

/// The system of that name.
#[must_use]
pub fn system(name: &str) -> Option<&'static dyn System> {
    systems().into_iter().find(|system| system.name() == name)
}

/// Registers a system: `register_system!(MyDb)`, where `MyDb` is a constant expression.
#[macro_export]
macro_rules! register_system {
    ($system:expr) => {
        $crate::inventory::submit! { $crate::SystemEntry(&$system) }
    };
}
