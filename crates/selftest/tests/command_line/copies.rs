//! `--copies`: more than one deployment of a topology, and what is said of it.

use std::collections::BTreeSet;

use armadillo_selftest::past::{self, History};
use armadillo_selftest::{Ran, Suite, meeting};

const MEET: [&str; 2] = ["meet::one", "meet::other"];
const ALONE: [&str; 4] = [
    "alone::adds::a",
    "alone::adds::b",
    "alone::adds::c",
    "alone::adds::d",
];
const SHARED: [&str; 2] = ["shared::adds::a", "shared::adds::b"];

fn suite(args: &[&str]) -> Suite {
    let suite = Suite::new(env!("CARGO_BIN_EXE_copies")).env("ARMADILLO_PARALLEL", "2");
    let place = suite.home().join("meeting");
    suite.args(args).env(meeting::PLACE, place)
}

/// With a history in which each of these tests took so long, in milliseconds, and the start of a deployment 200.
fn with_history(args: &[&str], tests: &[&str], each_ms: u64) -> Suite {
    let test = |name: &&str| (format!("armadillo-selftest::copies${name}"), each_ms);
    let tests: Vec<(String, u64)> = tests.iter().map(test).collect();
    let history = past::took(&tests, &[("tally servers(servers = 1)", 200)]);
    suite(args)
        .args(["--history", "history.jsonl", "--copies", "auto"])
        .file("history.jsonl", &history)
}

/// The line of a plan, or of a header, that says how many copies there are.
#[track_caller]
fn copies_of(said: &str, ran: &Ran) -> String {
    let line = said.lines().find_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("copies: ")
    });
    line.unwrap_or_else(|| panic!("nothing is said of copies\n{}", ran.said()))
        .to_owned()
}

#[track_caller]
fn planned(suite: Suite) -> String {
    let ran = suite.args(["--plan"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    copies_of(&ran.stdout, &ran)
}

/// Two deployments were started, one as a copy of the other; each test had one of them, and everything names which.
#[track_caller]
fn check_two_copies(ran: &Ran, tests: &[&str]) {
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let results = ran.results();
    let deployments = results["deployments"].as_object().into_iter().flatten();
    let reasons: BTreeSet<String> = deployments
        .map(|(_, deployment)| deployment["reason"].to_string())
        .collect();
    let wanted = ["\"copy\"", "\"first\""].map(str::to_owned);
    assert_eq!(reasons, BTreeSet::from(wanted), "{}", ran.said());
    let used: BTreeSet<String> = (tests.iter())
        .map(|test| ran.test(test)["attempts"][0]["deployments"][0].to_string())
        .collect();
    assert_eq!(used.len(), 2, "{used:?}");
    let granted: BTreeSet<String> = (ran.events("lease_granted").iter())
        .map(|granted| granted["on"][0]["deployment"].to_string())
        .collect();
    assert_eq!(granted, used);
    for name in &used {
        let directory = ran.directory().join("servers").join(name.trim_matches('"'));
        assert!(directory.is_dir(), "{}", directory.display());
    }
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn two_tests_have_a_copy_each_at_the_same_time() {
    let ran = suite(&["meet::", "--copies", "2"]).run();
    check_two_copies(&ran, &MEET);
    let said = copies_of(&ran.stderr, &ran);
    assert_eq!(said, "2 of tally servers(servers = 1); --copies 2");
}

#[test]
fn every_isolation_has_copies() {
    for isolation in ["process", "in-process", "none"] {
        let ran = suite(&["meet::", "--copies", "2", "--isolation", isolation]).run();
        check_two_copies(&ran, &MEET);
    }
}

#[test]
fn there_are_no_more_copies_than_tests_and_memory_for_them() {
    let one = "one of each deployment; --copies 3";
    assert_eq!(planned(suite(&["meet::one", "--copies", "3"])), one);
    let two = "2 of tally servers(servers = 1); --copies 3";
    assert_eq!(planned(suite(&["meet::", "--copies", "3"])), two);
    let two = "2 of tally servers(servers = 1); --copies 3, limited to what fits into 20 MiB of memory (raise it with --memory)";
    let args = ["alone::", "--copies", "3", "--memory", "20"];
    assert_eq!(planned(suite(&args)), two);
    let ran = suite(&["alone::", "--copies", "3", "--memory", "8"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(ran.events("deployment_starting").len(), 1);
}

#[test]
fn once_is_the_default_and_nothing_is_said() {
    let ran = suite(&["alone::"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(ran.events("deployment_starting").len(), 1);
    assert!(!ran.stderr.contains("copies:"), "{}", ran.said());
}

#[test]
fn without_records_there_is_one_copy() {
    let ran = suite(&["alone::", "--copies", "auto"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(ran.events("deployment_starting").len(), 1);
    assert_eq!(
        copies_of(&ran.stderr, &ran),
        "one of each deployment; `auto` needs the durations of an earlier run, and none are recorded yet"
    );
}

#[test]
fn what_a_run_records_is_what_the_next_decides_by() {
    let suite = suite(&["alone::", "--copies", "auto"]).args(["--history", "history.jsonl"]);
    let ran = suite.run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let history = std::fs::read_to_string(ran.home().join("history.jsonl"));
    let history = history.unwrap_or_else(|error| panic!("{error}\n{}", ran.said()));
    let recorded = History::read(&ran.home().join("history.jsonl"));
    let took = recorded.took("tally servers(servers = 1)");
    assert!(took[0] > 0 && took[1] > 0, "{history}");
    let next = self::suite(&["alone::", "--copies", "auto", "--history", "history.jsonl"]);
    let said = planned(next.file("history.jsonl", &history));
    assert!(!said.contains("recorded"), "{said}");
}

#[test]
fn auto_starts_a_copy_where_it_pays() {
    let ran = with_history(&["meet::"], &MEET, 1_000).run();
    check_two_copies(&ran, &MEET);
    assert_eq!(
        copies_of(&ran.stderr, &ran),
        "2 of tally servers(servers = 1); the run finishes about 1.00 s sooner: in 1.20 s instead of 2.20 s"
    );
}

#[test]
fn auto_starts_none_where_it_does_not_pay() {
    assert_eq!(
        planned(with_history(&["alone::"], &ALONE, 90)),
        "one of each deployment; starting more would take longer than it saves"
    );
    let shared = "one of each deployment; no test has to wait for a deployment";
    let args = ["shared::"];
    assert_eq!(planned(with_history(&args, &SHARED, 9_000)), shared);
}

#[test]
fn auto_says_so_if_there_is_no_room() {
    assert_eq!(
        planned(with_history(&["alone::", "--memory", "8"], &ALONE, 1_000)),
        "one of each deployment; with more, the run would finish about 2.00 s sooner: in 2.20 s instead of 4.20 s, but more do not \
         fit into 8 MiB of memory (raise it with --memory)"
    );
    let args = ["alone::", "--memory", "16", "-n", "4"];
    assert_eq!(
        planned(with_history(&args, &ALONE, 1_000)),
        "2 of tally servers(servers = 1); the run finishes about 2.00 s sooner: in 2.20 s instead of 4.20 s, more do not fit into 16 MiB of \
         memory (raise it with --memory)"
    );
}

#[test]
fn variables_and_the_file_say_it_too() {
    let two = "2 of tally servers(servers = 1); --copies 2";
    let ran = suite(&["meet::"]).env("ARMADILLO_COPIES", "2");
    assert_eq!(planned(ran), two);
    let ran = suite(&["meet::"]).file("armadillo.toml", "copies = 2\n");
    assert_eq!(planned(ran), two);
    let ran = suite(&["meet::", "--copies", "none"]).run();
    assert_eq!(ran.code, Some(2), "{}", ran.said());
    assert!(
        ran.stderr.contains("`none` is not a number of copies"),
        "{}",
        ran.said()
    );
}
