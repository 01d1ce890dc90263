//! The report of a run while it goes on: the page of [`report.html`](crate::report) from a server on loopback, made again from the
//! event logs whenever somebody looks and something has happened.

mod follow;
mod serve;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use armadillo_orchestrator::random;
use tokio::sync::Notify;

use crate::event::Event;
use follow::Follower;

/// Where the events of a run come from.
#[derive(Debug)]
pub enum Source {
    /// From the run itself, which is of this process.
    Run(Receiver<Arc<Event>>),
    /// From the logs of the runs of a [`Group`](crate::group::Group), whose file this is.
    Group(PathBuf),
}

/// The way of events to a live report.
pub(crate) type Events = Sender<Arc<Event>>;

/// A server of the report. It ends when this is dropped, or told to [finish](Self::finish).
#[derive(Debug)]
pub struct LivePage {
    address: SocketAddr,
    token: String,
    ending: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl LivePage {
    /// Starts one, on a free port of 127.0.0.1. Only who knows its address, which has a random part, can read the report.
    ///
    /// # Errors
    /// When no port or thread can be had.
    pub fn start(source: Source) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let token = random::hex::<16>()?;
        let ending = Arc::new(Notify::new());
        let (expected, told) = (token.clone(), ending.clone());
        let thread = std::thread::Builder::new().name("live report".to_owned());
        let thread = thread.spawn(move || {
            let served = serve::serve(listener, expected, Follower::new(source), &told);
            if let Err(error) = served {
                tracing::warn!(%error, "the live report ended");
            }
        })?;
        Ok(Self {
            address,
            token,
            ending,
            thread: Some(thread),
        })
    }

    /// One for the run of this process, and the way by which events come to it.
    pub(crate) fn of_run() -> io::Result<(Events, Self)> {
        let (events, received) = channel();
        Ok((events, Self::start(Source::Run(received))?))
    }

    /// The address of the page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.address, self.token)
    }

    /// The run is over: pages that are open get its end, for which they have a moment, then the server ends.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.ending.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the live report panicked");
        }
    }
}

impl Drop for LivePage {
    fn drop(&mut self) {
        self.end();
    }
}
