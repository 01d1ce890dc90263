//! The daemon's API: nothing that a client sends ends the daemon, holds the run up, or loses an event.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Running, Suite, meeting, remains};
use serde_json::{Value, json};

use super::{SUITE, limits};

mod described;
mod slots;

fn staying() -> Running {
    meeting::staying(limits::with_open_files(256))
}

/// Waits until its second test has begun; the daemon's socket.
fn socket(running: &Running) -> PathBuf {
    let stays = running.home().join("meeting/stays");
    let come = until(LIMIT, || stays.exists().then_some(()));
    assert!(come.is_some(), "{}", running.stderr());
    remains::private_directory(&running.runs()[0]).join("daemon.sock")
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket);
    let stream = stream.unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    let limited = stream.set_read_timeout(Some(LIMIT));
    limited.unwrap_or_else(|error| panic!("{error}"));
    stream
}

/// The status and the body of the answer to a request, whose body may be said to be longer than it is.
fn ask(socket: &Path, request: &str, length: usize, body: &str) -> (u16, String) {
    ask_with_token(socket, request, "", length, body)
}

fn ask_with_token(
    socket: &Path,
    request: &str,
    token: &str,
    length: usize,
    body: &str,
) -> (u16, String) {
    let mut stream = connect(socket);
    let head = format!(
        "{request} HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let mut answer = String::new();
    let asked = stream.write_all(head.as_bytes());
    let asked = asked.and_then(|()| stream.read_to_string(&mut answer));
    asked.unwrap_or_else(|error| panic!("{request}: {error}"));
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    (
        status.unwrap_or_else(|| panic!("{request}: {answer}")),
        body.unwrap_or_default().to_owned(),
    )
}

pub(super) fn post(socket: &Path, path: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    ask(socket, &format!("POST {path}"), body.len(), &body)
}

#[test]
fn nothing_that_is_sent_ends_the_daemon_or_loses_an_event() {
    let running = staying();
    let socket = socket(&running);
    // More than the daemon may have files open, all of them silent or broken off.
    let idle = || {
        let mut stream = connect(&socket);
        let begun = stream.write_all(b"POST /v1/clients HTTP/1.1\r\nContent-Length: 9\r\n");
        begun.unwrap_or_else(|error| panic!("{error}"));
        stream
    };
    let idle: Vec<UnixStream> = (0..600).map(|_| idle()).collect();
    let status = |()| ask(&socket, "GET /v1/status", 0, "");
    assert_eq!(status(()).0, 200);

    let event = json!([{"v": 1, "us": 1, "kind": {"warning": {"text": "not from the runner"}}}]);
    for number in ["0", "7", "1000000", "18446744073709551615"] {
        let (code, said) = post(&socket, &format!("/v1/events/{number}"), &event);
        assert_eq!(code, 403, "{said}");
        assert!(said.contains("the run's own process"), "{said}");
    }
    let huge = 1 << 29;
    for path in ["/v1/clients", "/v1/clients/1/wishes"] {
        let (code, said) = ask(&socket, &format!("POST {path}"), huge, "");
        assert_eq!(code, 413, "{said}");
    }
    for (path, code) in [
        ("/v1/clients/99/leave", 404),
        ("/v1/clients/18446744073709551615/next", 404),
        ("/v1/nothing", 404),
        ("/v1/workers/1/end", 400),
        ("/v1/clients/many/leave", 400),
        ("/v1/clients", 400),
    ] {
        let (got, said) = post(&socket, path, &json!("nonsense"));
        assert_eq!(got, code, "{path}: {said}");
    }
    let joined = post(&socket, "/v1/clients", &json!({"slots": u32::MAX})).1;
    let joined: Value = serde_json::from_str(&joined).unwrap_or_default();
    let wishes = format!("/v1/clients/{}/wishes", joined["client"]);
    let wish = |needs: Value, ticket: u64| {
        let test = json!({"ticket": ticket, "test": "theirs", "needs": needs, "expected_us": u64::MAX,
            "begins_later": false});
        let topology =
            json!({"system": "tally", "shape": "servers", "params": {"servers": 1}, "options": []});
        json!({"topologies": [{"topology": topology, "copies": u32::MAX}], "tests": [test]})
    };
    for needs in [
        json!([]),
        json!([[1, "shared"]]),
        json!([[0, "shared"], [0, "exclusive"]]),
    ] {
        let (code, said) = post(&socket, &wishes, &wish(needs, 1));
        assert_eq!(code, 400, "{said}");
    }
    for ticket in [1, 2] {
        let (code, said) = post(&socket, &wishes, &wish(json!([[0, "shared"]]), ticket));
        assert_eq!(code, 200, "{said}");
    }
    let (code, said) = post(
        &socket,
        &format!("/v1/clients/{}/leave", joined["client"]),
        &Value::Null,
    );
    assert_eq!(code, 200, "{said}");
    assert_eq!(status(()).0, 200);

    meeting::leave(&running);
    let ran = running.wait();
    drop(idle);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(ran.events("test_started").len(), 3);
    assert_eq!(ran.events("test_finished").len(), 3);
    assert_eq!(ran.events("run_finished").len(), 1);
    assert!(!ran.printed("not from the runner"), "{}", ran.said());
    let directory = ran.directory();
    let again = Suite::new(SUITE)
        .args(["--report-from"])
        .args([&directory])
        .run();
    assert_eq!(again.code, Some(0), "{}", again.said());
    assert_eq!(ran.remains(), [""; 0]);
}
