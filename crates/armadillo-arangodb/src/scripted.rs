//! For tests: a server that gives prepared answers, one a request, and remembers what it was asked.

use armadillo_orchestrator::View;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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

/// Runs `test` against a server with these answers. Without any answer nobody listens. Every answer must be asked for.
pub(crate) fn run<T>(answers: Vec<Vec<u8>>, test: impl AsyncFnOnce(View) -> T) -> (T, Vec<Seen>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut view = view();
        for place in view.places.values_mut() {
            place.reach.insert("http".into(), address.clone());
        }
        let server = async {
            if answers.is_empty() {
                drop(listener);
                return Vec::new();
            }
            let mut seen = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                seen.push(read(&mut stream).await);
                stream.write_all(&answer).await.unwrap();
            }
            seen
        };
        let (seen, value) = tokio::join!(server, test(view));
        (value, seen)
    })
}

async fn read(stream: &mut tokio::net::TcpStream) -> Seen {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
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
