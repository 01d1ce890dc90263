//! One connection for thousands of requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::table::Seen;

/// A kept connection.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
}

impl Wire {
    pub(super) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends a request, and gives the status and the `errorNum` of the answer.
    pub(super) fn ask(&mut self, method: &str, path: &str, credentials: &str, body: &str) -> Seen {
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\n{credentials}content-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        let status = self.line();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().unwrap();
            }
        }
        if method == "HEAD" {
            return (status, 0);
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        let number = body.and_then(|body| body["errorNum"].as_u64());
        (status, number.unwrap_or(0))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        String::from(line.trim_end())
    }
}
