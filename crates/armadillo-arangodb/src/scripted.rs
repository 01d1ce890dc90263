//! For tests: a server that gives prepared answers, one a request, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use armadillo_orchestrator::View;
use armadillo_orchestrator::ports::HeldPort;
use serde_json::Value;

use crate::system::tests::view;

/// One request as the server saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// An answer as bytes.
pub(crate) fn answer(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A redirection of an agent.
pub(crate) fn sent_on(address: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{address}/_api/agency/x\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n"
    )
    .into_bytes()
}

/// No answer: the connection is closed.
pub(crate) fn lost() -> Vec<u8> {
    Vec::new()
}

/// No answer, on a connection that stays open as long as the server.
pub(crate) fn silence() -> Vec<u8> {
    SILENCE.to_vec()
}

const SILENCE: &[u8] = b"silence";

/// A server on a thread of its own.
pub(crate) struct Server {
    thread: JoinHandle<Vec<Seen>>,
    /// Nobody else gets it, before the server listens and after.
    port: HeldPort,
    over: Arc<AtomicBool>,
    answers: usize,
}

impl Server {
    /// Starts it in the place of each server of this deployment, which is returned. Without any answer nobody listens.
    pub(crate) fn start_as(mut view: View, answers: Vec<Vec<u8>>) -> (Self, View) {
        let port = HeldPort::take().unwrap();
        let address = port.address();
        for place in view.places.values_mut() {
            place.reach.insert("http".into(), address.to_string());
        }
        let over = Arc::new(AtomicBool::new(false));
        let count = answers.len();
        let thread = if answers.is_empty() {
            std::thread::spawn(Vec::new)
        } else {
            let listener = TcpListener::bind(address).unwrap();
            let over = Arc::clone(&over);
            std::thread::spawn(move || serve(&listener, answers, &over))
        };
        let server = Self {
            thread,
            port,
            over,
            answers: count,
        };
        (server, view)
    }

    /// What it was asked. Every answer must have been asked for.
    pub(crate) fn seen(self) -> Vec<Seen> {
        self.over.store(true, Ordering::SeqCst);
        // Wakes it if it still waits for a request.
        let _ = TcpStream::connect(self.port.address());
        let seen = self.thread.join().unwrap();
        assert_eq!(
            seen.len(),
            self.answers,
            "not every answer was asked for: {seen:#?}"
        );
        seen
    }
}

fn serve(listener: &TcpListener, answers: Vec<Vec<u8>>, over: &AtomicBool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut silent = Vec::new();
    for answer in answers {
        let (mut stream, _) = listener.accept().unwrap();
        if over.load(Ordering::SeqCst) {
            break;
        }
        seen.push(read(&mut stream));
        match answer.as_slice() {
            SILENCE => silent.push(stream),
            answer => stream.write_all(answer).unwrap(),
        }
    }
    seen
}

/// Runs `test` against a server with these answers.
pub(crate) fn run<T>(answers: Vec<Vec<u8>>, test: impl AsyncFnOnce(View) -> T) -> (T, Vec<Seen>) {
    run_as(view(), answers, test)
}

/// The same, in the place of each server of this deployment.
pub(crate) fn run_as<T>(
    view: View,
    answers: Vec<Vec<u8>>,
    test: impl AsyncFnOnce(View) -> T,
) -> (T, Vec<Seen>) {
    let (server, view) = Server::start_as(view, answers);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let value = runtime.block_on(test(view));
    (value, server.seen())
}

fn read(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the request is not whole");
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() == length {
            let (line, head) = head.split_once("\r\n").unwrap();
            return Seen {
                line: line.trim_end_matches(" HTTP/1.1").to_owned(),
                head: head.to_owned(),
                body: serde_json::from_str(body).unwrap_or(Value::Null),
            };
        }
    }
}
