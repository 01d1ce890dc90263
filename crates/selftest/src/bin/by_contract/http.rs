//! As much of HTTP/1.1 as these servers need: requests and answers with a length, on connections that are kept.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Server, answers};

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Vec<u8>,
}

/// An answer: a status, headers, a body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: Option<Value>,
}

impl Answer {
    pub(crate) fn of(status: u16, body: Value) -> Self {
        Self {
            status,
            location: None,
            body: Some(body),
        }
    }
}

/// Serves one connection until its other end closes it.
pub(crate) async fn serve(server: Arc<Server>, mut stream: TcpStream) {
    let mut bytes = Vec::new();
    while let Some((head, body)) = read(&mut stream, &mut bytes).await {
        let mut words = head.split_whitespace().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return;
        };
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let request = Request {
            method,
            path,
            authorization: header(&head, "authorization").unwrap_or_default(),
            body,
        };
        let answer = answers::answer(&server, &request).await;
        let body = answer.body.map_or(String::new(), |body| body.to_string());
        let location = answer.location.map(|to| format!("Location: {to}\r\n"));
        let text = format!(
            "HTTP/1.1 {} Status\r\nServer: ArangoDB\r\nConnection: Keep-Alive\r\nContent-Type: application/json; charset=utf-8\r\n\
             {}Content-Length: {}\r\n\r\n{body}",
            answer.status,
            location.unwrap_or_default(),
            body.len()
        );
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Asks a peer, on a connection of its own.
pub(crate) async fn ask(
    address: &str,
    request: &str,
    token: &str,
    body: &str,
) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nAuthorization: bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.ok()?;
    let (head, body) = read(&mut stream, &mut Vec::new()).await?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// The next message of a connection: its head, and its body.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let length = header(&head, "content-length");
            let length: usize = length.map_or(Some(0), |length| length.parse().ok())?;
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

fn header(head: &str, wanted: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case(wanted);
        is_it.then(|| value.trim().to_owned())
    })
}
