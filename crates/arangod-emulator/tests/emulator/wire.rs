//! What travels: HTTP/2 both ways, compressed bodies, requests that are answered later.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use crate::support::{Client, Place, Server, superuser_token, wait_for};

/// One request in HTTP/2 with prior knowledge: status and body.
fn http2(server: &Server, path: &str, body: &str) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address)
            .await
            .unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::post(format!("http://{}{path}", server.address))
            .header("authorization", format!("bearer {}", superuser_token()))
            .body(Full::new(Bytes::from(String::from(body))))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.version(), hyper::Version::HTTP_2);
        assert!(!response.headers().contains_key("connection"));
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        drop(sender);
        connection.await.unwrap().unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    })
}

#[test]
fn http2_with_prior_knowledge() {
    let place = Place::new();
    let mut server = place.start(&[]);
    let (status, _) = http2(&server, "/_api/collection", r#"{"name":"c"}"#);
    assert_eq!(status, 200);
    // Larger than one frame and than the first window.
    let text = "x".repeat(200_000);
    let document = json!({ "_key": "k", "text": text }).to_string();
    let (status, answer) = http2(&server, "/_api/document/c?returnNew=true", &document);
    assert_eq!((status, &answer["new"]["text"]), (202, &json!(text)));
    // A connection in HTTP/2 does not keep the server from stopping.
    let idle = TcpStream::connect(server.address).unwrap();
    (&idle)
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// The frames of stream 1 that come: their kinds, and the data.
fn stream_one(stream: &mut TcpStream) -> (Vec<u8>, Vec<u8>) {
    let (mut kinds, mut data) = (Vec::new(), Vec::new());
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let length = head[..3]
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).unwrap();
        if head[5..] == [0, 0, 0, 1] {
            kinds.push(head[3]);
            if head[3] == 0 {
                data.extend(payload);
            }
            if head[4] & 1 == 1 {
                return (kinds, data);
            }
        }
    }
}

#[test]
fn http2_by_upgrade() {
    let place = Place::new();
    let server = place.start(&[]);
    let ask = |more: &str, body: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let (token, length) = (superuser_token(), body.len());
        let text = format!(
            "POST /_api/collection HTTP/1.1\r\nhost: h\r\nauthorization: bearer {token}\r\n\
             connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n{more}\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        (stream, String::from_utf8(head).unwrap())
    };
    let settings = "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";
    let (mut stream, head) = ask(settings, r#"{"name":"c"}"#);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // The client's preface and its SETTINGS, in two pieces.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM").unwrap();
    stream.write_all(b"\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let (kinds, data) = stream_one(&mut stream);
    assert_eq!(kinds, [1, 0], "headers and data");
    let answer: Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(
        (&answer["name"], &answer["code"]),
        (&json!("c"), &json!(200))
    );

    // Without settings it is not an upgrade: the answer is HTTP/1.1.
    let (_, head) = ask("", r#"{"name":"d"}"#);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[test]
fn clients_that_say_nothing_are_not_waited_for() {
    let place = Place::new();
    let server = place.start(&["--http.keep-alive-timeout=0.1"]);
    for begun in ["", "GET /_api/version HTTP/1.1\r\nhost: h\r\n"] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0, "{begun:?}");
    }
}

/// Sends bytes with these headers: the headers of the answer and its bytes.
fn exchange(server: &Server, headers: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let length = body.len();
    let head = format!(
        "POST /_api/collection HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let body = bytes.split_off(end + 4);
    (String::from_utf8(bytes).unwrap(), body)
}

#[test]
fn compressed_bodies_both_ways() {
    let place = Place::new();
    let server = place.start(&["--http.compress-response-threshold=100"]);
    let known = format!("authorization: bearer {}\r\n", superuser_token());
    let level = Compression::default();

    let mut gzip = GzEncoder::new(Vec::new(), level);
    gzip.write_all(br#"{"name":"c"}"#).unwrap();
    let gzip = gzip.finish().unwrap();
    let headers = format!("{known}content-encoding: gzip\r\naccept-encoding: gzip\r\n");
    let (head, body) = exchange(&server, &headers, &gzip);
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains(r#""name":"c""#), "{text}");

    let mut deflate = ZlibEncoder::new(Vec::new(), level);
    deflate.write_all(br#"{"name":"d"}"#).unwrap();
    let deflate = deflate.finish().unwrap();
    let headers = format!("{known}content-encoding: deflate\r\naccept-encoding: deflate\r\n");
    let (head, body) = exchange(&server, &headers, &deflate);
    assert!(head.contains("content-encoding: deflate"), "{head}");
    let mut text = String::new();
    ZlibDecoder::new(&body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains(r#""name":"d""#), "{text}");

    // A short answer is not worth it; nobody compresses who was not asked to.
    let headers = format!("{known}content-encoding: gzip\r\naccept-encoding: gzip\r\n");
    let (head, _) = exchange(&server, &headers, &gzip);
    assert!(
        head.starts_with("HTTP/1.1 409 ") && !head.contains("content-encoding"),
        "{head}"
    );
    let (head, _) = exchange(&server, &known, br#"{"name":"e"}"#);
    assert!(
        head.starts_with("HTTP/1.1 200 ") && !head.contains("content-encoding"),
        "{head}"
    );
    let (head, body) = exchange(
        &server,
        &format!("{known}content-encoding: gzip\r\n"),
        b"no",
    );
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("decoding error"));
    let (head, _) = exchange(&server, "content-encoding: gzip\r\n", &gzip);
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}

#[test]
fn velocypack_both_ways() {
    let place = Place::new();
    let server = place.start(&[]);
    let headers = format!(
        "authorization: bearer {}\r\naccept: application/x-velocypack\r\n\
         content-type: application/x-velocypack\r\n",
        superuser_token()
    );
    // {"name":"c"}, as other programs write it: with a table of attributes.
    let body = b"\x0b\x0b\x01\x44name\x41c\x03";
    let (head, answer) = exchange(&server, &headers, body);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/x-velocypack"),
        "{head}"
    );
    // A compact object with the name among its attributes.
    assert_eq!(answer[0], 0x14);
    let name = b"\x44name\x41c";
    assert!(answer.windows(name.len()).any(|part| part == name));
    let (head, answer) = exchange(&server, &headers, b"{}");
    assert!(
        head.starts_with("HTTP/1.1 400 ") && answer[0] == 0x14,
        "{head}"
    );
    assert_eq!(server.client().get("/_api/collection/c").status, 200);
}

#[test]
fn requests_that_are_answered_later() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    let later = client.header("x-arango-async", "store");
    let done = || client.get("/_api/job/done").json();
    let wait = |count: usize| {
        wait_for("the jobs", || {
            (done().as_array().unwrap().len() == count).then_some(())
        });
    };
    let put_off = |client: &Client, name: &str| {
        let answer = client.post("/_api/collection", &json!({ "name": name }));
        assert_eq!((answer.status, answer.text.as_str()), (202, ""));
        answer.header("x-arango-async-id").map(String::from)
    };
    let id = put_off(&later, "c").unwrap();
    wait(1);
    assert_eq!(done(), json!([id]));
    let path = format!("/_api/job/{id}");
    assert_eq!(client.get(&path).status, 200);
    let answer = client.send("PUT", &path, "");
    assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("c")));
    assert_eq!(answer.header("x-arango-async-id"), Some(id.as_str()));
    assert_eq!(client.send("PUT", &path, "").error(), (404, 404));
    // Errors are kept as answers; jobs can be forgotten; one that is not stored has no id.
    put_off(&later, "c");
    let forgotten = put_off(&later, "d").unwrap();
    assert_eq!(put_off(&client.header("x-arango-async", "true"), "e"), None);
    wait(2);
    assert_eq!(
        client.delete(&format!("/_api/job/{forgotten}")).json()["result"],
        true
    );
    wait(1);
    let left = done()[0].as_str().unwrap().to_owned();
    assert_eq!(
        client.send("PUT", &format!("/_api/job/{left}"), "").error(),
        (409, 1207)
    );
    put_off(&later, "f");
    wait(1);
    assert_eq!(client.delete("/_api/job/expired?stamp=1").status, 200);
    wait(1);
    assert_eq!(client.delete("/_api/job/all").status, 200);
    wait(0);
    assert_eq!(client.get("/_api/job/pending").json(), json!([]));
    wait_for("the one that nobody fetches", || {
        (client.get("/_api/collection/e").status == 200).then_some(())
    });
}
