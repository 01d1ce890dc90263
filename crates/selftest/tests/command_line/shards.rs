//! `--shard`: parts of the selected tests that fit together.

use std::collections::BTreeSet;

use armadillo_selftest::past::{self, History};
use armadillo_selftest::{Ran, Suite};
use serde_json::{Value, json};

use super::{run, suite, tests};

/// How many tests each of so many shards has; each test must be in exactly one.
fn together(parts: usize, how: &str, suite: impl Fn(&str) -> Suite) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut plans = BTreeSet::new();
    let mut counts = Vec::new();
    for part in 1..=parts {
        let ran = suite(&format!("{how}{part}/{parts}")).run();
        counts.push(tests(&ran).len());
        for test in tests(&ran) {
            assert!(
                seen.insert(test.clone()),
                "{test} is in two shards\n{}",
                ran.said()
            );
        }
        if tests(&ran).is_empty() {
            let said = format!("shard {part} of {parts} has no tests");
            assert!(ran.stderr.contains(&said), "{}", ran.said());
        }
        let shard = &ran.results()["shard"];
        assert_eq!(shard["number"], json!(part), "{}", ran.said());
        plans.insert(shard["plan"].to_string());
    }
    assert_eq!(plans.len(), 1, "shards of one plan: {plans:?}");
    let whole = suite("1/1").run();
    let expected: BTreeSet<String> = tests(&whole).into_iter().collect();
    assert_eq!(seen, expected);
    counts
}

fn of_commands(shard: &str) -> Suite {
    suite(&["pass", "--shard", shard])
}

#[test]
fn every_test_is_in_exactly_one() {
    for how in ["", "hash:", "count:", "slice:"] {
        together(3, how, of_commands);
    }
    let ran = run(&["pass", "--shard", "count:1/2"]);
    assert!(
        ran.stderr.contains("shard 1 of 2, by count: 3 of 6 tests"),
        "{}",
        ran.said()
    );
    let listed = run(&["pass", "--partition", "count:1/2", "--list"]);
    assert!(
        listed.stdout.contains("pass::one::a: test"),
        "{}",
        listed.said()
    );
    assert!(
        !listed.stdout.contains("pass::one::b: test"),
        "{}",
        listed.said()
    );
}

#[test]
fn the_job_may_say_which() {
    let job = |number: &str| suite(&["pass", "--shard", "count:auto"]).env("CI_NODE_INDEX", number);
    let second = job("2").env("CI_NODE_TOTAL", "2").run();
    let sorted = |ran: &Ran| {
        let mut names = tests(ran);
        names.sort();
        names
    };
    let said = run(&["pass", "--shard", "count:2/2"]);
    assert_eq!(sorted(&second), sorted(&said));
    let alone = job("2").run();
    assert_eq!(alone.code, Some(2), "{}", alone.said());
    assert!(
        alone
            .stderr
            .contains("the environment does not say which shard this is"),
        "{}",
        alone.said()
    );
    for (wrong, said) in [
        ("0/2", "shards are numbered from 1"),
        ("3", "write which of how many"),
        (
            "size:1/2",
            "write `topology`, `duration`, `hash` or `count`",
        ),
    ] {
        let ran = run(&["--shard", wrong]);
        assert_eq!(ran.code, Some(2), "{}", ran.said());
        assert!(ran.stderr.contains(said), "{}", ran.said());
    }
}

/// Those that share a deployment stay together while that is no worse; if they are most of the work, they do not.
#[test]
fn topologies_stay_together_unless_that_takes_longer() {
    let copies = |shard: &str, file: &str, how: &[&str]| {
        Suite::new(env!("CARGO_BIN_EXE_copies"))
            .args(["alone::", "shared::", "--shard", shard])
            .args(how)
            .file("history.jsonl", file)
    };
    let history = |each_ms: u64, start_ms: u64| {
        let names = [
            "alone::adds::a",
            "alone::adds::b",
            "alone::adds::c",
            "alone::adds::d",
            "shared::adds::a",
            "shared::adds::b",
        ];
        let id = |name: &&str| (format!("armadillo-selftest::copies${name}"), each_ms);
        let tests: Vec<(String, u64)> = names.iter().map(id).collect();
        past::took(&tests, &[("tally servers(servers = 1)", start_ms)])
    };
    let counts = |file: &str| -> Vec<usize> {
        together(2, "duration:", |shard| {
            copies(shard, file, &["--history", "history.jsonl"])
        })
    };
    assert_eq!(counts(&history(100, 5_000)), [6, 0]);
    assert_eq!(counts(&history(5_000, 100)), [3, 3]);
    let unknown = copies("duration:1/2", "{}", &["--history", "nowhere.jsonl"]).run();
    assert_eq!(unknown.code, Some(2), "{}", unknown.said());
    assert!(
        unknown
            .stderr
            .contains("nowhere.jsonl has no durations of tests"),
        "{}",
        unknown.said()
    );
}

/// Each executable of a command adds its durations to the history before the next one begins, on each machine others.
#[test]
fn what_the_same_command_has_run_changes_no_shard() {
    const GROUP: &str = "0123abcd";
    let history = |each_ms: u64, start_ms: u64| {
        let names = ["a", "b", "c", "d"].map(|case| format!("alone::adds::{case}"));
        let tests = names.map(|name| (format!("armadillo-selftest::copies${name}"), each_ms));
        past::took(&tests, &[("tally servers(servers = 1)", start_ms)])
    };
    let before = history(100, 5_000);
    let now = history(5_000, 100).replace("\"before\"", &format!("{GROUP:?}"));
    let listed = |file: &str, is_member: bool| {
        let group = json!({"id": GROUP, "command": "test run", "pid": 1, "start_time": 0});
        let suite = Suite::new(env!("CARGO_BIN_EXE_copies"))
            .args(["alone::", "--shard", "duration:1/2", "--list"])
            .args(["--history", "history.jsonl"])
            .file("history.jsonl", file)
            .file("group.json", &group.to_string());
        let place = suite.home().join("group.json");
        let ran = match is_member {
            true => suite.env("ARMADILLO_GROUP", place).run(),
            false => suite.run(),
        };
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        ran.stdout
            .lines()
            .filter(|line| line.ends_with(": test"))
            .count()
    };
    let both = format!("{before}{now}");
    assert_eq!(listed(&before, false), 4);
    assert_eq!(listed(&both, false), 2, "of another command, they count");
    assert_eq!(listed(&both, true), 4);
}

/// What is the same in each run of the same tests.
fn outcome(results: &Value) -> Value {
    let sorted = |list: &Value, with: &[&str]| {
        let each = list.as_array().into_iter().flatten();
        let mut each: Vec<String> = each
            .map(|one| with.iter().map(|key| one[*key].to_string()).collect())
            .collect();
        each.sort();
        each
    };
    json!({
        "tests": sorted(&results["tests"], &["name", "id", "place", "markers", "topology"]),
        "ignored": sorted(&results["ignored"], &["name", "reason"]),
        "totals": results["totals"],
        "exit_code": results["exit_code"],
        "binary": results["binary"],
    })
}

/// Shards of a run with failures; there are more of them than tests, so that some are empty.
#[test]
fn the_reports_of_all_shards_are_those_of_the_whole() {
    let part = |shard: &str| suite(&["one", "--skip", "d", "--shard", shard]).run();
    let parts: Vec<Ran> = (1..=9)
        .map(|number| part(&format!("count:{number}/9")))
        .collect();
    assert!(
        parts
            .iter()
            .any(|part| part.stderr.contains("has no tests"))
    );
    let merged = |parts: &[&Ran]| {
        let each = parts.iter().flat_map(|part| {
            [
                "--report-from".to_owned(),
                part.directory().display().to_string(),
            ]
        });
        suite(&[]).args(each).run()
    };
    let all: Vec<&Ran> = parts.iter().rev().collect();
    let ran = merged(&all);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let file = |name: &str| {
        let path = ran.home().join("runs/merged").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let results: Value = serde_json::from_str(&file("results.json")).unwrap();
    let whole = suite(&["one", "--skip", "d"]).run();
    assert_eq!(outcome(&results), outcome(&whole.results()));
    assert!(file("junit.xml").contains("fail::one::b"));
    assert!(file("report.html").contains("fail::one::b"));
    // What the merged run took orders the next.
    let history = History::read(&ran.home().join("runs/history.jsonl"));
    let [attempt] = &history.attempts("pass::one::b")[..] else {
        panic!("{}", ran.said());
    };
    // Under the name of its own run, so that the history of its machine says the same.
    let had_it = |part: &&Ran| tests(part).iter().any(|test| test == "pass::one::b");
    let own: Vec<String> = parts.iter().filter(had_it).flat_map(Ran::runs).collect();
    assert_eq!(own, [attempt.run.as_str()]);

    let missing = merged(&all[1..]);
    assert_eq!(missing.code, Some(2), "{}", missing.said());
    assert!(
        missing.stderr.contains("of 9 shards, 9 is missing"),
        "{}",
        missing.said()
    );
    let twice = merged(&[&all[..], &all[..1]].concat());
    assert_eq!(twice.code, Some(2), "{}", twice.said());
    assert!(
        twice.stderr.contains("shard 9 of 9 ran twice"),
        "{}",
        twice.said()
    );
    let other = merged(&[&whole, all[0]]);
    assert!(
        other.stderr.contains("is not a shard of a run"),
        "{}",
        other.said()
    );
}

/// Jobs that each run one topology, as `armadillo ci matrix` makes them.
#[test]
fn the_reports_of_all_topologies_are_those_of_the_whole() {
    let run = |more: &[&str]| {
        let suite = Suite::new(env!("CARGO_BIN_EXE_isolations"));
        let place = suite.home().join("meeting");
        let suite = suite.env(armadillo_selftest::meeting::PLACE, place);
        suite
            .args([&["keeps::", "told::fails::", "prints"], more].concat())
            .run()
    };
    let whole = run(&[]);
    let topologies = [
        "none",
        "tally servers(servers = 1)",
        "tally servers(servers = 2)",
    ];
    let parts = topologies.map(|topology| run(&["--topology", topology]));
    let merged = |parts: &[&Ran]| {
        let each = parts
            .iter()
            .map(|part| format!("--report-from={}", part.directory().display()));
        suite(&[]).args(each).run()
    };
    let [none, one, two] = &parts;
    let ran = merged(&[two, none, one]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let results = std::fs::read(ran.home().join("runs/merged/results.json")).unwrap();
    let results: Value = serde_json::from_slice(&results).unwrap();
    assert_eq!(outcome(&results), outcome(&whole.results()));

    let refused = |parts: &[&Ran], says: &str| {
        let ran = merged(parts);
        assert_eq!(ran.code, Some(2), "{says}: {}", ran.said());
        assert!(ran.stderr.contains(says), "{says}: {}", ran.said());
    };
    let missing =
        "of 3 topologies, `tally servers(servers = 2)` is missing: its tests may not have run";
    refused(&[one, none], missing);
    refused(&[one, none, two, none], "the topology `none` ran twice: ");
    refused(&[&whole, none], "ran without --topology: ");
}
