//! The client against servers that behave, and others.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::*;
use crate::ports::HeldPort;

const SOON: Duration = Duration::from_secs(10);

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Reads one request (its head, and as much body as it declares) as text.
async fn read_request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            return String::new();
        }
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() == length {
                return text;
            }
        }
    }
}

async fn answer(stream: &mut (impl tokio::io::AsyncWrite + Unpin), body: &str) {
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[test]
fn a_connection_is_kept_and_a_closed_one_replaced() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::tcp(listener.local_addr().unwrap().to_string());
        let server = async {
            let (mut first, _) = listener.accept().await.unwrap();
            let request = read_request(&mut first).await;
            answer(&mut first, "1").await;
            assert!(request.contains("authorization: bearer t\r\n"), "{request}");
            read_request(&mut first).await;
            answer(&mut first, "2").await;
            drop(first);
            let (mut second, _) = listener.accept().await.unwrap();
            let request = read_request(&mut second).await;
            assert!(request.ends_with("{\"a\":1}"), "{request}");
            assert!(request.contains("content-type: application/json"));
            answer(&mut second, "3").await;
        };
        let requests = async {
            let get = || Request::get("/x").bearer(&crate::Secret::new("t"));
            assert_eq!(client.send(get(), SOON).await.unwrap().text(), "1");
            assert_eq!(client.send(get(), SOON).await.unwrap().text(), "2");
            let post = Request::post("/x").json(&std::collections::BTreeMap::from([("a", 1)]));
            let third: u32 = client.send(post, SOON).await.unwrap().json().unwrap();
            assert_eq!(third, 3);
        };
        tokio::join!(server, requests);
    });
}

#[test]
fn a_refused_connection_is_surely_not_sent_and_a_silent_server_is_not() {
    block_on(async {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::tcp(silent.local_addr().unwrap().to_string());
        let error = client
            .send(Request::get("/slow"), Duration::from_secs(4))
            .await
            .unwrap_err();
        assert!(error.is_timeout() && !error.surely_not_sent(), "{error}");

        let nobody = HeldPort::take().unwrap();
        let address = nobody.address().to_string();
        let client = Client::tcp(&address);
        let error = client.send(Request::get("/"), SOON).await.unwrap_err();
        assert!(error.is_refused() && error.surely_not_sent(), "{error}");
        assert_eq!(
            error.to_string(),
            format!("GET / at {address}: connection refused")
        );
    });
}

#[test]
fn a_connection_lost_after_the_request_may_have_been_sent() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let client = Client::unix(&path);
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            drop(stream);
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(b"What?\r\n\r\n").await.unwrap();
        };
        let requests = async {
            let error = client.send(Request::post("/x"), SOON).await.unwrap_err();
            assert!(matches!(error, HttpError::Io { .. }), "{error}");
            assert!(!error.surely_not_sent());
            let error = client.send(Request::get("/x"), SOON).await.unwrap_err();
            assert!(matches!(error, HttpError::Protocol { .. }), "{error}");
        };
        tokio::join!(server, requests);
    });
}

/// Accepts a connection, without a runtime, and answers one request on it.
fn answer_one(listener: &std::net::TcpListener, body: &str) -> std::net::TcpStream {
    use std::io::{BufRead, BufReader, Write};
    let (mut stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while !lines.next().unwrap().unwrap().is_empty() {}
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

#[test]
fn a_connection_closed_behind_the_back_of_the_runtime_is_replaced() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::tcp(listener.local_addr().unwrap().to_string());
    let (rest, rests) = std::sync::mpsc::channel();
    let (closed, is_closed) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let stream = answer_one(&listener, "1");
        rests.recv().unwrap();
        // A process that another test is starting may have a copy: closing this one alone would not do.
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        drop(stream);
        closed.send(()).unwrap();
        answer_one(&listener, "2")
    });
    block_on(async {
        let first = client.send(Request::post("/"), SOON).await.unwrap();
        assert_eq!(first.text(), "1");
        // The runtime sees nothing meanwhile: this blocks its thread.
        rest.send(()).unwrap();
        is_closed.recv().unwrap();
        let second = client.send(Request::post("/"), SOON).await.unwrap();
        assert_eq!(second.text(), "2");
    });
    server.join().unwrap();
}

#[test]
fn a_connection_is_not_used_on_another_runtime() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::tcp(listener.local_addr().unwrap().to_string());
    let server = std::thread::spawn(move || ["1", "2"].map(|body| answer_one(&listener, body)));
    let runtimes = [0, 1].map(|_| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    });
    // Both runtimes live; while the second runs, the first does nothing for its connection.
    for (runtime, body) in runtimes.iter().zip(["1", "2"]) {
        let answer = runtime.block_on(client.send(Request::get("/"), SOON));
        assert_eq!(answer.unwrap().text(), body);
    }
    server.join().unwrap();
}
