//! When a deployment that nobody uses is looked at, as strict as whom, and whom the finds are charged to.

use armadillo_selftest::{Ran, Suite};

/// One at a time, these tests only; twice, so that a look follows the first time.
fn run(args: &[&str]) -> Ran {
    let suite = Suite::new(env!("CARGO_BIN_EXE_looks")).args(["-n", "1", "--exact"]);
    suite.args(args).run()
}

fn reasons(ran: &Ran) -> Vec<String> {
    let recycled = ran.events("deployment_recycled");
    let reasons = recycled
        .iter()
        .map(|recycled| recycled["reason"].to_string());
    reasons.collect()
}

/// The look after a test that had the deployment alone is as strict as that test says.
#[test]
fn a_test_says_how_strict_the_look_after_it_is() {
    let twice = "--repeat=2";
    let ran = run(&[twice, "alone_leaves_something"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let said = reasons(&ran);
    // After the second, too, if nobody knows yet that no other comes.
    let expected = "a test had exclusive access: leftovers: 1 left over";
    let as_expected = said.iter().all(|said| said.contains(expected));
    assert!(!said.is_empty() && as_expected, "{said:?}");
    for test in [
        "alone_leaves_something_unseen",
        "alone_leaves_something_and_says_so",
    ] {
        let ran = run(&[twice, test]);
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        assert!(reasons(&ran).is_empty(), "{test}: {:?}", reasons(&ran));
        let warned = ran.stderr.contains("leftovers: 1 left over");
        assert_eq!(warned, test.ends_with("says_so"), "{}", ran.said());
    }
}

/// What a test that shared the deployment has left is charged to it, not to the next that has it alone.
#[test]
fn before_a_test_has_it_alone_somebody_looks() {
    let ran = run(&["shared_leaves_something", "alone_finds_nothing"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    // If the other came first, the look is the last one.
    let mut said = reasons(&ran);
    said.push(ran.stderr.clone());
    let expected =
        "leftovers: 1 left over; tests on it since the last clean check: shared_leaves_something";
    assert!(
        said.iter().any(|said| said.contains(expected)),
        "{}",
        ran.said()
    );
    assert!(
        !said
            .iter()
            .any(|said| said.contains("had exclusive access")),
        "{said:?}"
    );
}

/// With nobody to come, what is found is said.
#[test]
fn before_it_stops_somebody_looks() {
    let ran = run(&["shared_leaves_something"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let expected =
        "leftovers: 1 left over; tests on it since the last clean check: shared_leaves_something";
    assert!(ran.stderr.contains(expected), "{}", ran.said());
    let ran = run(&["shared_leaves_something", "--checker=leftovers=off"]);
    assert!(!ran.stderr.contains("left over"), "{}", ran.said());
}

/// A server that logs without end does not fill the disk: the beginning and the end are kept, and it is said once.
#[test]
fn a_log_has_a_limit() {
    let ran = run(&["logs_very_much"]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert!(ran.message("logs_very_much").contains("on purpose"));
    let said = "logs a lot: only the first 16 MiB and the last 48 MiB of its log are kept";
    assert_eq!(ran.stderr.matches(said).count(), 1, "{}", ran.said());
    let servers = std::fs::read_dir(ran.directory().join("servers")).unwrap();
    let deployment = servers.flatten().next().unwrap().path();
    let log = std::fs::read(deployment.join("tally-1/log")).unwrap();
    let mebibytes = log.len() >> 20;
    // With less than what is worth a cut.
    assert!((64..=65).contains(&mebibytes), "{mebibytes} MiB");
    let text = String::from_utf8(log).expect("text, without a hole");
    assert!(text.contains("the first words\n") && text.ends_with("the last words\n"));
    assert_eq!(text.matches(" bytes omitted: ").count(), 1);
    let cut = ran.file("tests/logs_very_much/server-logs/tally-1");
    let cut = String::from_utf8(cut).unwrap();
    assert!(cut.ends_with("the last words\n") && cut.len() < 2 << 20);
}

#[test]
fn a_test_reads_the_log_of_a_server() {
    let ran = run(&[
        "reads_a_log",
        "waits_in_vain_for_a_line",
        "reads_the_log_of_nobody",
    ]);
    assert_eq!(ran.verdict("reads_a_log"), "passed", "{}", ran.said());
    let said = ran.message("waits_in_vain_for_a_line");
    let expected = "waiting for tally-1 to log \"another thing\"; the last lines are\n  ";
    assert!(
        said.contains(expected) && said.contains("something"),
        "{said}"
    );
    let said = ran.message("reads_the_log_of_nobody");
    assert!(
        said.contains("there is no server `nobody`; the servers are tally-1"),
        "{said}"
    );
}
