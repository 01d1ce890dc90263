//! For tests: a server that gives prepared answers, one a request, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use armadillo_orchestrator::ports::HeldPort;
use armadillo_orchestrator::{ServerKey, View};
use serde_json::Value;

use crate::system::tests::{cluster_view, view};

/// One request as the server saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Seen {
    /// A request that was not read.
    fn nothing() -> Self {
        Self {
            line: String::new(),
            head: String::new(),
            body: Value::Null,
        }
    }
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

/// The connection is closed before the request is read.
pub(crate) fn unread() -> Vec<u8> {
    UNREAD.to_vec()
}

const UNREAD: &[u8] = b"unread";

/// The connection is closed in the middle of the answer.
pub(crate) fn cut() -> Vec<u8> {
    let mut whole = answer(200, r#"{"error":false}"#);
    whole.truncate(whole.len() - 3);
    whole
}

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
        let server = Self::start(answers);
        for place in view.places.values_mut() {
            let address = server.port.address().to_string();
            place.reach.insert("http".into(), address);
        }
        (server, view)
    }

    fn start(answers: Vec<Vec<u8>>) -> Self {
        let port = HeldPort::take().unwrap();
        let address = port.address();
        let over = Arc::new(AtomicBool::new(false));
        let count = answers.len();
        let thread = if answers.is_empty() {
            std::thread::spawn(Vec::new)
        } else {
            let listener = TcpListener::bind(address).unwrap();
            let over = Arc::clone(&over);
            std::thread::spawn(move || serve(&listener, answers, &over))
        };
        Self {
            thread,
            port,
            over,
            answers: count,
        }
    }

    /// What it was asked. Every answer must have been asked for.
    pub(crate) fn seen(self) -> Vec<Seen> {
        let answers = self.answers;
        let seen = self.asked();
        let all = seen.len() == answers;
        assert!(all, "not every answer was asked for: {seen:#?}");
        seen
    }

    /// What it was asked, be it nothing.
    fn asked(self) -> Vec<Seen> {
        self.over.store(true, Ordering::SeqCst);
        // Wakes it if it still waits for a request.
        let _ = TcpStream::connect(self.port.address());
        self.thread.join().unwrap()
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
        if answer == UNREAD {
            seen.push(Seen::nothing());
            continue;
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
    let value = finished(test(view));
    (value, server.seen())
}

/// The same with more answers than may be asked for.
pub(crate) fn run_until_over<T>(
    view: View,
    answers: Vec<Vec<u8>>,
    test: impl AsyncFnOnce(View) -> T,
) -> (T, Vec<Seen>) {
    let (server, view) = Server::start_as(view, answers);
    let value = finished(test(view));
    (value, server.asked())
}

/// The same with two coordinators, each with its answers, which need not be asked for.
pub(crate) fn run_two<T>(
    answers: [Vec<Vec<u8>>; 2],
    test: impl AsyncFnOnce(View) -> T,
) -> (T, [Vec<Seen>; 2]) {
    let mut view = cluster_view(1, 1, 2);
    let servers = answers.map(Server::start);
    for (server, key) in servers.iter().zip(["coordinator-1", "coordinator-2"]) {
        let place = view.places.get_mut(&ServerKey::from(key)).unwrap();
        let address = server.port.address().to_string();
        place.reach.insert("http".into(), address);
    }
    let value = finished(test(view));
    (value, servers.map(Server::asked))
}

/// What comes of this, on a runtime of its own.
fn finished<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test)
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
