//! One attempt of a test in a worker: hand it over, keep the clocks, take what it printed, judge how it ended.

use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::super::cancel::Cancel;
use super::super::listener::Listener;
use super::super::queue::Job;
use super::ahead::{Ahead, PATIENCE};
use super::clocks::{Clocks, Due};
use super::output::{LIMIT, Progress};
use super::worker::Worker;
use super::{Attempted, Handed, Notices, Order};
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

/// How long a worker may take to begin a test that was sent ahead, once the one before it has ended.
const BEGIN: Duration = Duration::from_secs(10);

/// How long it may take to say which test it runs, when the tests that run are to end.
const SAY_WHICH: Duration = Duration::from_millis(100);

/// Why no test that was sent ahead begins.
pub(in crate::dispatch) enum NotBegun {
    /// They were taken back.
    TakenBack,
    /// Their process is gone, or does nothing.
    Lost(&'static str),
}

/// Waits until the worker begins the test that was sent ahead with this number.
pub(super) async fn begins(
    worker: &mut Worker,
    ahead: &mut Ahead,
    number: u64,
    cancel: &Cancel,
) -> Result<(), NotBegun> {
    let mut limit = pin!(tokio::time::sleep(BEGIN));
    let mut to_end = pin!(cancel.reached());
    let mut is_to_end = false;
    loop {
        tokio::select! {
            biased;
            message = worker.receive() => match message {
                Some(FromWorker::Begins { sequence }) if sequence == number => return Ok(()),
                Some(FromWorker::TakenBack) => return Err(NotBegun::TakenBack),
                Some(_) => {}
                None => return Err(NotBegun::Lost("it exited between two tests")),
            },
            _ = &mut to_end, if !is_to_end => {
                is_to_end = true;
                take_back(worker, ahead).await;
                limit.as_mut().reset(tokio::time::Instant::now() + SAY_WHICH);
            }
            () = &mut limit => return Err(NotBegun::Lost("it does not begin the next test")),
        }
    }
}

/// Has the worker begin no more of what was sent ahead.
async fn take_back(worker: &mut Worker, ahead: &mut Ahead) {
    if ahead.is_open() {
        ahead.closes();
        // If it cannot be sent, the worker is gone, and that is read.
        let _ = worker.send(&ToWorker::TakeBack).await;
    }
}

/// Runs the attempt. The error says what becomes of a test that still runs when the tests that run are to end.
pub(super) async fn attempt(
    listener: &Listener,
    worker: &mut Worker,
    ahead: &mut Ahead,
    order: Order<'_>,
    notices: &Notices<'_>,
) -> Result<Attempted, Ran> {
    let begun = Instant::now();
    let Order {
        handed,
        behind,
        mut clocks,
        artifacts,
        cancel,
        ..
    } = order;
    let (current, leases) = hand_over(worker, ahead, handed, behind).await;
    let mut output: Option<Vec<u8>> = None;
    let mut slow_for = Duration::ZERO;
    let mut to_end = pin!(cancel.reached());
    let mut cut_off: Option<Ran> = None;
    // Until when something waits behind this test, and then until when the worker says that it has given it back.
    let mut patience = begun + PATIENCE;
    let ending = loop {
        let (mut incoming, pipe) = worker.split();
        // Results are drained before deadlines are judged: after a suspension everything would else have timed out.
        tokio::select! {
            biased;
            message = incoming.next() => match message {
                Some(FromWorker::Done(report)) => break Ending::Done(report),
                Some(FromWorker::Phase(phase)) => clocks.enter(phase),
                Some(FromWorker::At { sequence, .. }) if sequence != current => {}
                Some(FromWorker::At {
                    time_is_up: false,
                    traces,
                    ..
                }) => notices.slow(slow_for, traces),
                Some(FromWorker::At { traces, .. }) => {
                    if clocks.answered(&traces) {
                        tell_to_end(worker, &leases, artifacts, &mut clocks).await;
                    }
                }
                Some(FromWorker::TakenBack) => {
                    ahead.give_back();
                    if let Some(cut_off) = cut_off {
                        return Err(cut_off);
                    }
                }
                Some(_) => {}
                None => break Ending::Gone,
            },
            progress = pipe.progress(current), if output.is_none() => match progress {
                Ok(Progress::Mark(text)) => output = Some(text),
                Ok(Progress::More) => {}
                Ok(Progress::TooMuch) => break Ending::TooMuch,
                Err(error) => break Ending::Unreadable(error),
            },
            end = &mut to_end, if cut_off.is_none() => {
                if ahead.is_empty() {
                    return Err(end);
                }
                // The next test may have begun: it is that one then which is cut off.
                cut_off = Some(end);
                take_back(worker, ahead).await;
                patience = Instant::now() + SAY_WHICH;
            }
            () = clocks.expired() => match clocks.due() {
                Due::Ask => {
                    let _ = worker.send(&ToWorker::Where { sequence: current, time_is_up: true }).await;
                    clocks.ask();
                }
                Due::Cancel => {
                    clocks.answered(&debugger::stacks(worker.pid, notices.def, artifacts).await);
                    tell_to_end(worker, &leases, artifacts, &mut clocks).await;
                }
                Due::GiveUp => break Ending::Stuck,
            },
            () = clocks.slow() => {
                slow_for = clocks.told_slow();
                let _ = worker.send(&ToWorker::Where { sequence: current, time_is_up: false }).await;
            }
            () = tokio::time::sleep_until(patience.into()), if cut_off.is_some() || (ahead.is_open() && !ahead.is_empty()) => {
                if let Some(cut_off) = cut_off {
                    return Err(cut_off);
                }
                take_back(worker, ahead).await;
            }
        }
    };
    let late = clocks.late();
    Ok(match ending {
        Ending::Done(report) => {
            ahead.reported(Duration::from_micros(report.times.total), report.goes_on);
            done(worker, *report, output, late).await
        }
        ending => {
            let ended = ended(listener, worker, ending, &clocks, begun).await;
            ahead.give_back();
            ended
        }
    })
}

/// Sends a test, unless it was sent ahead, and those that may begin after it. The number of its assignment, and its leases.
async fn hand_over(
    worker: &mut Worker,
    ahead: &mut Ahead,
    handed: Handed,
    behind: Vec<(Job, Assignment)>,
) -> (u64, Vec<Grant>) {
    let mut messages = Vec::new();
    let (number, leases) = match handed {
        Handed::Now(assignment) => {
            let (number, leases) = (assignment.sequence, assignment.leases.clone());
            messages.push(ToWorker::Run(assignment));
            ahead.opens();
            (number, leases)
        }
        Handed::Ahead(number) => (number, Vec::new()),
    };
    worker.current = number;
    for (job, assignment) in behind {
        ahead.push(job, assignment.sequence);
        messages.push(ToWorker::RunNext(Box::new(assignment)));
    }
    if !messages.is_empty() {
        // If it cannot be sent, the worker is gone, and that is read.
        let _ = worker.send_all(&messages).await;
    }
    (number, leases)
}

/// Collects what can be had of a test whose time is up, and tells it to end.
async fn tell_to_end(worker: &mut Worker, leases: &[Grant], artifacts: &Path, clocks: &mut Clocks) {
    evidence::collect(worker.pid, leases, artifacts).await;
    let sequence = worker.current;
    let _ = worker.send(&ToWorker::Cancel { sequence }).await;
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
