//! A worker: a process that runs test bodies, one at a time, and is kept for the next.
//!
//! Its main thread waits for messages of the runner and for the end of the running test; bodies have a thread of their
//! own. It ends by returning from `main` when the runner's socket closes, so that coverage data is written.

mod link;
pub(crate) mod mark;
mod process_state;
mod test_thread;

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::exit_code::Exit;
use crate::fixture::ProcessFixtures;
use crate::protocol::daemon::StartWorker;
use crate::protocol::worker::{Assignment, FromWorker, Report, ToWorker};
use crate::test_def::TestDef;
use link::{Incoming, Link};
use mark::Marker;
use process_state::ProcessState;
use test_thread::{Finished, TestThread};

/// The applet's name.
pub(crate) const APPLET: &str = "worker";

/// The main function of the applet; its one argument is a [`StartWorker`] as JSON.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    match start(args).and_then(Worker::serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("armadillo worker: {error}");
            Exit::Harness.into()
        }
    }
}

/// Why a worker cannot go on.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("a worker is started by the daemon, with its orders as JSON in one argument: {0}")]
    Orders(String),
    #[error("cannot reach the runner at {path}: {source}")]
    Connect {
        path: String,
        source: std::io::Error,
    },
    #[error("the connection to the runner broke: {0}")]
    Link(#[from] std::io::Error),
    #[error("the runner sent what a worker does not understand: {0}")]
    Message(#[from] serde_json::Error),
    #[error("the runner asks for the test `{0}`, which this executable does not have")]
    UnknownTest(String),
    #[error("the runner sent a test while another one runs")]
    Busy,
}

struct Worker {
    link: Link,
    marker: Marker,
    tests: HashMap<String, &'static TestDef>,
    fixtures: ProcessFixtures,
    thread: TestThread,
    running: Option<(u64, ProcessState)>,
}

fn start(args: &[OsString]) -> Result<Worker, WorkerError> {
    let orders = args
        .first()
        .and_then(|arg| arg.to_str())
        .ok_or_else(|| WorkerError::Orders("none given".into()))?;
    let orders: StartWorker =
        serde_json::from_str(orders).map_err(|error| WorkerError::Orders(error.to_string()))?;
    // Both are best effort: a worker that is no subreaper still works, the daemon then adopts what its tests leave.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    crate::process_name::set(&format!("arma:worker {}", orders.worker));
    let marker = Marker::new(&orders.nonce)?;
    let stream = UnixStream::connect(&orders.socket).map_err(|source| WorkerError::Connect {
        path: orders.socket.display().to_string(),
        source,
    })?;
    let link = Link::new(stream)?;
    link.sender().send(&FromWorker::Hello {
        version: crate::protocol::VERSION,
        worker: orders.worker,
        pid: std::process::id(),
    })?;
    let tests = inventory::iter::<TestDef>
        .into_iter()
        .map(|def| (def.name(), def))
        .collect();
    let thread = TestThread::new(orders.thread_per_test, link.sender())?;
    Ok(Worker {
        link,
        marker,
        tests,
        fixtures: ProcessFixtures::default(),
        thread,
        running: None,
    })
}

impl Worker {
    fn serve(mut self) -> Result<(), WorkerError> {
        loop {
            match self.link.wait(self.thread.finished_event())? {
                Incoming::Closed => return Ok(()),
                Incoming::Message(line) => self.obey(serde_json::from_slice(&line)?)?,
                Incoming::TestFinished => self.finish()?,
            }
        }
    }

    fn obey(&mut self, message: ToWorker) -> Result<(), WorkerError> {
        match message {
            ToWorker::Run(assignment) => self.run(*assignment),
            ToWorker::Where { time_is_up } => {
                let traces = self.thread.whereabouts(time_is_up);
                Ok(self
                    .link
                    .sender()
                    .send(&FromWorker::At { time_is_up, traces })?)
            }
            ToWorker::Cancel => {
                self.thread.cancel();
                Ok(())
            }
            ToWorker::DropFixtures { deployment } => {
                let complaints = match deployment {
                    Some(deployment) => self.fixtures.drop_deployment(&deployment),
                    None => self.fixtures.drop_all(),
                };
                Ok(self
                    .link
                    .sender()
                    .send(&FromWorker::FixturesGone { complaints })?)
            }
        }
    }

    fn run(&mut self, assignment: Assignment) -> Result<(), WorkerError> {
        if self.running.is_some() {
            return Err(WorkerError::Busy);
        }
        let def = *self
            .tests
            .get(&assignment.test)
            .ok_or_else(|| WorkerError::UnknownTest(assignment.test.clone()))?;
        self.running = Some((assignment.sequence, ProcessState::now()));
        Ok(self.thread.start(def, assignment, self.fixtures.clone())?)
    }

    fn finish(&mut self) -> Result<(), WorkerError> {
        let Finished { report, lost } = self.thread.join();
        let Some((sequence, before)) = self.running.take() else {
            return Ok(());
        };
        let mut report = report.unwrap_or_else(|| Report::harness_failure(sequence, lost));
        report.changed = before.change_since(&self.fixtures);
        self.marker.end_of_output(sequence)?;
        Ok(self
            .link
            .sender()
            .send(&FromWorker::Done(Box::new(report)))?)
    }
}
