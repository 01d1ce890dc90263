//! A slot: one of the `-n` places in which tests run, with the worker that sits in it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::attempt::{Attempted, attempt};
use super::clocks::Clocks;
use super::files::TestFiles;
use super::ground::Ground;
use super::output::captured;
use super::schedule::{Job, Task};
use super::worker::Worker;
use crate::event::{Company, EventKind, Names, TestFinished, Times};
use crate::exit_code::Exit;
use crate::options::Isolation;
use crate::outcome::{FailureKind, Verdict};
use crate::plan::Planned;
use crate::protocol::daemon::{Grant, Release, Released};
use crate::protocol::worker::{Assignment, FromWorker, PhaseLimits, ToWorker};

/// How long the checks at the end of a lease may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(120);

/// How long fixtures kept for a deployment may take to be torn down.
const DROP_FIXTURES_LIMIT: Duration = Duration::from_secs(60);

/// Works until there is nothing left to do.
pub(super) async fn work(ground: Rc<Ground>, slot: usize) {
    let mut worker: Option<Worker> = None;
    while let Some(task) = ground.schedule.next(slot).await {
        match task {
            Task::Run(job, grant) => {
                run(&ground, slot, &mut worker, job, grant.map(|grant| *grant)).await
            }
            Task::Refused(job, error) => refused(&ground, slot, &job, error),
            Task::DropFixtures(deployment) => {
                drop_fixtures(&ground, slot, worker.as_mut(), &deployment).await
            }
        }
    }
    retire(&ground, slot, &mut worker, "end of the run").await;
}

async fn run(
    ground: &Rc<Ground>,
    slot: usize,
    seat: &mut Option<Worker>,
    job: Job,
    grant: Option<Grant>,
) {
    let _busy = ground.cut_off.busy();
    let planned = &ground.plan.tests[job.test];
    // A retry gets a fresh process: the last attempt may have left statics behind.
    let fresh =
        job.attempt > 1 || planned.test.def.isolated || ground.isolation == Isolation::Process;
    if fresh {
        retire(
            ground,
            slot,
            seat,
            "the next test wants a process of its own",
        )
        .await;
    }
    let attempted = match start_worker(ground, seat).await {
        Ok(worker) => run_in(ground, worker, &job, grant.as_ref()).await,
        Err(error) => Attempted::impossible(error.to_string()),
    };
    let number = seat.as_ref().map(|worker| worker.number);
    let keeps = note_kept(seat, &attempted, grant.as_ref());
    let settled = settle(ground, slot, seat, &job, grant.as_ref(), &attempted);
    let released = tokio::select! {
        biased;
        // The daemon gives back and ends what is left.
        _ = ground.cut_off.reached() => Released::default(),
        released = settled => released,
    };
    let keeps = keeps.filter(|_| seat.is_some());
    finish(
        ground,
        slot,
        &job,
        Ended {
            attempted,
            released,
            worker: number,
            grant,
            keeps,
        },
    );
}

/// Lets the worker go that cannot be used again, and gives the lease back.
async fn settle(
    ground: &Rc<Ground>,
    slot: usize,
    seat: &mut Option<Worker>,
    job: &Job,
    grant: Option<&Grant>,
    attempted: &Attempted,
) -> Released {
    let planned = &ground.plan.tests[job.test];
    if let Some(why) = attempted.worker_ended.clone() {
        // A test whose process died, or was killed, has a verdict that says so.
        // A test with a process of its own may change that as it likes.
        if attempted.torn_down
            && !planned.test.def.isolated
            && ground.isolation != Isolation::Process
        {
            let test = &planned.name;
            let text =
                format!("{test}: {why}; its worker is retired, so that no other test meets that");
            ground.journal.warn(text);
        }
        retire(ground, slot, seat, &why).await;
    } else if planned.test.def.isolated || ground.isolation == Isolation::Process {
        retire(ground, slot, seat, "its test wanted a process of its own").await;
    }
    match grant {
        Some(grant) => release(ground, job, grant, attempted).await,
        None => Released::default(),
    }
}

async fn start_worker<'a>(
    ground: &Ground,
    seat: &'a mut Option<Worker>,
) -> Result<&'a mut Worker, super::worker::WorkerError> {
    match seat {
        Some(worker) => Ok(worker),
        None => {
            let worker = Worker::start(&ground.hall).await?;
            ground.journal.emit(EventKind::WorkerStarted {
                worker: worker.number,
                pid: worker.pid,
            });
            Ok(seat.insert(worker))
        }
    }
}

async fn run_in(
    ground: &Ground,
    worker: &mut Worker,
    job: &Job,
    grant: Option<&Grant>,
) -> Attempted {
    let planned = &ground.plan.tests[job.test];
    let files = TestFiles::of(ground, planned, job.attempt);
    worker.sequence += 1;
    let temporary = ground
        .hall
        .directory
        .join(format!("t{}-{}", worker.number, worker.sequence));
    if let Err(error) = std::fs::create_dir(&temporary) {
        return Attempted::impossible(format!(
            "cannot make its temporary directory {}: {error}",
            temporary.display()
        ));
    }
    ground.journal.emit(EventKind::TestStarted {
        test: planned.name.clone(),
        attempt: job.attempt,
        worker: Some(worker.number),
        lease: grant.map(|grant| grant.lease.clone()),
        deployments: grant
            .iter()
            .map(|grant| grant.view.deployment.clone())
            .collect(),
    });
    let assignment = assignment(
        ground,
        planned,
        job,
        grant,
        worker.sequence,
        &temporary,
        &files,
    );
    let clocks = Clocks::start(assignment.phase_limits, ground.factor);
    let begun = Instant::now();
    let mut attempted = tokio::select! {
        biased;
        attempted = attempt(&ground.hall, worker, assignment, clocks, &files.directory) => attempted,
        verdict = ground.cut_off.reached() => Attempted::cut_off(verdict, worker.output.drain()),
    };
    attempted.times.total = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    if ground.cut_off.is_reached() {
        // The test may still write there; the directory goes with the run's.
        return attempted;
    }
    if let Err(error) = std::fs::remove_dir_all(&temporary) {
        ground
            .journal
            .warn(format!("cannot remove {}: {error}", temporary.display()));
    }
    attempted
}

fn assignment(
    ground: &Ground,
    planned: &Planned,
    job: &Job,
    grant: Option<&Grant>,
    sequence: u64,
    temporary: &std::path::Path,
    files: &TestFiles,
) -> Assignment {
    Assignment {
        sequence,
        test: planned.test.name.clone(),
        attempt: job.attempt,
        seed: crate::random::seed_of(ground.seed, &planned.name),
        run_seed: ground.seed,
        rounds: ground.rounds,
        temporary_directory: temporary.to_owned(),
        attachments: files.attachments(),
        limits: ground.limits,
        phase_limits: if ground.limits {
            PhaseLimits::of(planned.limit, ground.factor)
        } else {
            PhaseLimits::default()
        },
        leases: grant.cloned().into_iter().collect(),
    }
}

/// Notes that the worker keeps fixtures for the deployment; its id, if it does.
fn note_kept(
    seat: &mut Option<Worker>,
    attempted: &Attempted,
    grant: Option<&Grant>,
) -> Option<String> {
    let grant = grant.filter(|_| attempted.keeps_fixtures)?;
    let deployment = grant.view.deployment.clone();
    seat.as_mut()?.keeps.insert(deployment.clone());
    Some(deployment)
}

async fn release(ground: &Ground, job: &Job, grant: &Grant, attempted: &Attempted) -> Released {
    let planned = &ground.plan.tests[job.test];
    let release = Release {
        torn_down: attempted.torn_down,
        suspect: attempted.suspect.clone(),
        failed: attempted.verdict.is_failure(),
        checkers: ground.checkers.with(planned.test.def.checkers),
    };
    let path = format!("/v1/leases/{}/release", grant.lease);
    match ground
        .hall
        .daemon
        .post::<Released>(&path, &release, Some(&grant.token), RELEASE_LIMIT)
        .await
    {
        Ok(released) => {
            for warning in &released.warnings {
                let test = &planned.name;
                ground.journal.warn(format!("after {test}: {warning}"));
            }
            released
        }
        Err(error) => {
            ground.journal.warn(format!(
                "the lease {} could not be given back: {error}",
                grant.lease
            ));
            Released::default()
        }
    }
}

/// An attempt with everything that was found out about it.
struct Ended {
    attempted: Attempted,
    released: Released,
    worker: Option<u32>,
    grant: Option<Grant>,
    keeps: Option<String>,
}

fn finish(ground: &Rc<Ground>, slot: usize, job: &Job, ended: Ended) {
    let planned = &ground.plan.tests[job.test];
    let Ended {
        attempted,
        released,
        worker,
        grant,
        keeps,
    } = ended;
    let verdict = judge(attempted.verdict, &released);
    let failed = verdict.is_failure();
    let exit = Exit::of(&verdict);
    let retried = failed && job.attempt <= planned.retries && !ground.cut_off.is_reached();
    let files = TestFiles::of(ground, planned, job.attempt);
    if failed {
        files.keep_output(&attempted.output, &ground.journal);
        files.keep_server_logs(&released.server_logs, &ground.journal);
        files.keep_leaders(&released.leaders, &ground.journal);
    }
    ground.journal.emit(EventKind::TestFinished(TestFinished {
        test: planned.name.clone(),
        attempt: job.attempt,
        retried,
        output: captured(&attempted.output, failed || ground.show_output),
        verdict,
        times: attempted.times,
        worker,
        deployments: grant
            .iter()
            .map(|grant| grant.view.deployment.clone())
            .collect(),
        company: Company {
            shared_with: Names::of(released.co_tenants.iter().map(String::as_str)),
            ..Company::default()
        },
        server_logs: match &grant {
            Some(grant) if failed => {
                BTreeMap::from([(grant.view.deployment.clone(), released.server_logs)])
            }
            _ => BTreeMap::new(),
        },
        artifacts: files
            .directory
            .is_dir()
            .then(|| files.directory.display().to_string()),
    }));
    if retried {
        ground.schedule.again(job, slot, keeps.as_deref());
        return;
    }
    ground.schedule.finished(job, slot, keeps.as_deref());
    if failed {
        let mut tally = ground.tally.borrow_mut();
        tally.add(exit);
        if ground.max_fail.is_some_and(|most| tally.failures >= most) {
            ground.schedule.stop();
        }
    }
}

/// The verdict with what the end of the lease brought to light.
pub(super) fn judge(verdict: Verdict, released: &Released) -> Verdict {
    let found = |list: &[String]| list.join("; ");
    match verdict {
        Verdict::Passed | Verdict::Skipped { .. } if !released.crashes.is_empty() => {
            Verdict::Failed {
                kind: FailureKind::ServerCrashed,
                message: found(&released.crashes),
            }
        }
        Verdict::Passed | Verdict::Skipped { .. } if !released.unmet.is_empty() => {
            Verdict::Failed {
                kind: FailureKind::Failed,
                message: found(&released.unmet),
            }
        }
        Verdict::Passed | Verdict::Skipped { .. } if !released.leaks.is_empty() => {
            Verdict::Failed {
                kind: FailureKind::Leaked,
                message: found(&released.leaks),
            }
        }
        Verdict::Failed { kind, message } if !released.crashes.is_empty() => Verdict::Failed {
            kind,
            message: format!("{message}\nwhile it ran: {}", found(&released.crashes)),
        },
        verdict => verdict,
    }
}

fn refused(ground: &Rc<Ground>, slot: usize, job: &Job, error: String) {
    let attempted = Attempted::impossible(error);
    let ended = Ended {
        attempted,
        released: Released::default(),
        worker: None,
        grant: None,
        keeps: None,
    };
    finish(ground, slot, job, ended);
}

async fn drop_fixtures(
    ground: &Rc<Ground>,
    slot: usize,
    worker: Option<&mut Worker>,
    deployment: &str,
) {
    if let Some(worker) = worker {
        for complaint in ask_to_drop(worker, Some(deployment))
            .await
            .unwrap_or_else(lost)
        {
            ground
                .journal
                .warn(format!("a fixture of {deployment}: {complaint}"));
        }
        worker.keeps.remove(deployment);
    }
    ground.schedule.fixtures_gone(slot, Some(deployment));
}

/// Has a worker tear down what it keeps for a deployment, or all it keeps; `None` if it is gone.
async fn ask_to_drop(worker: &mut Worker, deployment: Option<&str>) -> Option<Vec<String>> {
    let deployment = deployment.map(str::to_owned);
    worker
        .send(&ToWorker::DropFixtures { deployment })
        .await
        .ok()?;
    match tokio::time::timeout(DROP_FIXTURES_LIMIT, worker.receive()).await {
        Ok(Some(FromWorker::FixturesGone { complaints })) => Some(complaints),
        Ok(_) => None,
        Err(_) => Some(vec![format!(
            "was not torn down within {DROP_FIXTURES_LIMIT:?}"
        )]),
    }
}

fn lost() -> Vec<String> {
    vec!["was not torn down, its worker is gone".to_owned()]
}

/// Lets the worker go, if there is one: it tears down what it keeps and returns from `main`.
async fn retire(ground: &Rc<Ground>, slot: usize, seat: &mut Option<Worker>, why: &str) {
    let Some(mut worker) = seat.take() else {
        return;
    };
    let complaints = match ask_to_drop(&mut worker, None).await {
        Some(complaints) => complaints,
        None if worker.keeps.is_empty() => Vec::new(),
        None => lost(),
    };
    for complaint in complaints {
        let text = format!("a fixture kept by worker {}: {complaint}", worker.number);
        ground.journal.warn(text);
    }
    ground.schedule.fixtures_gone(slot, None);
    let number = worker.number;
    let how = match worker.retire(&ground.hall.daemon).await {
        Ok(exit) if exit.clean => why.to_owned(),
        Ok(exit) => format!("{why}; {}", exit.how),
        Err(error) => format!("{why}; {error}"),
    };
    ground.journal.emit(EventKind::WorkerEnded {
        worker: number,
        why: how,
    });
}

impl Attempted {
    /// For a test that could not be run at all.
    pub(super) fn impossible(message: String) -> Self {
        Self {
            verdict: Verdict::Failed {
                kind: FailureKind::Error,
                message,
            },
            times: Times::default(),
            output: Vec::new(),
            torn_down: true,
            suspect: None,
            keeps_fixtures: false,
            worker_ended: None,
        }
    }

    /// For a test that still ran when the run was ended.
    fn cut_off(verdict: Verdict, output: Vec<u8>) -> Self {
        Self {
            verdict,
            times: Times::default(),
            output,
            torn_down: false,
            suspect: Some("the run was ended".to_owned()),
            keeps_fixtures: false,
            worker_ended: None,
        }
    }
}
