//! One attempt of a test in an executor: its assignment, the tests sent ahead with it, and its clean-up.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cancel;
use super::context::Context;
use super::executor::{Attempted, Clocks, Executor, Handed, Order, SHORT};
use super::files::TestFiles;
use super::queue::Job;
use crate::event::EventKind;
use crate::flags;
use crate::judge::Ran;
use crate::plan::Planned;
use crate::protocol::daemon::Grant;
use crate::protocol::worker::{Assignment, PhaseLimits};

/// Tests with a shorter time limit are not sent ahead: there would be no time to take back the tests behind them.
const LEAST_LIMIT: Duration = Duration::from_secs(1);

/// Tests with a longer name are not sent ahead, to keep the unread messages small.
const LONGEST_NAME: usize = 500;

/// Makes an attempt, from its start to its evidence. `ahead` is its number if it was sent ahead and has begun.
pub(super) async fn make(
    context: &Context,
    slot: u32,
    executor: &mut Executor,
    job: &Job,
    leases: &[Grant],
    ahead: Option<u64>,
) -> Attempted {
    let planned = &context.plan.tests[job.test];
    let files = TestFiles::of(context, planned, job.attempt);
    let worker = executor.worker();
    let sequence = ahead.unwrap_or_else(|| executor.next_sequence());
    context.queue.begun(job);
    if context.is_told(job) {
        context.journal.emit(EventKind::TestStarted {
            test: planned.name.clone(),
            attempt: job.attempt,
            worker,
            lease: leases.first().map(|grant| grant.lease.clone()),
            deployments: deployments(leases),
        });
    }
    if let Some(log) = &context.log_of_part
        && let Err(error) = context.journal.write_to(log)
    {
        context
            .journal
            .cannot_write(&context.directory, log, &error);
    }
    let temporary = temporary_directory(context, worker, sequence);
    let handed = match ahead {
        Some(number) => Handed::Ahead(number),
        None => Handed::Now(Box::new(assignment(context, worker, job, leases, sequence))),
    };
    let slow = context.limits.then_some(context.slow_timeout);
    let begun = Instant::now();
    let order = Order {
        planned,
        handed,
        behind: behind(context, slot, executor, job, planned),
        clocks: Clocks::start(limits_of(context, planned), slow, context.factor),
        artifacts: &files.directory,
        cancel: &context.cancel,
    };
    let attempted = match executor.run(order).await {
        Ok(attempted) => attempted,
        Err(cut_off) => end(context, executor, cut_off, begun).await,
    };
    let over = context.cancel.is_abandoned();
    if over || (attempted.ran.is_cut_off() && attempted.process_ended.is_none()) {
        // The test may still write there; the directory goes with the run's.
        return attempted;
    }
    if attempted.has_files {
        remove(context, &temporary);
    }
    attempted
}

/// The names of the deployments of a lease.
pub(super) fn deployments(leases: &[Grant]) -> Vec<String> {
    let names = leases.iter().map(|grant| grant.view.deployment.clone());
    names.collect()
}

/// What is sent ahead with this test: short ones that may run in the same worker, if this one may be followed by them.
fn behind(
    context: &Context,
    slot: u32,
    executor: &mut Executor,
    job: &Job,
    planned: &Planned,
) -> Vec<(Job, Assignment)> {
    let most = executor.wants_ahead();
    if most == 0 || !is_light(job, planned) {
        return Vec::new();
    }
    let worker = executor.worker();
    let jobs = context.queue.take_ahead(slot, most, is_light);
    let assigned = jobs.into_iter().map(|job| {
        let sequence = executor.next_sequence();
        let assignment = assignment(context, worker, &job, &[], sequence);
        (job, assignment)
    });
    assigned.collect()
}

/// Whether a test needs nothing exclusive and is not known to take long.
fn is_light(job: &Job, planned: &Planned) -> bool {
    job.modes.is_empty()
        && !job.begins_later(planned)
        && planned.expected.is_none_or(|expected| expected <= SHORT)
        && planned.limit >= LEAST_LIMIT
        && planned.name.len() <= LONGEST_NAME
}

fn assignment(
    context: &Context,
    worker: Option<u32>,
    job: &Job,
    leases: &[Grant],
    sequence: u64,
) -> Assignment {
    let planned = &context.plan.tests[job.test];
    Assignment {
        sequence,
        test: planned.test.name.clone(),
        attempt: job.attempt,
        seed: armadillo_orchestrator::random::seed_of(context.seed, &context.numbered(job)),
        run_seed: context.seed,
        rounds: context.rounds,
        temporary_directory: temporary_directory(context, worker, sequence),
        attachments: TestFiles::of(context, planned, job.attempt).attachments(),
        limits: context.limits,
        phase_limits: limits_of(context, planned),
        keep_if_failed: context.keeps
            && job.attempt > planned.retries
            && planned.test.def.xfail.is_none(),
        timeout_factor: context.factor,
        leases: leases.to_vec(),
        flags: flags::settled(),
    }
}

fn temporary_directory(context: &Context, worker: Option<u32>, sequence: u64) -> PathBuf {
    let worker = worker.unwrap_or_default();
    context.temporary.join(format!("t{worker}-{sequence}"))
}

fn limits_of(context: &Context, planned: &Planned) -> PhaseLimits {
    if context.limits {
        PhaseLimits::of(planned.limit, context.factor)
    } else {
        PhaseLimits::default()
    }
}

/// Ends a test that is still running when all running tests must end.
async fn end(
    context: &Context,
    executor: &mut Executor,
    mut cut_off: Ran,
    begun: Instant,
) -> Attempted {
    if cut_off.is_late() {
        cut_off = cut_off.found_at(executor.whereabouts(cancel::ASKED).await);
    }
    let ended = tokio::select! {
        biased;
        // The daemon ends what is left.
        () = context.cancel.abandoned() => false,
        ended = executor.end_test() => ended,
    };
    Attempted {
        output: executor.output_so_far(),
        process_ended: ended.then(|| "killed: the limit of failures was reached".to_owned()),
        ..Attempted::unreported(cut_off, begun)
    }
}

/// Removes the temporary directory of a test, if there is one.
fn remove(context: &Context, temporary: &Path) {
    if let Err(error) = std::fs::remove_dir_all(temporary)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        let text = format!("cannot remove {}: {error}", temporary.display());
        context.journal.warn(text);
    }
}
