//! One attempt of a test in a worker: hand it over, keep the clocks, take what it printed, judge how it ended.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::listener::Listener;
use super::clocks::{Clocks, Due};
use super::output::{LIMIT, Progress};
use super::worker::Worker;
use super::{Attempted, Notices};
use super::{debugger, evidence};
use crate::failure::Failure;
use crate::judge::Ran;
use crate::protocol::daemon::Grant;
use crate::protocol::worker::{Assignment, FromWorker, Report, ToWorker};

/// How long the mark behind a test's output may take after the test's report.
const MARK_LIMIT: Duration = Duration::from_secs(10);

/// What is done about a test that does not end when it is told to.
const KILLED: &str = "its process tree was killed";

/// How long a worker that closed its socket may take to be gone.
const DYING: Duration = Duration::from_secs(5);

/// Runs the attempt. `artifacts` is where evidence goes if it is needed.
pub(super) async fn attempt(
    listener: &Listener,
    worker: &mut Worker,
    assignment: Assignment,
    mut clocks: Clocks,
    notices: &Notices<'_>,
    artifacts: &Path,
) -> Attempted {
    let begun = Instant::now();
    let sequence = assignment.sequence;
    let leases = assignment.leases.clone();
    // If it cannot be sent, the worker is gone, and that is read below.
    let _ = worker.send(&ToWorker::Run(Box::new(assignment))).await;
    let mut output: Option<Vec<u8>> = None;
    let mut slow_for = Duration::ZERO;
    let ending = loop {
        let (mut incoming, pipe) = worker.split();
        // Results are drained before deadlines are judged: after a suspension everything would else have timed out.
        tokio::select! {
            biased;
            message = incoming.next() => match message {
                Some(FromWorker::Done(report)) => break Ending::Done(report),
                Some(FromWorker::Phase(phase)) => clocks.enter(phase),
                Some(FromWorker::At {
                    time_is_up: false,
                    traces,
                }) => notices.slow(slow_for, traces),
                Some(FromWorker::At { traces, .. }) => {
                    if clocks.answered(&traces) {
                        cancel(listener, worker, &leases, artifacts, &mut clocks).await;
                    }
                }
                Some(_) => {}
                None => break Ending::Gone,
            },
            progress = pipe.progress(sequence), if output.is_none() => match progress {
                Ok(Progress::Mark(text)) => output = Some(text),
                Ok(Progress::More) => {}
                Ok(Progress::TooMuch) => break Ending::TooMuch,
                Err(error) => break Ending::Unreadable(error),
            },
            () = clocks.expired() => match clocks.due() {
                Due::Ask => {
                    let _ = worker.send(&ToWorker::Where { time_is_up: true }).await;
                    clocks.ask();
                }
                Due::Cancel => {
                    clocks.answered(&debugger::stacks(worker.pid, notices.def, artifacts).await);
                    cancel(listener, worker, &leases, artifacts, &mut clocks).await;
                }
                Due::GiveUp => break Ending::Stuck,
            },
            () = clocks.slow() => {
                slow_for = clocks.told_slow();
                let _ = worker.send(&ToWorker::Where { time_is_up: false }).await;
            }
        }
    };
    let late = clocks.late();
    match ending {
        Ending::Done(report) => done(worker, *report, output, late).await,
        ending => ended(listener, worker, ending, &clocks, begun).await,
    }
}

/// Collects what can be had of a test whose time is up, and tells it to end.
async fn cancel(
    listener: &Listener,
    worker: &mut Worker,
    leases: &[Grant],
    artifacts: &Path,
    clocks: &mut Clocks,
) {
    evidence::collect(Some(&listener.daemon), worker.pid, leases, artifacts).await;
    let _ = worker.send(&ToWorker::Cancel).await;
    clocks.cancel();
}

enum Ending {
    Done(Box<Report>),
    /// The worker closed its socket.
    Gone,
    /// The test did not drop its body when told to.
    Stuck,
    TooMuch,
    Unreadable(std::io::Error),
}

/// The test ended and its process lives.
async fn done(
    worker: &mut Worker,
    report: Report,
    output: Option<Vec<u8>>,
    late: Option<Failure>,
) -> Attempted {
    let mut process_ended = report.changed.clone();
    let output = match output {
        Some(output) => output,
        None => {
            match tokio::time::timeout(MARK_LIMIT, rest_of_output(worker, report.sequence)).await {
                Ok(output) => output,
                Err(_) => {
                    process_ended.get_or_insert("the test closed its standard output".into());
                    worker.output.drain()
                }
            }
        }
    };
    Attempted {
        output,
        process_ended,
        ..Attempted::reported(report, late)
    }
}

async fn rest_of_output(worker: &mut Worker, sequence: u64) -> Vec<u8> {
    loop {
        match worker.output.progress(sequence).await {
            Ok(Progress::Mark(text)) => return text,
            Ok(Progress::More) => {}
            Ok(Progress::TooMuch) | Err(_) => return worker.output.drain(),
        }
    }
}

/// The test's process did not live to report, or must be killed.
async fn ended(
    listener: &Listener,
    worker: &mut Worker,
    ending: Ending,
    clocks: &Clocks,
    begun: Instant,
) -> Attempted {
    // A worker that closed its socket is dying: it is given a moment to show how.
    let moment = if matches!(ending, Ending::Gone) {
        DYING
    } else {
        Duration::ZERO
    };
    let exit = worker.end(&listener.daemon, moment).await;
    let how = exit.map_or_else(
        |error| format!("its exit status is unknown: {error}"),
        |exit| exit.how,
    );
    let output = worker.output.drain();
    let (ran, why) = match ending {
        Ending::Done(_) | Ending::Gone => {
            let why = format!("it exited: {how}");
            // What a process that was asked where its test is may die of is not the test's failure.
            match clocks.late() {
                Some(late) => (Ran::Stuck { late, then: KILLED }, why),
                None => (Ran::Died { how }, why),
            }
        }
        Ending::Stuck => {
            let late = clocks.late().unwrap_or_default();
            (
                Ran::Stuck { late, then: KILLED },
                "killed: time limit".to_owned(),
            )
        }
        Ending::TooMuch => {
            let limit_mib = LIMIT >> 20;
            let why = "killed: too much output".to_owned();
            (Ran::TooMuchOutput { limit_mib }, why)
        }
        Ending::Unreadable(error) => {
            let error = error.to_string();
            let why = "killed: output unreadable".to_owned();
            (Ran::OutputUnreadable { error }, why)
        }
    };
    Attempted {
        output,
        process_ended: Some(why),
        ..Attempted::unreported(ran, begun)
    }
}
