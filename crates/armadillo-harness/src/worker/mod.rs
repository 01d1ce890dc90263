//! A worker: a process that runs test bodies, one at a time, and is kept for the next.
//!
//! The runner may send tests ahead. The worker begins the next one when it has reported the one before it, unless that failed
//! or changed the process: then it begins no other, and the runner has them back.
//!
//! Its main thread waits for messages of the runner and for the end of the last test; bodies have threads of their own. It ends
//! by returning from `main` when the runner's socket closes, so that coverage data is written.

mod line;
mod link;
pub(crate) mod mark;
mod process_state;
mod to_runner;

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::exit_code::Exit;
use crate::fixture::ProcessFixtures;
use crate::protocol::daemon::StartWorker;
use crate::protocol::worker::{Assignment, FromWorker, ToWorker};
use crate::test_def::TestDef;
use line::{Line, Next};
use link::{Incoming, Link};
use mark::Marker;

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
    tests: HashMap<String, &'static TestDef>,
    fixtures: ProcessFixtures,
    line: Line,
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
    link.sender().send(&[FromWorker::Hello {
        version: crate::protocol::VERSION,
        worker: orders.worker,
        pid: std::process::id(),
    }])?;
    let tests = inventory::iter::<TestDef>
        .into_iter()
        .map(|def| (def.name(), def))
        .collect();
    let fixtures = ProcessFixtures::default();
    let line = Line::new(
        orders.thread_per_test,
        link.sender(),
        marker,
        fixtures.clone(),
    )?;
    Ok(Worker {
        link,
        tests,
        fixtures,
        line,
    })
}

impl Worker {
    fn serve(mut self) -> Result<(), WorkerError> {
        loop {
            match self.link.wait(self.line.wants_main())? {
                Incoming::Closed => return Ok(()),
                Incoming::Message(line) => self.obey(serde_json::from_slice(&line)?)?,
                Incoming::TestFinished => self.line.take_over()?,
            }
        }
    }

    fn obey(&mut self, message: ToWorker) -> Result<(), WorkerError> {
        match message {
            ToWorker::Run(assignment) => {
                if !self.line.run(self.next(assignment)?)? {
                    return Err(WorkerError::Busy);
                }
            }
            ToWorker::RunNext(assignment) => self.line.run_next(self.next(assignment)?)?,
            ToWorker::TakeBack => self.line.take_back()?,
            ToWorker::Where {
                sequence,
                time_is_up,
            } => {
                let traces = self.line.whereabouts(sequence, time_is_up);
                let at = FromWorker::At {
                    sequence,
                    time_is_up,
                    traces,
                };
                self.link.sender().send(&[at])?;
            }
            ToWorker::Cancel { sequence } => self.line.cancel(sequence),
            ToWorker::DropFixtures { deployment } => {
                let complaints = match deployment {
                    Some(deployment) => self.fixtures.drop_deployment(&deployment),
                    None => self.fixtures.drop_all(),
                };
                let gone = FromWorker::FixturesGone { complaints };
                self.link.sender().send(&[gone])?;
            }
        }
        Ok(())
    }

    fn next(&self, assignment: Box<Assignment>) -> Result<Next, WorkerError> {
        let def = *self
            .tests
            .get(&assignment.test)
            .ok_or_else(|| WorkerError::UnknownTest(assignment.test.clone()))?;
        Ok(Next { def, assignment })
    }
}
