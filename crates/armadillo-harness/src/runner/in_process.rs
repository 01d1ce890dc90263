//! A run without isolation: the tests are libtest-mimic's trials, run and printed by libtest-mimic, in this process.
//!
//! For debuggers, for nextest (which has already given the test a process), and for one test with `--nocapture`. Nothing
//! is captured, and a body that does not await cannot be ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use armadillo_orchestrator::Fut;
use libtest_mimic::{Arguments, ColorSetting, Completion, Failed, FormatSetting, Trial};

use super::journal::Journal;
use super::prepare::Run;
use super::programs::Found;
use super::{RunnerError, files};
use crate::checking::Policies;
use crate::client::{DaemonClient, WITHOUT_LIMIT};
use crate::collect::Test;
use crate::event::{Captured, Company, EventKind, Names, TestFinished};
use crate::exit_code::Exit;
use crate::fixture::{Hooks, ProcessFixtures, execute};
use crate::needs::Need;
use crate::options::{Color, Format, Showing};
use crate::outcome::{FailureKind, Verdict};
use crate::plan::Plan;
use crate::protocol::daemon::{Ask, Grant, Release, Released};
use crate::protocol::worker::{Assignment, Phase, PhaseLimits, Report};

/// How long the end of a lease, or a last request, may take.
const LIMIT: Duration = Duration::from_secs(120);

/// What all trials share.
struct Stage {
    /// The tests of the plan, without what only one thread may hold.
    plan: Vec<Scene>,
    seed: u64,
    rounds: Option<u32>,
    checkers: Policies,
    limits: bool,
    factor: f64,
    directory: PathBuf,
    temporary: PathBuf,
    client: Option<DaemonClient>,
    journal: Arc<Journal>,
    fixtures: ProcessFixtures,
    sequence: AtomicU64,
    exit: Mutex<Exit>,
}

impl Stage {
    fn limits_of(&self, scene: &Scene) -> PhaseLimits {
        if self.limits {
            PhaseLimits::of(scene.limit, self.factor)
        } else {
            PhaseLimits::default()
        }
    }
}

/// One test of the plan.
struct Scene {
    test: Test,
    name: String,
    needs: Vec<Need>,
    limit: Duration,
}

/// Runs the plan in this process. `ignored` is shown as ignored.
pub(super) fn run(
    mut run: Run,
    ignored: Vec<(Test, String)>,
    found: Found,
) -> Result<Exit, RunnerError> {
    let daemon = run.daemon.take();
    let temporary = match &daemon {
        Some(daemon) => daemon.started.run_dir.clone(),
        None => run.directory.join("temporary"),
    };
    let stage = Arc::new(Stage {
        plan: scenes(&run.plan),
        seed: run.seed,
        rounds: run.options.running.rounds,
        checkers: run.options.checkers.clone(),
        limits: run.limits,
        factor: run.options.running.timeout_factor,
        directory: run.directory.clone(),
        temporary,
        client: daemon
            .as_ref()
            .map(|daemon| DaemonClient::new(&daemon.started.socket)),
        journal: run.journal.clone(),
        fixtures: ProcessFixtures::default(),
        sequence: AtomicU64::new(0),
        exit: Mutex::new(run.exit),
    });
    let mut trials: Vec<Trial> = (0..stage.plan.len())
        .map(|index| trial(&stage, index))
        .collect();
    let nothing = || Ok::<(), Failed>(());
    trials.extend(
        ignored
            .into_iter()
            .chain(found.ignored)
            .map(|(test, _)| Trial::test(test.name, nothing).with_ignored_flag(true)),
    );
    let fails =
        |(test, reason): (Test, String)| Trial::test(test.name, move || Err(Failed::from(reason)));
    trials.extend(found.failed.into_iter().map(fails));
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    let conclusion = libtest_mimic::run(&arguments(&run.options.showing, run.slots), trials);
    for complaint in stage.fixtures.drop_all() {
        run.journal
            .warn(format!("a fixture kept by this process: {complaint}"));
    }
    let exit = stage.exit.lock().map_or(Exit::Harness, |exit| *exit);
    let exit = if conclusion.has_failed() {
        exit.and(Exit::Failed)
    } else {
        exit
    };
    finish(&stage, exit)?;
    if let Some(daemon) = daemon {
        daemon.end();
    }
    Ok(exit)
}

fn scenes(plan: &Plan) -> Vec<Scene> {
    plan.tests
        .iter()
        .map(|planned| Scene {
            test: planned.test.clone(),
            name: planned.name.clone(),
            needs: planned.needs.clone(),
            limit: planned.limit,
        })
        .collect()
}

fn arguments(showing: &Showing, threads: usize) -> Arguments {
    Arguments {
        test_threads: Some(threads),
        logfile: showing
            .logfile
            .as_ref()
            .map(|path| path.display().to_string()),
        color: Some(match showing.color {
            Color::Auto => ColorSetting::Auto,
            Color::Always => ColorSetting::Always,
            Color::Never => ColorSetting::Never,
        }),
        format: Some(match showing.format {
            Format::Pretty => FormatSetting::Pretty,
            Format::Terse => FormatSetting::Terse,
            Format::Json => FormatSetting::Json,
        }),
        ..Arguments::default()
    }
}

fn trial(stage: &Arc<Stage>, index: usize) -> Trial {
    let stage = stage.clone();
    let name = stage.plan[index].name.clone();
    Trial::ignorable_test(name.clone(), move || {
        // A named thread: panics then say which test it was, and thread-locals are fresh.
        let run = std::thread::Builder::new()
            .name(name)
            .spawn(move || perform(&stage, index));
        let verdict = run
            .map_err(Failed::from)?
            .join()
            .map_err(|_| Failed::from("the harness panicked"))?;
        match verdict {
            Verdict::Passed => Ok(Completion::Completed),
            Verdict::Skipped { reason } => Ok(Completion::ignored_with(reason)),
            Verdict::Failed { message, .. } => Err(Failed::from(message)),
        }
    })
}

/// One test with its lease.
fn perform(stage: &Stage, index: usize) -> Verdict {
    let scene = &stage.plan[index];
    let grant = match ask(stage, scene) {
        Ok(grant) => grant,
        Err(message) => {
            return conclude(stage, scene, None, impossible(message), Released::default());
        }
    };
    stage.journal.emit(EventKind::TestStarted {
        test: scene.name.clone(),
        attempt: 1,
        worker: None,
        lease: grant.as_ref().map(|grant| grant.lease.clone()),
        deployments: grant
            .iter()
            .map(|grant| grant.view.deployment.clone())
            .collect(),
    });
    let report = match prepare(stage, scene, grant.clone()) {
        Ok(assignment) => {
            let clock = Clock {
                limits: assignment.phase_limits,
                phase: Mutex::new(Phase::SetUp),
            };
            let report = execute(scene.test.def, &assignment, &stage.fixtures, &clock);
            // It lies in a directory that goes at the end of the run.
            let _ = std::fs::remove_dir_all(&assignment.temporary_directory);
            report
        }
        Err(error) => impossible(format!("cannot make its temporary directory: {error}")),
    };
    if let Some(grant) = &grant
        && report.keeps_fixtures
    {
        for complaint in stage.fixtures.drop_deployment(&grant.view.deployment) {
            stage.journal.warn(format!(
                "a fixture of {}: {complaint}",
                grant.view.deployment
            ));
        }
    }
    let released = grant
        .as_ref()
        .map(|grant| release(stage, scene, grant, &report))
        .unwrap_or_default();
    conclude(stage, scene, grant.as_ref(), report, released)
}

fn prepare(stage: &Stage, scene: &Scene, lease: Option<Grant>) -> std::io::Result<Assignment> {
    let sequence = stage.sequence.fetch_add(1, Ordering::Relaxed);
    let temporary_directory = stage.temporary.join(format!("t0-{sequence}"));
    std::fs::create_dir_all(&temporary_directory)?;
    Ok(Assignment {
        sequence,
        test: scene.test.name.clone(),
        attempt: 1,
        seed: crate::random::seed_of(stage.seed, &scene.name),
        run_seed: stage.seed,
        rounds: stage.rounds,
        temporary_directory,
        attachments: files::directory(&stage.directory, &scene.name, 1).join("attachments"),
        limits: stage.limits,
        phase_limits: stage.limits_of(scene),
        leases: lease.into_iter().collect(),
    })
}

fn ask(stage: &Stage, scene: &Scene) -> Result<Option<Grant>, String> {
    let (Some(need), Some(client)) = (scene.needs.first(), &stage.client) else {
        return Ok(None);
    };
    let ask = Ask {
        topology: need.topology.clone(),
        mode: need.mode,
        test: scene.name.clone(),
    };
    block_on(client.post::<Grant>("/v1/leases", &ask, None, WITHOUT_LIMIT)).map(Some)
}

fn release(stage: &Stage, scene: &Scene, grant: &Grant, report: &Report) -> Released {
    let Some(client) = &stage.client else {
        return Released::default();
    };
    let release = Release {
        torn_down: true,
        suspect: None,
        failed: report.verdict.is_failure(),
        checkers: stage.checkers.with(scene.test.def.checkers),
    };
    let path = format!("/v1/leases/{}/release", grant.lease);
    let answer = client.post::<Released>(&path, &release, Some(&grant.token), LIMIT);
    let released = block_on(answer).unwrap_or_else(|error| {
        stage.journal.warn(format!(
            "the lease {} could not be given back: {error}",
            grant.lease
        ));
        Released::default()
    });
    for warning in &released.warnings {
        let test = &scene.name;
        stage.journal.warn(format!("after {test}: {warning}"));
    }
    released
}

fn conclude(
    stage: &Stage,
    scene: &Scene,
    grant: Option<&Grant>,
    report: Report,
    released: Released,
) -> Verdict {
    let verdict = super::slot::judge(report.verdict, &released);
    if let Ok(mut exit) = stage.exit.lock() {
        *exit = exit.and(Exit::of(&verdict));
    }
    let artifacts = files::directory(&stage.directory, &scene.name, 1);
    stage.journal.emit(EventKind::TestFinished(TestFinished {
        test: scene.name.clone(),
        attempt: 1,
        retried: false,
        verdict: verdict.clone(),
        times: report.times,
        output: Captured::default(),
        worker: None,
        deployments: grant
            .iter()
            .map(|grant| grant.view.deployment.clone())
            .collect(),
        company: Company {
            shared_with: Names::of(released.co_tenants.iter().map(String::as_str)),
            ..Company::default()
        },
        server_logs: match grant {
            Some(grant) if verdict.is_failure() => {
                BTreeMap::from([(grant.view.deployment.clone(), released.server_logs)])
            }
            _ => BTreeMap::new(),
        },
        artifacts: artifacts.is_dir().then(|| artifacts.display().to_string()),
    }));
    verdict
}

fn impossible(message: String) -> Report {
    Report {
        sequence: 0,
        verdict: Verdict::Failed {
            kind: FailureKind::Error,
            message,
        },
        times: Default::default(),
        changed: None,
        keeps_fixtures: false,
    }
}

/// Stops what was started and writes the log: the daemon's if there is one, else this process's own.
fn finish(stage: &Stage, exit: Exit) -> Result<(), RunnerError> {
    let last = EventKind::RunFinished {
        exit_code: exit.code(),
        ended_early: None,
    };
    let Some(client) = &stage.client else {
        stage.journal.emit(last);
        // Where the daemon would have made it; nothing is in it any more.
        let _ = std::fs::remove_dir_all(&stage.temporary);
        return write_log(&stage.directory, &stage.journal).map_err(|source| RunnerError::Os {
            action: "write events.jsonl",
            source,
        });
    };
    if let Err(error) = block_on(client.post::<serde_json::Value>("/v1/stop", &(), None, LIMIT)) {
        stage.journal.warn(format!(
            "the deployments were not stopped as they should be: {error}"
        ));
    }
    if let Ok(events) = block_on(client.get::<Vec<crate::event::Event>>("/v1/events/0/now", LIMIT))
    {
        events
            .into_iter()
            .for_each(|event| stage.journal.relay(event));
    }
    stage.journal.emit(last);
    // If the daemon does not take them any more, the reports have them all the same.
    let _ = block_on(stage.journal.flush(client));
    Ok(())
}

fn write_log(directory: &Path, journal: &Journal) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for event in journal.take_unsent() {
        serde_json::to_writer(&mut lines, &event)?;
        lines.push(b'\n');
    }
    std::fs::write(directory.join(crate::daemon::EVENTS_FILE), lines)
}

/// A request from a thread that belongs to no runtime.
fn block_on<T>(
    request: impl Future<Output = Result<T, crate::client::AskError>>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| format!("cannot make a runtime: {error}"))?;
    runtime.block_on(request).map_err(|error| error.to_string())
}

/// Keeps the time of bodies that await.
struct Clock {
    limits: PhaseLimits,
    phase: Mutex<Phase>,
}

impl Hooks for Clock {
    fn phase(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn cancelled(&self) -> Fut<'_, ()> {
        let phase = *self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        match self.limits.limit(phase) {
            Some(limit) => Box::pin(tokio::time::sleep(limit)),
            None => Box::pin(std::future::pending()),
        }
    }
}
