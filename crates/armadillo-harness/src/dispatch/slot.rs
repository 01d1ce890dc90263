//! A slot: one of the `-n` places in which tests run, one after the other.

use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::System;

use super::attempt;
use super::context::Context;
use super::executor::{Attempted, Executor, NotBegun, captured};
use super::files::TestFiles;
use super::log_excerpt;
use super::queue::{Job, Task};
use super::repetitions::{self, How};
use crate::event::{EventKind, TestFinished, TestIsolation};
use crate::exit_code::Exit;
use crate::judge::{Terms, judge};
use crate::needs::LeaseMode;
use crate::options::Isolation;
use crate::outcome::{FailureKind, Verdict};
use crate::plan::Planned;
use crate::protocol::daemon::{Begin, Grant, Release, Released};
use crate::protocol::endpoints;

/// How long the checks at the end of a lease may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(120);

/// How long the daemon may take to say whether a test may begin.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);

/// Works until there is nothing left to do.
pub(super) async fn work(context: Rc<Context>, slot: u32) {
    let mut executor = context.executors.executor(&context.queue);
    loop {
        if let Some(number) = executor.next_ahead() {
            go_on(&context, slot, &mut executor, number).await;
            continue;
        }
        // A lease is granted to somebody who can begin at once. If other runs share the slots, most of this one's may have nothing to
        // do, and need no process.
        let is_wanted = || !context.queue.is_stopped();
        if is_wanted() && !context.queue.shares_slots() {
            executor.make_ready(&is_wanted).await;
        }
        let Some(task) = context.queue.next(slot).await else {
            break;
        };
        perform(&context, slot, &mut executor, task).await;
    }
    if executor.worker().is_some() {
        context.queue.fixtures_gone(slot, None).await;
    }
    executor.end().await;
}

/// What became of a task.
pub(super) enum Performed {
    /// The test has its final verdict.
    Final(Verdict),
    /// Another attempt follows.
    Again(Job),
    /// The lease was taken back before the test began; another will be granted.
    Later,
    /// It was no test.
    Chore,
}

pub(super) async fn perform(
    context: &Rc<Context>,
    slot: u32,
    executor: &mut Executor,
    task: Task,
) -> Performed {
    match task {
        Task::Run(job, leases) => run(context, slot, executor, job, leases, None).await,
        Task::Refused(job, error) => {
            let ended = Ended {
                attempted: Attempted::impossible(error),
                released: Released::default(),
                worker: None,
                leases: Vec::new(),
            };
            finish(context, job, None, ended)
        }
        Task::DropFixtures(deployment) => {
            for complaint in executor.drop_fixtures(&deployment).await {
                let text = format!("a fixture of {deployment}: {complaint}");
                context.journal.warn(text);
            }
            context.queue.fixtures_gone(slot, Some(&deployment)).await;
            Performed::Chore
        }
    }
}

/// Goes on with the test that was sent ahead with this number.
async fn go_on(context: &Rc<Context>, slot: u32, executor: &mut Executor, number: u64) {
    let _busy = context.cancel.busy();
    match executor.begins(number, &context.cancel).await {
        Ok(job) => _ = run(context, slot, executor, job, Vec::new(), Some(number)).await,
        Err(NotBegun::TakenBack) => {}
        Err(NotBegun::Lost(why)) => {
            if let Some(worker) = executor.worker() {
                context
                    .journal
                    .warn(format!("worker {worker} is replaced: {why}"));
            }
            retire(context, slot, executor, why).await;
        }
    }
}

/// Makes an attempt. `ahead` is its number if it was sent ahead: it has begun then.
async fn run(
    context: &Rc<Context>,
    slot: u32,
    executor: &mut Executor,
    job: Job,
    leases: Vec<Grant>,
    ahead: Option<u64>,
) -> Performed {
    let _busy = context.cancel.busy();
    let planned = &context.plan.tests[job.test];
    if ahead.is_none() && context.cancel.is_reached() {
        // Its lease was on its way when the tests that ran were ended.
        context.queue.put_back();
        return Performed::Later;
    }
    // A retry gets a fresh process: the last attempt may have left statics behind.
    let needs_process = job.begins_later(planned);
    if needs_process {
        let why = "the next test needs its own process";
        retire(context, slot, executor, why).await;
    }
    if ahead.is_none() && (needs_process || context.queue.shares_slots()) {
        executor.make_ready(&|| true).await;
        if !may_begin(context, &job, &leases).await {
            return Performed::Later;
        }
    }
    let began_us = context.daemon_clock.elapsed_us();
    let mut attempted = attempt::make(context, slot, executor, &job, &leases, ahead).await;
    let worker = executor.worker();
    if context.leaves_fixtures {
        attempted.keeps.clear();
    }
    executor.keeps(&attempted.keeps);
    let retry = retry_of(context, &job);
    let settled = settle(
        context,
        slot,
        executor,
        &job,
        &leases,
        &attempted,
        (retry.as_ref(), began_us),
    );
    let released = tokio::select! {
        biased;
        // The daemon takes back and ends what is left.
        () = context.cancel.abandoned() => Released::default(),
        released = settled => released,
    };
    if released.void {
        context.journal.emit(EventKind::TestPutBack {
            test: planned.name.clone(),
            attempt: job.attempt,
            why: "a server exited before the test started".to_owned(),
        });
        context.queue.put_back();
        return Performed::Later;
    }
    let ended = Ended {
        attempted,
        released,
        worker,
        leases,
    };
    finish(context, job, retry, ended)
}

/// Whether the test may begin, now that its process is there. If not, it waits again.
async fn may_begin(context: &Context, job: &Job, leases: &[Grant]) -> bool {
    let (Some(grant), Some(daemon)) = (leases.first(), &context.daemon) else {
        return true;
    };
    // Before the question: the answer may be followed by another grant at once.
    context.queue.prepare_to_wait(job);
    let (places, token) = ([grant.lease.as_str()], Some(&grant.token));
    let asked = daemon.ask::<endpoints::Begin>(&places, &(), token, BEGIN_LIMIT);
    match asked.await {
        Ok(Begin { go: false }) => {
            context.queue.put_back();
            false
        }
        // If it cannot be asked, the daemon is gone, and that ends the run.
        Ok(Begin { go: true }) | Err(_) => {
            context.queue.begins(job);
            true
        }
    }
}

/// The attempt that follows if this one fails.
fn retry_of(context: &Context, job: &Job) -> Option<Job> {
    let planned = &context.plan.tests[job.test];
    let more = job.attempt <= planned.retries && !context.cancel.is_reached();
    let processes = context.executors.have_processes();
    more.then(|| context.queue.next_attempt(job, processes))
}

/// Lets the process go that cannot be used again, and gives the lease back.
async fn settle(
    context: &Context,
    slot: u32,
    executor: &mut Executor,
    job: &Job,
    leases: &[Grant],
    attempted: &Attempted,
    (retry, began_us): (Option<&Job>, u64),
) -> Released {
    let planned = &context.plan.tests[job.test];
    let own_process = planned.test.def.isolated || context.isolation == Isolation::Process;
    if let Some(why) = &attempted.process_ended {
        // A test whose process died, or was killed, has a verdict that says so.
        // A test with a process of its own may change that as it likes.
        if attempted.ran.is_torn_down() && !own_process {
            let test = &planned.name;
            let text = format!(
                "{test}: {why}; its worker is replaced so that other tests are not affected"
            );
            context.journal.warn(text);
        }
        retire(context, slot, executor, why).await;
    } else if own_process {
        let why = "its test needed its own process";
        retire(context, slot, executor, why).await;
    }
    match (leases.first(), &context.daemon) {
        // Its deployments are stopped next: there is nothing to look at, and nobody to be charged.
        _ if attempted.ran.is_cut_off() => Released::default(),
        (Some(grant), Some(_)) => {
            let there = executor.worker().is_some() || !context.executors.have_processes();
            let keeps = if there { &attempted.keeps[..] } else { &[] };
            let keeps = context.queue.keeps(slot, keeps);
            release(context, job, grant, attempted, keeps, retry, began_us).await
        }
        _ => Released::default(),
    }
}

async fn retire(context: &Context, slot: u32, executor: &mut Executor, why: &str) {
    if executor.retire(why).await {
        context.queue.fixtures_gone(slot, None).await;
    }
}

async fn release(
    context: &Context,
    job: &Job,
    grant: &Grant,
    attempted: &Attempted,
    keeps: Vec<String>,
    retry: Option<&Job>,
    began_us: u64,
) -> Released {
    let planned = &context.plan.tests[job.test];
    let release = Release {
        began_us,
        torn_down: attempted.ran.is_torn_down(),
        suspect: attempted.ran.suspect(),
        failed: judge(
            &attempted.ran,
            terms_of(context, planned),
            &Released::default(),
        )
        .is_failure(),
        checkers: context.checkers.with(planned.test.def.checkers),
        keeps,
        retry: retry.map(|retry| context.queue.expect(retry)),
    };
    let Some(daemon) = &context.daemon else {
        return Released::default();
    };
    // Before the end is told: should the attempt not count, it may be granted again at once.
    context.queue.prepare_to_wait(job);
    let (places, token) = ([grant.lease.as_str()], Some(&grant.token));
    let asked = daemon.ask::<endpoints::Release>(&places, &release, token, RELEASE_LIMIT);
    let released = asked.await.unwrap_or_else(|error| {
        let text = format!("cannot release the lease {}: {error}", grant.lease);
        context.journal.warn(text);
        Released::default()
    });
    if let Some(retry) = retry.filter(|_| !released.again) {
        context.queue.forget(retry);
    }
    if !released.void {
        context.queue.forget(job);
    }
    let warnings = released.on.values().flat_map(|found| &found.warnings);
    for warning in warnings {
        let text = format!("after {}: {warning}", planned.name);
        context.journal.warn(text);
    }
    released
}

/// An attempt with everything that was found out about it.
struct Ended {
    attempted: Attempted,
    released: Released,
    worker: Option<u32>,
    leases: Vec<Grant>,
}

fn finish(context: &Context, job: Job, retry: Option<Job>, ended: Ended) -> Performed {
    let planned = &context.plan.tests[job.test];
    let Ended {
        attempted,
        mut released,
        worker,
        leases,
    } = ended;
    let files = TestFiles::of(context, planned, job.attempt);
    for found in released.on.values_mut() {
        files.take_crashes(&mut found.post_mortems, &context.journal);
    }
    let mut verdict = judge(&attempted.ran, terms_of(context, planned), &released);
    if verdict.is_failure()
        && !attempted.ran.is_cut_off()
        && let Some(path) = context.places.removed()
    {
        let path = path.display();
        verdict = Verdict::error(format!(
            "{path} was removed during the test, so its failure is not meaningful"
        ));
    }
    let failed = verdict.is_failure();
    let exit = Exit::of(&verdict);
    let more = !context.queue.is_stopped();
    let retry = retry.filter(|_| more && failed && (leases.is_empty() || released.again));
    let is_cut_off = attempted.ran.is_cut_off();
    let repetition = context.repetition(&job);
    let how = How {
        failed,
        is_skipped: matches!(verdict, Verdict::Skipped { .. }),
        is_cut_off,
        is_retried: retry.is_some(),
        was_possible: job.modes.is_empty() || !leases.is_empty(),
    };
    let repeated = repetitions::follows(context, &job, &how);
    let mut server_logs = std::collections::BTreeMap::new();
    if failed && repeated.is_told {
        files.keep_output(&attempted.output, &context.journal);
        for (deployment, found) in released.on {
            files.keep_server_logs(&found.server_logs, &context.journal);
            files.keep_leaders(&found.leaders, &context.journal);
            let system = system_of(&leases, &deployment);
            let excerpts = (found.server_logs.into_iter())
                .map(|(server, log)| (server, log_excerpt::of(system, &log)));
            server_logs.insert(deployment, excerpts.collect());
        }
    }
    let finished = TestFinished {
        test: planned.name.clone(),
        repetition,
        attempt: job.attempt,
        retried: retry.is_some(),
        isolation: isolation_of(context, &job),
        output: captured(&attempted.output, failed || context.show_output),
        verdict: verdict.clone(),
        times: attempted.times,
        worker,
        deployments: attempt::deployments(&leases),
        company: released.company,
        server_logs,
        artifacts: ((failed || attempted.has_files) && files.directory.is_dir())
            .then(|| files.directory.display().to_string()),
        shown: attempted.shown,
    };
    if repeated.is_told {
        context.journal.emit(EventKind::TestFinished(finished));
    } else if let (false, Some(repeats)) = (failed, &context.repeats) {
        repeats.borrow_mut().keep(job.test, finished);
    }
    if repeated.again {
        context.queue.repeat(&job);
    }
    context.queue.finished(&job);
    if let Some(retry) = retry {
        if leases.is_empty() {
            context.queue.again(retry.clone());
        }
        return Performed::Again(retry);
    }
    // A repetition that was cut off says nothing of a test that came to its end before.
    if failed && (repeated.is_told || !is_cut_off) {
        let mut tally = context.tally.borrow_mut();
        if is_cut_off {
            tally.ended(exit);
        } else {
            tally.failed(exit);
        }
        if tally.is_enough(context.max_fail) {
            context.queue.stop();
            let why = match context.until_fail {
                true => "stopped because a test failed (--repeat until-fail)",
                false => "stopped because the limit of failures was reached (--maxfail)",
            };
            let cancel = &context.cancel;
            cancel.end_tests(FailureKind::Interrupted, why.to_owned());
        }
    }
    Performed::Final(verdict)
}

/// The system that reads the logs of a deployment.
fn system_of(leases: &[Grant], deployment: &str) -> Option<&'static dyn System> {
    let mut views = leases.iter().map(|grant| &grant.view);
    let view = views.find(|view| view.deployment == deployment)?;
    armadillo_orchestrator::system(&view.topology.system)
}

/// What an attempt had for itself that the first one had not.
fn isolation_of(context: &Context, job: &Job) -> TestIsolation {
    let declared = context.plan.tests[job.test].needs.iter();
    let raised = declared.zip(&job.modes);
    let raised_to = |mode| {
        raised
            .clone()
            .any(|(need, had)| *had == mode && need.mode != mode)
    };
    if raised_to(LeaseMode::Fresh) {
        TestIsolation::Fresh
    } else if raised_to(LeaseMode::Exclusive) {
        TestIsolation::Alone
    } else if job.attempt > 1 && context.executors.have_processes() {
        TestIsolation::OtherProcess
    } else {
        TestIsolation::AsDeclared
    }
}

fn terms_of(context: &Context, planned: &Planned) -> Terms {
    Terms {
        should_panic: planned.test.def.should_panic,
        xfail: planned.test.def.xfail,
        if_inconclusive: context.if_inconclusive,
    }
}
