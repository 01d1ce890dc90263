//! `armadillo history`: what a person and a program are told of earlier runs.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod interference;

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const OLD: &str = "0123456789abcdef0123456789abcdef01234567";
const NEW: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// 22nd of November 2025, 13:05:00.
const BEGUN: u64 = 1_763_816_700_000;

/// Forty runs, the last three of another commit. `writes` is flaky, and fails only when it shares its deployments; `breaks` fails since the new commit.
fn history() -> String {
    let mut text = String::from("{\"history\":2,\"compact\":0}\n");
    let mut line = |value: Value| text.push_str(&format!("{}\n", ordered(&value)));
    for run in 0..40_u64 {
        let (id, at) = (format!("{run:08x}"), BEGUN + run * 60_000);
        let is_new = run >= 37;
        line(
            json!({"run": id, "commit": {"id": if is_new { NEW } else { OLD }, "dirty": run == 39}}),
        );
        let attempt = |outcome: &str, us: u64, company: Option<&str>| {
            json!([id, at + us / 1000, outcome, us, company])
        };
        let test = |name: &str, on: &str, attempts: &[Value]| json!({"test": format!("shop::suite${name}"), "on": on, "attempts": attempts});
        line(test(
            "adds",
            "",
            &[attempt("passed", 1000 * (run + 1), None)],
        ));
        let cluster = "tally cluster(members = 3)";
        let attempts = match run {
            7 | 19 => vec![
                attempt("timed_out+", 2_000_000, Some("shared")),
                attempt("passed", 3_000_000, Some("alone")),
            ],
            _ => vec![attempt("passed", 500_000, Some("shared"))],
        };
        line(test("net::writes", cluster, &attempts));
        let outcome = if is_new { "server_crashed" } else { "passed" };
        let on = if run % 2 == 0 {
            cluster
        } else {
            "tally servers(servers = 1)"
        };
        line(test(
            "net::breaks",
            on,
            &[attempt(outcome, 70_000, Some("alone"))],
        ));
    }
    text
}

/// As the harness writes it: the name of a line's kind comes first.
fn ordered(value: &Value) -> String {
    let object = value.as_object().unwrap();
    let first = ["test", "run"]
        .into_iter()
        .find(|key| object.contains_key(*key))
        .unwrap();
    let rest = object.iter().filter(|(key, _)| key.as_str() != first);
    let all = std::iter::once((first, &object[first]))
        .chain(rest.map(|(key, value)| (key.as_str(), value)));
    let members: Vec<String> = all.map(|(key, value)| format!("{key:?}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Without variables of whoever runs these tests that would change what a command does.
fn clean(mut command: Command) -> Command {
    let meddling = [
        "ARMADILLO_",
        "CARGO",
        "NEXTEST",
        "RUST_TEST_",
        "RUST_BACKTRACE",
    ];
    let is_meddling = |name: &str| meddling.iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_meddling))
    {
        command.env_remove(name);
    }
    command
}

fn armadillo(place: &TempDir, args: &[&str]) -> (Option<i32>, String, String) {
    let file = place.path().join("history.jsonl");
    if !file.exists() {
        std::fs::write(&file, history()).unwrap();
    }
    let mut command = clean(Command::new(env!("CARGO_BIN_EXE_armadillo")));
    let command = command.arg("history").args(args).current_dir(place.path());
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .env("ARMADILLO_OUTPUT_DIR", place.path())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

fn shown(args: &[&str]) -> String {
    let place = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = armadillo(&place, args);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    stdout
}

#[test]
fn the_worst_tests_come_first() {
    assert_eq!(
        shown(&[]),
        "\
3 tests of 40 runs: 2 did not always pass
  test         failed  of  rate   last failure
  net::breaks  3       40  7.5 %  2025-11-22T13:44:00Z server crashed at fedcba9876-dirty  fails since fedcba9876, passed last at 0123456789
  net::writes  2       40  5.0 %  2025-11-22T13:24:03Z timed out at 0123456789             known flaky: 5.0 %
"
    );
    let one = shown(&["--limit", "1"]);
    assert!(
        one.contains("net::breaks") && one.ends_with("  and 1 more (--limit)\n"),
        "{one}"
    );
    assert_eq!(
        shown(&["net::", "--limit", "9"]).lines().next(),
        Some("2 tests of 40 runs: 2 did not always pass")
    );
}

#[test]
fn a_test_has_rates_durations_and_a_beginning() {
    assert_eq!(
        shown(&["net::writes"]),
        "\
shop::suite$net::writes
  verdict    known flaky: 5.0 %
  runs       0 of 40 runs failed, 2 passed on a retry: 5.0 %
  on         tally cluster(members = 3): 0 of 40 runs failed, 2 passed on a retry: 5.0 %
  alone      all 2 attempts passed
  shared     2 of 40 attempts failed: 5.0 %
  took       500 ms (median), 500 ms (95th percentile)
  last runs  .......r...........r....................  (the newest last; . passed, r passed on a retry, F failed)
  failure    2025-11-22T13:24:03Z, run 00000013 at 0123456789: timed out, then passed
  failure    2025-11-22T13:12:03Z, run 00000007 at 0123456789: timed out, then passed
"
    );
    // A part of a name will do, if no other test has it.
    let broken = shown(&["breaks"]);
    for line in [
        "  verdict    fails since fedcba9876, passed last at 0123456789\n",
        "  on         tally servers(servers = 1): 2 of 20 runs failed: 10.0 %\n",
        "  alone      3 of 40 attempts failed: 7.5 %\n",
        "  failure    2025-11-22T13:44:00Z, run 00000027 at fedcba9876-dirty: server crashed\n",
    ] {
        assert!(broken.contains(line), "{line}\n{broken}");
    }
    let passes = shown(&["shop::suite$adds"]);
    for line in [
        "  runs       all 40 runs passed\n",
        "  on         no deployment: all 40 runs passed\n",
        "  took       20 ms (median), 38 ms (95th percentile)\n",
    ] {
        assert!(passes.contains(line), "{line}\n{passes}");
    }
    assert!(
        !passes.contains("verdict") && !passes.contains("alone"),
        "{passes}"
    );
}

#[test]
fn programs_get_json() {
    let all: Value = serde_json::from_str(&shown(&["--format", "json"])).unwrap();
    let tests = all["tests"].as_array().unwrap();
    let names: Vec<&str> = tests
        .iter()
        .filter_map(|test| test["test"].as_str())
        .collect();
    assert_eq!(names, ["adds", "net::breaks", "net::writes"]);
    assert!(tests[0].get("all").is_none());
    let one: Value = serde_json::from_str(&shown(&["net::breaks", "--format", "json"])).unwrap();
    let one = &one["tests"][0];
    assert_eq!(one["fails_since"]["commit"]["id"], NEW);
    assert_eq!(one["fails_since"]["passed_last"]["id"], OLD);
    assert_eq!(
        (&one["of"], &one["failed"], &one["known_flaky"]),
        (&json!(40), &json!(3), &json!(false))
    );
    assert_eq!(one["by_company"]["alone"]["of"], 40);
    assert_eq!(one["all"].as_array().unwrap().len(), 40);
    assert_eq!(one["last"]["kind"], "server_crashed");
    assert_eq!(one["last"]["commit"], json!({"id": NEW, "dirty": true}));
    assert_eq!(one["median_us"], 70_000);
}

#[test]
fn what_is_unknown_is_said() {
    let place = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = armadillo(&place, &["net::wrtes"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    let said = "knows no test `net::wrtes`\nhelp: did you mean `net::writes`?\n";
    assert!(stderr.ends_with(said), "{stderr}");
    let (code, _, stderr) = armadillo(&place, &["--history", "nowhere.jsonl"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("there is no history at") && stderr.contains("nowhere.jsonl\nhelp: "),
        "{stderr}"
    );
    std::fs::write(place.path().join("damaged"), "{\"run\":\"r\"}\njunk\n").unwrap();
    let (code, stdout, stderr) = armadillo(&place, &["--history", "damaged"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "no test is known\n"));
    assert!(
        stderr.contains("damaged has a line that is not a history record"),
        "{stderr}"
    );
    std::fs::write(place.path().join("notes"), "buy milk\n").unwrap();
    let (_, _, stderr) = armadillo(&place, &["--history", "notes"]);
    assert!(stderr.contains("notes is not a history"), "{stderr}");
}
