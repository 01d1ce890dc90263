//! Options, and what the process prints before it is a server.

use serde_json::Value;

use crate::support::{Place, run};

const OPTIONS: &str = include_str!("../../data/arangod-options-3.12.txt");

/// Options that end the process, or name a file that must be there.
const APART: &[&str] = &[
    "--config",
    "--configuration",
    "--dump-dependencies",
    "--dump-options",
    "--version",
    "--version-json",
];

#[test]
fn every_official_option_is_accepted_at_once() {
    let mut args = vec![String::from("--check-configuration")];
    let mut count = 0;
    for line in OPTIONS.lines().filter(|line| line.starts_with("--")) {
        let columns: Vec<&str> = line.split('\t').collect();
        count += 1;
        if APART.contains(&columns[0]) {
            continue;
        }
        let default: Value = serde_json::from_str(columns[3]).unwrap();
        let value = match (columns[1], &default) {
            ("boolean", Value::Null) => String::from("false"),
            ("string...", _) if columns[0] == "--server.endpoint" => {
                String::from("tcp://127.0.0.1:1")
            }
            ("string...", _) => String::from("info"),
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        };
        if columns[0] != "--check-configuration" {
            args.extend([String::from(columns[0]), value]);
        }
    }
    assert_eq!(count, 475);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (code, out, err) = run(&args);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("valid"));
}

#[test]
fn wrong_names_and_values() {
    let (code, _, err) = run(&["--server.endpont", "tcp://127.0.0.1:1"]);
    assert_eq!(code, 3);
    assert!(err.contains("unknown option '--server.endpont'"));
    assert!(err.contains("--server.endpoint"), "a suggestion: {err}");
    assert_eq!(run(&["--agency.size=many"]).0, 4);
    assert_eq!(run(&["--cluster.my-role", "KING"]).0, 4);
    assert_eq!(run(&["--pace", "leisurely"]).0, 4);
    assert_eq!(run(&["--server.endpoint", "nonsense"]).0, 4);
    assert_eq!(run(&["--log.time-format", "tea-time"]).0, 4);
    assert_eq!(run(&["--log.file", "/does/not/exist/log"]).0, 1);
    assert_eq!(run(&["-c", "/does/not/exist.conf"]).0, 6);
}

#[test]
fn versions_for_programs() {
    let (code, out, _) = run(&["--version", "--log.force-direct=true"]);
    assert_eq!(code, 0);
    // As the Starter reads it: lines with exactly one colon.
    let value = |wanted: &str| {
        out.lines()
            .filter(|line| line.matches(':').count() == 1)
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| *key == wanted)
            .map(|(_, value)| String::from(value.trim()))
    };
    assert_eq!(value("server-version").as_deref(), Some("3.12.10"));
    assert_eq!(value("license").as_deref(), Some("community"));
    assert_eq!(value("v8-version").as_deref(), Some("none"));
    assert!(value("stand-in").unwrap().contains("not ArangoDB"));
    let (code, out, _) = run(&["--version-json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["server-version"]), (0, &"3.12.10".into()));
}

#[test]
fn the_options_as_json() {
    let (code, out, _) = run(&["--dump-options"]);
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["agency.size"]["type"], "uint64");
    assert_eq!(json["server.endpoint"]["type"], "string...");
    assert_eq!(json["log.role"]["requiresValue"], false);
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("--pace fast|realistic") && out.contains("not ArangoDB"));
}

#[test]
fn a_configuration_file_gives_way_to_the_command_line() {
    let place = Place::new();
    let file = place.file("arangod.conf");
    // As the Starter writes it.
    std::fs::write(
        &file,
        "[server]\nendpoint = tcp://127.0.0.1:1\nauthentication = false\nstorage-engine = rocksdb\n\
         [log]\nlevel = INFO\n",
    )
    .unwrap();
    let server = place.start(&["-c", file.to_str().unwrap()]);
    assert_eq!(server.anonymous().get("/_api/version").status, 200);
    assert_eq!(
        place.run(&["--configuration=none", "--pid-file", "/no/such/folder/pid"]),
        1
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::new();
    // Members of a cluster must be told where it is.
    assert_eq!(place.run(&["--cluster.my-role", "COORDINATOR"]), 4);
    assert_eq!(place.run(&["--daemon"]), 1);
    assert!(
        place
            .log()
            .contains("the emulator does not implement --daemon")
    );
}
