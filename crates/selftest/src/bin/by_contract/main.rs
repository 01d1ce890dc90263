//! A program that is started like `arangod` and answers as its sources say (3.12), and nothing more: a single server, or the
//! servers of a cluster, without data. It shares no code with the emulator, nor with the system that starts it, so that those
//! two cannot agree on a mistake. `tests/contact.rs` starts it.
//!
//! The file `phases` beside it says what each role goes through on its way, one line a role: `single: closed=50 startup=100`.
//! The numbers are milliseconds. What comes after the last phase is the normal state.

mod answers;
mod http;
mod peers;
mod phases;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use phases::{Phase, Phases};

/// What this process is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Single,
    Agent,
    DbServer,
    Coordinator,
}

impl Role {
    /// As `phases` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Agent => "agent",
            Self::DbServer => "dbserver",
            Self::Coordinator => "coordinator",
        }
    }
}

/// One server.
pub(crate) struct Server {
    pub(crate) role: Role,
    /// `127.0.0.1:4711`, which is also where its peers reach it.
    pub(crate) address: String,
    /// The addresses of all agents, in order.
    pub(crate) agents: Vec<String>,
    pub(crate) key: Vec<u8>,
    pub(crate) root_password: String,
    pub(crate) phases: Phases,
    pub(crate) begun: Instant,
    pub(crate) stopping: AtomicBool,
    /// How many more requests with a valid token are rejected once it serves.
    pub(crate) rejects: AtomicU32,
    /// What agents know of the others.
    pub(crate) members: peers::Members,
}

impl Server {
    pub(crate) fn phase(&self) -> Phase {
        self.phases.at(self.begun.elapsed())
    }

    /// Its id within the cluster.
    pub(crate) fn id(&self) -> String {
        peers::id(self.role, &self.address)
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    if args == ["--version"] {
        println!("architecture: 64bit\nserver-version: 3.12.10\nlicense: community");
        return ExitCode::SUCCESS;
    }
    let mut options: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in args.chunks(2) {
        let [name, value] = pair else {
            eprintln!("{} has no value", pair[0]);
            return ExitCode::from(3);
        };
        let name = name.trim_start_matches("--");
        options.entry(name).or_default().push(value);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(Path::new(&program), &options)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(program: &Path, options: &BTreeMap<&str, Vec<&str>>) -> ExitCode {
    let option = |name: &str| {
        let values = options.get(name);
        values
            .and_then(|values| values.last())
            .copied()
            .unwrap_or_default()
    };
    let own = options.get("server.endpoint").map_or(0, Vec::len);
    if own != 1 {
        eprintln!("{own} endpoints");
        return ExitCode::from(21);
    }
    eprintln!("options: {options:?}");
    let passed_on = ["ASAN_OPTIONS", "ICU_DATA", "ARMADILLO_ARANGOD"];
    let passed_on = passed_on.map(|name| std::env::var(name).unwrap_or_default());
    eprintln!("environment: {passed_on:?}");
    let address = |endpoint: &&str| endpoint.trim_start_matches("tcp://").to_owned();
    let agents = ["agency.endpoint", "cluster.agency-endpoint"];
    let agents = agents.iter().filter_map(|name| options.get(name)).flatten();
    let mut agents: Vec<String> = agents.map(address).collect();
    agents.sort();
    let role = match option("cluster.my-role") {
        "DBSERVER" => Role::DbServer,
        "COORDINATOR" => Role::Coordinator,
        _ if option("agency.activate") == "true" => Role::Agent,
        _ => Role::Single,
    };
    let script = program.with_file_name("phases");
    let script = std::fs::read_to_string(script).unwrap_or_default();
    let phases = match Phases::of(role.name(), &script) {
        Ok(phases) => phases,
        Err(why) => {
            eprintln!("phases: {why}");
            return ExitCode::FAILURE;
        }
    };
    let key = Path::new(&option("server.jwt-secret-folder")).join("1-active");
    let key = std::fs::read_to_string(key).unwrap_or_default();
    let server = Arc::new(Server {
        role,
        address: address(&option("server.endpoint")),
        agents,
        key: key.trim().as_bytes().to_vec(),
        root_password: std::env::var("ARANGODB_DEFAULT_ROOT_PASSWORD").unwrap_or_default(),
        rejects: AtomicU32::new(phases.rejects),
        phases,
        begun: Instant::now(),
        stopping: AtomicBool::new(false),
        members: peers::Members::default(),
    });
    let as_json = option("log.use-json-format") == "true";
    tokio::spawn(say_when_ready(Arc::clone(&server), as_json));
    if matches!(role, Role::DbServer | Role::Coordinator) {
        tokio::spawn(peers::beat(Arc::clone(&server)));
    }
    let (Ok(mut terminate), closed) = (signal(SignalKind::terminate()), server.phases.until_open())
    else {
        return ExitCode::FAILURE;
    };
    tokio::select! {
        _ = terminate.recv() => return ExitCode::SUCCESS,
        () = tokio::time::sleep(closed) => {}
    }
    let listener = match TcpListener::bind(&server.address).await {
        Ok(listener) => listener,
        Err(error) => {
            log(
                as_json,
                "FATAL",
                "c81f6",
                &format!("failed to bind: {error}"),
            );
            return ExitCode::from(21);
        }
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(http::serve(Arc::clone(&server), stream));
            },
        }
    }
    // From now on nobody can connect; those who are connected are told.
    drop(listener);
    server.stopping.store(true, Ordering::SeqCst);
    let text = "SIGTERM received (sender pid 1), beginning shut down sequence";
    log(as_json, "INFO", "b4133", text);
    tokio::time::sleep(server.phases.stopping).await;
    ExitCode::SUCCESS
}

/// Logs that it is ready when every phase is over.
async fn say_when_ready(server: Arc<Server>, as_json: bool) {
    tokio::time::sleep(server.phases.until_ready()).await;
    if !server.phases.silent {
        let text = "ArangoDB (version 3.12.10 [linux]) is ready for business. Have fun!";
        log(as_json, "INFO", "cf3f4", text);
    }
    // What a busy server goes on writing.
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        log(as_json, "INFO", "99d80", "something else");
    }
}

fn log(as_json: bool, level: &str, id: &str, text: &str) {
    let pid = std::process::id();
    let time = "2026-11-28T12:00:00Z";
    match as_json {
        true => eprintln!(
            r#"{{"time":"{time}","pid":{pid},"level":"{level}","topic":"general","id":"{id}","message":"{text}"}}"#
        ),
        false => eprintln!("{time} [{pid}] {level} [{id}] {{general}} {text}"),
    }
}
