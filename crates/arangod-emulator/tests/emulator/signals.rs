//! How the process ends, and what it says about it.

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use serde_json::json;

use crate::line::Line;
use crate::support::{Place, catch, wait_for};

#[test]
fn termination_is_graceful() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let place = Place::new();
        let mut server = place.start(&[]);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        assert!(place.log().contains("[b4133]"));
        assert!(server.anonymous().try_get("/_api/version").is_none());
    }
}

#[test]
fn requests_during_shutdown() {
    catch("the shutdown", || {
        let place = Place::new();
        let mut server = place.start(&["--pace", "realistic"]);
        let mut line = Line::open(server.address);
        let mut other = Line::open(server.address);
        server.signal(Signal::TERM);
        // Who is connected gets answers as before, then a refusal; nobody else can connect then.
        let path = "/_admin/server/availability";
        let refusal = loop {
            let (status, body) = line.ask("GET", path, "", "").ok()?;
            if status != 200 {
                break (status, body);
            }
        };
        wait_for("a port that nobody listens on", || {
            TcpStream::connect(server.address).is_err().then_some(())
        });
        let (status, _) = other.ask("GET", path, "", "").ok()?;
        assert_eq!((status, server.wait().code()), (503, Some(0)));
        assert_eq!((refusal.0, &refusal.1["errorNum"]), (503, &json!(30)));
        assert_eq!(refusal.1["errorMessage"], "shutdown in progress");
        Some(())
    });
}

#[test]
fn clients_that_linger_do_not_hold_the_server_up() {
    use std::io::{Read, Write};
    let place = Place::new();
    let mut server = place.start(&[]);
    let _silent = TcpStream::connect(server.address).unwrap();
    let mut half = TcpStream::connect(server.address).unwrap();
    half.write_all(b"POST /_api/version HTTP/1.1\r\ncontent-length: 100\r\n\r\nhalf")
        .unwrap();
    // The server has accepted both once it answers a third.
    assert_eq!(server.client().get("/_api/version").status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    drop(half.read_to_end(&mut Vec::new()));
}

#[test]
fn a_second_signal_is_not_graceful() {
    catch("the shutdown", || {
        let place = Place::new();
        let mut server = place.start(&["--pace", "realistic"]);
        server.signal(Signal::TERM);
        wait_for("the start of the shutdown", || {
            place.log().contains("[b4133]").then_some(())
        });
        server.signal(Signal::TERM);
        let code = server.wait().code();
        if !place.log().contains("[11ca3]") {
            return None;
        }
        assert_eq!(code, Some(1));
        Some(())
    });
}

#[test]
fn a_signal_before_the_server_is_up() {
    catch("a server on its way up", || {
        let place = Place::new();
        let mut server = place.spawn(&["--pace", "realistic"]);
        wait_for("the first lines", || {
            place.log().contains("[3844e]").then_some(())
        });
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
        (!place.log().contains("[cf3f4]")).then_some(())
    });
}

#[test]
fn shutdown_by_request() {
    let place = Place::new();
    let mut server = place.start(&[]);
    let root = server.anonymous().basic("root", "");
    let eve = json!({ "user": "eve", "passwd": "" });
    assert_eq!(root.post("/_api/user", &eve).status, 201);
    let grant = json!({ "grant": "ro" });
    root.put("/_api/user/eve/database/_system", &grant);
    let refused = server
        .anonymous()
        .basic("eve", "")
        .delete("/_admin/shutdown");
    assert_eq!(refused.error(), (403, 403));
    assert_eq!(
        refused.json()["errorMessage"],
        "you need admin rights to trigger shutdown"
    );
    let answer = root.delete("/_admin/shutdown");
    assert_eq!((answer.status, answer.json()), (200, json!("OK")));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_frames_of_a_crash_are_logged_in_json_too() {
    let place = Place::new();
    let mut server = place.start(&["--log.use-json-format=true"]);
    server.signal(Signal::ABORT);
    assert_eq!(server.wait().signal(), Some(6));
    let log = place.log();
    let lines = log.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line
    });
    let crash: Vec<serde_json::Value> = lines.filter(|line| line["topic"] == "crash").collect();
    let text = |id: &str| {
        let found = crash.iter().filter(|line| line["id"] == id);
        let text = |line: &serde_json::Value| String::from(line["message"].as_str().unwrap());
        found.map(text).collect::<Vec<_>>()
    };
    let ids: Vec<&str> = crash
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids[..5],
        ["a7902", "a7903", "ded81", "c962b", "308c3"],
        "{log}"
    );
    let backtrace = &text("c962b")[0];
    let expected = format!("Backtrace of thread {} [", server.pid());
    assert!(backtrace.starts_with(&expected), "{backtrace}");
    assert!(text("ded81")[0].contains("rss usage: "), "{log}");
    let frames = text("308c3");
    // Whatever it was doing when the signal came: the frames are not those of the handler.
    assert!(frames[0].starts_with("frame  1 ["), "{log}");
    let main = |frame: &String| frame.contains("] arangod_emulator::") && frame.contains(" (+0x");
    assert!(frames.iter().any(main), "{log}");
    assert!(!log.contains("on_signal"), "{log}");
}

#[test]
fn a_crash_is_logged_as_everything_is() {
    let place = Place::new();
    let json_lines = ["--log.use-json-format=true", "--log.role=true"];
    let mut server = place.start(&json_lines);
    // Only topics at this level write what is no error.
    let levels = json!({ "crash": "error" });
    assert_eq!(
        server.client().put("/_admin/log/level", &levels).status,
        200
    );
    server.signal(Signal::SEGV);
    assert_eq!(server.wait().signal(), Some(11));
    let lines: Vec<serde_json::Value> = place
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let crash = lines.iter().filter(|line| line["topic"] == "crash");
    let ids: Vec<&serde_json::Value> = crash.clone().map(|line| &line["id"]).collect();
    assert_eq!(ids, ["a7902", "a7903"]);
    for line in crash {
        assert_eq!(
            (&line["level"], &line["role"]),
            (&json!("FATAL"), &json!("S"))
        );
        assert_eq!(line["pid"], json!(server.pid()));
    }
}

#[test]
fn a_hangup_opens_the_log_again() {
    let place = Place::new();
    let server = place.start(&[]);
    std::fs::rename(place.file("log"), place.file("log.1")).unwrap();
    server.signal(Signal::HUP);
    wait_for("a new log", || {
        place.log().contains("reopened logfile").then_some(())
    });
    let old = std::fs::read_to_string(place.file("log.1")).unwrap();
    assert!(old.contains("about to reopen logfile"));
    assert_eq!(server.client().get("/_api/version").status, 200);
}

#[test]
fn a_crash_is_logged_and_is_a_crash() {
    for (signal, number) in [(Signal::ABORT, 6), (Signal::SEGV, 11), (Signal::FPE, 8)] {
        let place = Place::new();
        let mut server = place.start(&[]);
        server.signal(signal);
        assert_eq!(server.wait().signal(), Some(number));
        let log = place.log();
        let line = log.lines().find(|line| line.contains("[a7902] {crash}"));
        let line = line.unwrap_or_else(|| panic!("no crash in\n{log}"));
        assert!(line.contains(&format!("caught unexpected signal {number} (SIG")));
        let pid = std::process::id();
        assert!(line.contains(&format!(" from pid {pid}")), "{line}");
        assert!(log.contains("[a7903] {crash}"));
        assert!(log.contains("[ded81] {crash} available physical memory: "));
        assert!(log.contains("[c962b] {crash} Backtrace of thread "));
        assert!(log.contains("[308c3] {crash} frame  1 ["));
        // The lock file stays, as after every crash.
        assert!(place.data().join("LOCK").exists());
    }
}
