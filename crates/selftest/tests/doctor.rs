//! `--doctor`: everything holds on the emulator, and on a server with one defect exactly that is named, with advice; what depends on
//! it is not reached.

use armadillo_selftest::broken::{self, DEAF, GARBLED};
use armadillo_selftest::{Ran, Suite};
use serde_json::Value;

const SUITE: &str = env!("CARGO_BIN_EXE_attached");

fn doctor(args: &[&str]) -> Ran {
    let suite = Suite::new(SUITE).args(["--doctor", "--json", "found.json"]);
    suite.args(args).run()
}

/// What the file says of each assumption.
fn found(ran: &Ran) -> Vec<(String, String, Value)> {
    let text = std::fs::read_to_string(ran.home().join("found.json"));
    let text = text.unwrap_or_else(|error| panic!("{error}: {}", ran.said()));
    let file: Value = serde_json::from_str(&text).unwrap_or_default();
    let lines = file["assumptions"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines
        .map(|line| (text(&line["name"]), text(&line["verdict"]), line.clone()))
        .collect()
}

fn named<'f>(found: &'f [(String, String, Value)], verdict: &str) -> Vec<&'f str> {
    let found = found.iter().filter(|(_, known, _)| known == verdict);
    found.map(|(name, _, _)| name.as_str()).collect()
}

#[test]
fn everything_holds_on_the_emulator() {
    let ran = doctor(&["--arangod", "emulator", "arangodb", "machine"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let found = found(&ran);
    assert!(
        named(&found, "FAILED").is_empty() && named(&found, "not reached").is_empty(),
        "{}",
        ran.said()
    );
    assert_eq!(
        found
            .iter()
            .filter(|(name, ..)| name.starts_with("arangodb."))
            .count(),
        26,
        "{}",
        ran.said()
    );
    for name in [
        "machine.files",
        "machine.gdb",
        "arangodb.program",
        "arangodb.failover.back",
    ] {
        assert!(found.iter().any(|(known, ..)| known == name), "{name}");
    }
    assert!(
        ran.stdout
            .contains("note: arangodb is arangod-emulator, a stand-in"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn everything_holds_on_etcd() {
    if !armadillo_selftest::cargo::has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let ran = doctor(&["etcd."]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(named(&found(&ran), "ok").len(), 13, "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
}

/// A defect, the assumption that it breaks, and some that are not reached then.
type Case = (&'static str, &'static str, &'static [&'static str]);

const SINGLE: [Case; 12] = [
    (
        DEAF,
        "listens",
        &["version", "log", "ready", "documents", "restarts"],
    ),
    (GARBLED, "log", &[]),
    (
        "other-product",
        "version",
        &["role", "pid", "availability", "ready"],
    ),
    ("open-door", "authentication", &["ready", "databases"]),
    ("wrong-role", "role", &["ready", "databases"]),
    ("wrong-pid", "pid", &["ready", "stops"]),
    ("never-available", "availability", &["ready", "users"]),
    (
        "no-databases",
        "databases",
        &["users", "tokens", "documents", "restarts"],
    ),
    ("no-rights", "users", &["tokens"]),
    (
        "forgets-documents",
        "documents",
        &["revisions", "missing", "restarts"],
    ),
    ("old-revisions", "revisions", &[]),
    ("other-numbers", "missing", &[]),
];

fn check(defect: &str, stage: &str, breaks: &str, not_reached: &[&str], filters: &[&str]) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let program = broken::script(directory.path(), SUITE, defect);
    let program = program.display().to_string();
    let ran = doctor(&[&["--arangod", &program], filters].concat());
    assert_eq!(ran.code, Some(101), "{defect}: {}", ran.said());
    let found = found(&ran);
    let broken = format!("arangodb.{stage}.{breaks}");
    assert_eq!(
        named(&found, "FAILED"),
        [broken.as_str()],
        "{defect}: {}",
        ran.said()
    );
    let line = found.iter().find(|(name, ..)| *name == broken);
    let line = line.map_or(&Value::Null, |(.., line)| line);
    let part = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    for name in ["seen", "breaks", "advice"] {
        assert!(!part(name).is_empty(), "{defect}: {name}");
    }
    let missing = named(&found, "not reached");
    for name in not_reached {
        let name = format!("arangodb.{name}");
        assert!(
            missing.contains(&name.as_str()),
            "{defect}: {name}: {}",
            ran.said()
        );
    }
    let advice = part("advice");
    let advice = format!("advice: {}", advice.lines().next().unwrap_or_default());
    assert!(ran.stdout.contains(&advice), "{defect}: {}", ran.said());
    assert_eq!(ran.remains(), [""; 0], "{defect}");
}

fn check_single(cases: &[Case]) {
    for (defect, breaks, not_reached) in cases {
        let not_reached: Vec<String> = not_reached
            .iter()
            .map(|name| format!("single.{name}"))
            .collect();
        let not_reached: Vec<&str> = not_reached.iter().map(String::as_str).collect();
        check(defect, "single", breaks, &not_reached, &["arangodb.single"]);
    }
}

#[test]
fn a_server_that_is_never_ready_has_its_defect_named() {
    check_single(&SINGLE[..7]);
}

#[test]
fn a_server_that_does_something_else_has_its_defect_named() {
    check_single(&SINGLE[7..]);
}

#[test]
fn a_cluster_has_its_defect_named() {
    check(
        "no-leader",
        "cluster",
        "agents",
        &["cluster.ready", "failover.back"],
        &["arangodb.cluster", "arangodb.failover"],
    );
}

#[test]
#[ignore = "takes long: `just long` runs it"]
fn every_defect_is_named_when_everything_is_tried() {
    for (defect, breaks, _) in SINGLE {
        check(defect, "single", breaks, &[], &["arangodb"]);
    }
    check(
        "never-failed",
        "failover",
        "failed",
        &["failover.leader", "failover.back"],
        &["arangodb"],
    );
}

#[test]
fn a_script_that_is_no_server_gets_a_clear_answer() {
    let directory = tempfile::tempdir().unwrap();
    let says_its_version = "[ \"$1\" = --version ] && echo 'server-version: 3.12.10' && exit 0";
    for (name, does, failed, seen) in [
        (
            "silent",
            "exit 0".to_owned(),
            "arangodb.program",
            "does not report a version",
        ),
        (
            "ends",
            format!("{says_its_version}; echo 'no such thing'; exit 3"),
            "arangodb.single.listens",
            "single-1 has ended: exit code 3",
        ),
        (
            "hangs",
            format!("{says_its_version}; exec sleep 1000"),
            "arangodb.single.listens",
            "nothing listens on its port",
        ),
        (
            "floods",
            format!("{says_its_version}; exec yes flood"),
            "arangodb.single.listens",
            "nothing listens on its port",
        ),
    ] {
        let program = broken::program(directory.path(), name, &does)
            .display()
            .to_string();
        let ran = doctor(&["--arangod", &program, "arangodb.program", "arangodb.single"]);
        assert_eq!(ran.code, Some(101), "{name}: {}", ran.said());
        let found = found(&ran);
        assert_eq!(named(&found, "FAILED"), [failed], "{name}: {}", ran.said());
        assert!(ran.stdout.contains(seen), "{name}: {}", ran.said());
        assert_eq!(ran.remains(), [""; 0], "{name}");
    }
}
