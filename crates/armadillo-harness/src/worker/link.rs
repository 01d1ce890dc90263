//! The worker's end of the socket to its runner, and the one place where its main thread waits.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

use crate::protocol::worker::FromWorker;

/// What the main thread was woken by.
pub(super) enum Incoming {
    /// The runner is gone or wants no more.
    Closed,
    /// A line of JSON.
    Message(Vec<u8>),
    /// The running test has ended.
    TestFinished,
}

/// The reading end.
pub(super) struct Link {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Up to where `buffer` was taken.
    taken: usize,
    sender: Sender,
}

/// The writing end; test threads report their phases through it.
#[derive(Clone)]
pub(super) struct Sender(Arc<Mutex<UnixStream>>);

impl Link {
    pub(super) fn new(stream: UnixStream) -> std::io::Result<Self> {
        let sender = Sender(Arc::new(Mutex::new(stream.try_clone()?)));
        Ok(Self {
            stream,
            buffer: Vec::new(),
            taken: 0,
            sender,
        })
    }

    pub(super) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Waits for a message or for the end of a test. Messages come first: one may keep the next test from beginning.
    pub(super) fn wait(&mut self, finished: &OwnedFd) -> std::io::Result<Incoming> {
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                let line = rest[..end].to_vec();
                self.taken += end + 1;
                return Ok(Incoming::Message(line));
            }
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let mut both = [
                PollFd::new(&self.stream, PollFlags::IN),
                PollFd::from_borrowed_fd(finished.as_fd(), PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
            let [stream, test] = both.map(|fd| !fd.revents().is_empty());
            if stream {
                let mut chunk = [0; 16 * 1024];
                match self.stream.read(&mut chunk) {
                    Ok(0) => return Ok(Incoming::Closed),
                    Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                        return Ok(Incoming::Closed);
                    }
                    Err(error) => return Err(error),
                }
            } else if test {
                let mut count = [0; 8];
                rustix::io::read(finished, &mut count)?;
                return Ok(Incoming::TestFinished);
            }
        }
    }
}

impl Sender {
    /// Sends messages, each as a line.
    pub(super) fn send(&self, messages: &[FromWorker]) -> std::io::Result<()> {
        let mut lines = Vec::new();
        for message in messages {
            serde_json::to_writer(&mut lines, message)?;
            lines.push(b'\n');
        }
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(&lines)
    }
}
