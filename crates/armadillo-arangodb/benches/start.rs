#![allow(
    clippy::expect_used,
    reason = "a measurement that fails has nothing to say but why"
)]
//! How long clusters take from start to ready: `cargo bench -p armadillo-arangodb --bench start`, with `--profile dev` for
//! a debug build.
//!
//! `ARMADILLO_STARTS` (30) clusters of 3 agents, 3 dbservers and 1 coordinator, one after the other; with `-- --pace realistic`
//! they start as slowly as `arangod` does. The program is `ARMADILLO_ARANGOD`, else the stand-in that
//! `cargo build -p arangod-emulator` (with `--release` or not, as the bench) has built. Prints; judges nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armadillo_arangodb::ArangoDb;
use armadillo_arangodb::topology::cluster;
use armadillo_orchestrator::process::Ledger;
use armadillo_orchestrator::{
    Answers, Deadline, Deployment, Local, Notice, Processes, Program, Programs, ServerKey,
    Settings, Stage, StartRequest, System, random,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How long one start, or one stop, may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The name of the stand-in's program.
const STAND_IN: &str = "arangod-emulator";

/// One start.
struct Start {
    took: Duration,
    /// When each server's process ran, and when it had reached which stage, from the beginning.
    seen: BTreeMap<ServerKey, Vec<(Stage, Duration)>>,
}

fn main() -> ExitCode {
    let pace = pace();
    let starts = std::env::var("ARMADILLO_STARTS")
        .ok()
        .and_then(|text| text.parse().ok());
    let path = program_path();
    if !path.is_file() {
        eprintln!(
            "there is no {}: build the stand-in (`cargo build -p {STAND_IN}`, in the same profile), or name a program \
             with ARMADILLO_ARANGOD",
            path.display()
        );
        return ExitCode::FAILURE;
    }
    let mut settings = Settings::default();
    settings.set("arangod", vec![path.display().to_string()]);
    if let Some(pace) = pace {
        settings.set("pace", vec![pace]);
    }
    let mut program = Program::find(&ArangoDb, &settings, &mut Answers::default())
        .expect("a program that says its version");
    program.stand_in = path.ends_with(STAND_IN);
    let starts: usize = starts.unwrap_or(30);
    let mut all: Vec<Start> = (0..starts).map(|_| start(&program, &settings)).collect();
    all.sort_by_key(|start| start.took);
    let (Some(best), Some(worst)) = (all.first(), all.last()) else {
        return ExitCode::SUCCESS;
    };
    let median = &all[all.len() / 2];
    println!(
        "{starts} starts of 3 agents, 3 dbservers, 1 coordinator: best {} ms, median {} ms, worst {} ms",
        best.took.as_millis(),
        median.took.as_millis(),
        worst.took.as_millis()
    );
    for (what, start) in [("median", median), ("worst", worst)] {
        println!("the {what} one:\n{start}");
    }
    ExitCode::SUCCESS
}

/// What `--pace` says.
fn pace() -> Option<String> {
    let mut args = std::env::args().skip_while(|arg| arg != "--pace");
    args.nth(1)
}

/// The program that was named, or the stand-in in the directory above that of this executable.
fn program_path() -> PathBuf {
    let named = std::env::var_os("ARMADILLO_ARANGOD").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let own = std::env::current_exe().expect("an executable");
        let built = own.ancestors().nth(2).unwrap_or(Path::new(""));
        built.join(STAND_IN)
    })
}

/// Starts one cluster and stops it.
fn start(program: &Program, settings: &Settings) -> Start {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let run = random::hex::<4>().expect("random numbers");
        let ledger = Ledger::open(&directory.path().join("ledger")).expect("a ledger");
        let processes = Processes::install(&run, ledger).expect("a process table");
        let cluster = match std::env::var_os("ARMADILLO_TLS") {
            Some(_) => cluster().tls(),
            None => cluster(),
        };
        let wish = cluster.topology().to_topology();
        let mut programs = Programs::default();
        programs.add(ArangoDb.name(), None, program.clone());
        let request = StartRequest {
            id: format!("arangodb-cluster-{run}"),
            system: &ArangoDb,
            topology: ArangoDb.complete(&wish, settings).expect("a topology"),
            settings: settings.clone(),
            programs,
            directory: directory.path().join("servers"),
            secrets: None,
            share: None,
            deadline: Deadline::after(LIMIT),
        };
        let (notices, seen) = unbounded_channel();
        let begun = Instant::now();
        let watching = tokio::spawn(watch(seen, begun));
        let deployment = Deployment::start(Arc::new(Local::new(processes)), request, notices)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let took = begun.elapsed();
        let report = deployment.stop(LIMIT).await;
        assert_eq!(report.complaints(), Vec::<String>::new());
        drop(deployment);
        let seen = watching.await.expect("what was seen");
        Start { took, seen }
    })
}

/// When each server started and reached which stage, until the deployment is gone.
async fn watch(
    mut notices: UnboundedReceiver<(String, Notice)>,
    begun: Instant,
) -> BTreeMap<ServerKey, Vec<(Stage, Duration)>> {
    let mut seen: BTreeMap<_, Vec<_>> = BTreeMap::new();
    while let Some((_, notice)) = notices.recv().await {
        let now = begun.elapsed();
        match notice {
            Notice::ServerStarted { server, .. } => {
                seen.entry(server).or_default().push((Stage::Started, now));
            }
            Notice::ServerReached { server, stage, .. } => {
                seen.entry(server).or_default().push((stage, now));
            }
            Notice::Warning { text } => eprintln!("{text}"),
            _ => {}
        }
    }
    seen
}

impl std::fmt::Display for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (server, stages) in &self.seen {
            let stages: Vec<String> = stages
                .iter()
                .map(|(stage, at)| format!("{stage} {} ms", at.as_millis()))
                .collect();
            writeln!(f, "  {:14} {}", server.as_str(), stages.join(", "))?;
        }
        write!(f, "  {:14} good {} ms", "the whole", self.took.as_millis())
    }
}
