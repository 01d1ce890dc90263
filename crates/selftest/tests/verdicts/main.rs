//! Tests that end in every way a test can end: each has the right verdict, message and output, and harms nobody.

#![expect(
    clippy::expect_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

mod expected;

use armadillo_selftest::{Ran, Suite, junk, meeting};
use expected::EXPECTED;

const VERDICTS: &str = env!("CARGO_BIN_EXE_verdicts");

fn suite(args: &[&str]) -> Suite {
    // Two pairs of tests wait for each other.
    let suite = Suite::new(VERDICTS).args(["-n", "4"]).args(args);
    let place = suite.home().join("meeting");
    suite.env(meeting::PLACE, place)
}

#[test]
fn a_run_of_all_of_them() {
    let all = suite(&[]).run();
    // A deployment that cannot start counts more than tests that fail.
    assert_eq!(all.code, Some(3), "{}", all.said());
    each_has_the_right_verdict_and_message(&all);
    stdout_has_a_line_and_a_block_for_each(&all);
    output_is_whole(&all);
    a_test_with_too_much_output_does_not_flood_the_reports(&all);
    evidence_of_a_timeout_is_kept(&all);
    a_retry_has_a_worker_of_its_own(&all);
    a_changed_worker_is_retired(&all);
    no_server_is_harmed(&all);
    those_who_shared_a_server_are_named(&all);
    junit_says_the_same(&all);
    the_event_log_is_complete(&all);
    the_reports_can_be_made_again(&all);
    nothing_is_left(&all);
}

fn each_has_the_right_verdict_and_message(all: &Ran) {
    for (name, verdict, message) in EXPECTED {
        assert_eq!(all.verdict(name), *verdict, "{name}\n{}", all.message(name));
        let said = all.message(name);
        assert!(said.contains(message), "{name}: {said}");
    }
    let results = all.results();
    let tests = results["tests"].as_array().map_or(0, Vec::len);
    assert_eq!(tests, EXPECTED.len());
}

fn stdout_has_a_line_and_a_block_for_each(all: &Ran) {
    let failed = EXPECTED
        .iter()
        .filter(|(_, verdict, _)| !["passed", "skipped"].contains(verdict));
    for (name, _, message) in failed.clone() {
        let lines = all
            .stdout
            .matches(&format!("test {name} ... FAILED\n"))
            .count();
        assert_eq!(lines, 1, "{name}");
        let (_, block) = all
            .stdout
            .split_once(&format!("\n---- {name} stdout ----\n"))
            .expect(name);
        let (block, _) = block.split_once("\n\n---- ").unwrap_or((block, ""));
        let first = message.lines().next().unwrap_or_default();
        assert!(block.contains(first), "{name}: {block}");
    }
    for (name, verdict, _) in EXPECTED {
        if *verdict == "passed" && *name != "dying::passes_at_the_second_attempt" {
            assert!(
                all.stdout.contains(&format!("test {name} ... ok\n")),
                "{name}"
            );
        }
    }
    let flaky = "test dying::passes_at_the_second_attempt ... ok <flaky: attempt 2>\n";
    assert!(all.stdout.contains(flaky));
    assert!(
        all.stdout
            .contains("test words::skips ... ignored, needs 9000 cores\n")
    );
    let last = format!(
        "test result: FAILED. 14 passed; {} failed; 1 ignored; 0 measured; 0 filtered out;",
        failed.count()
    );
    assert!(all.stdout.contains(&last), "{}", all.said());
    let warning = "warning: after servers::leaves_a_counter_and_says_so: the counter ";
    assert!(all.stderr.contains(warning), "{}", all.said());
}

/// A test that found nothing out failed, unless the run says that it is to be ignored.
#[test]
fn what_found_nothing_out_is_no_plain_failure() {
    let tests = ["finds_nothing_out", "found_nothing_out", "skips"];
    let ran = suite(&tests).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert!(
        ran.stdout.contains("0 passed; 2 failed; 1 ignored;"),
        "{}",
        ran.said()
    );
    assert!(
        ran.stderr
            .contains("0 passed, 2 inconclusive, 1 skipped in"),
        "{}",
        ran.said()
    );
    let totals = &ran.results()["totals"];
    assert_eq!(
        (&totals["failed"], &totals["inconclusive"]),
        (&0.into(), &2.into())
    );
    let kind = quick_junit::NonSuccessKind::Failure;
    let cases = ran.junit().test_suites[0].test_cases.clone();
    let types: Vec<_> = cases
        .iter()
        .filter_map(|case| match &case.status {
            quick_junit::TestCaseStatus::NonSuccess {
                kind: found, ty, ..
            } if *found == kind => ty.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(
        types.iter().map(|ty| ty.as_str()).collect::<Vec<_>>(),
        ["inconclusive"; 2]
    );

    let ran = suite(&[&tests[..], &["--inconclusive", "ignore"]].concat()).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let line =
        "test words::finds_nothing_out ... ignored, inconclusive: only 3 of 7 rounds count\n";
    assert!(ran.stdout.contains(line), "{}", ran.said());
}

/// What is done about what checkers find is said for a run, unless a test says it.
#[test]
fn checkers_are_as_strict_as_they_are_told_to_be() {
    let tests = [
        "--exact",
        "servers::leaves_a_counter",
        "servers::leaves_a_counter_and_says_so",
        "servers::makes_its_server_complain",
    ];
    let lenient = ["--checker=counters=off", "--checker=log=warn"];
    let ran = suite(&[&tests[..], &lenient[..]].concat()).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    for warning in [
        "after servers::leaves_a_counter_and_says_so: the counter ",
        "after servers::makes_its_server_complain: tally-1 logged: nothing works",
    ] {
        assert!(ran.stderr.contains(warning), "{}", ran.said());
    }
    assert!(!ran.stderr.contains("after servers::leaves_a_counter:"));
    let ran = suite(&["--exact", "servers::leaves_a_counter", "--checker=log=off"]).run();
    assert_eq!(ran.verdict("servers::leaves_a_counter"), "leaked");
}

/// The exit codes of parts of it.
#[test]
fn exit_codes() {
    let six = [
        "--skip=second_attempt",
        "dying::passes",
        "aborts",
        "overflows",
        "loops",
        "sleeps",
        "megabyte",
    ];
    let ran = suite(&six).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert!(ran.stdout.contains("1 passed; 5 failed;"), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
    let ran = suite(&["dying::passes", "skips", "second_attempt"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
}

/// What comes first in the output of a test that failed; what panics and aborts add follows.
fn output_is_whole(all: &Ran) {
    let begins = |name: &str, expected: &[u8]| {
        let output = all.output(name);
        assert!(
            output.starts_with(expected),
            "{name}: {}",
            String::from_utf8_lossy(&output)
        );
        output[expected.len()..].to_vec()
    };
    let nothing: &[u8] = b"";
    let mut megabyte = junk::megabyte();
    megabyte.extend_from_slice(b"x\n");
    begins("printing.panics_after_a_megabyte", &megabyte);
    begins("printing.prints_binary_junk", &junk::bytes());
    assert_eq!(begins("dying.aborts", b"before the abort\n"), nothing);
    assert_eq!(
        begins("dying.exits_with_zero", b"before the exit\n"),
        nothing
    );
    assert_eq!(
        begins("dying.is_killed_by_a_signal", b"before the signal\n"),
        nothing
    );
    assert_eq!(
        begins("dying.loops_without_end", b"before the loop\n"),
        nothing
    );
    assert_eq!(
        begins("dying.sleeps_for_an_hour", b"before the sleep\n"),
        nothing
    );
    let overflow = begins("dying.overflows_the_stack", b"before the overflow\n");
    assert!(String::from_utf8_lossy(&overflow).contains("has overflowed its stack"));
    let order = b"stdout 0\nstderr 0\nstdout 1\nstderr 1\nstdout 2\nstderr 2\n";
    begins("printing.prints_to_both_streams_in_order", order);
    assert_eq!(
        begins(
            "fixtures.an_async_body_over_time",
            b"set up\ndropped\ntorn down\n"
        ),
        nothing
    );
    assert_eq!(
        begins("fixtures.a_set_up_that_fails", b"set up\ntorn down\n"),
        nothing
    );
    assert_eq!(
        begins(
            "fixtures.a_teardown_that_fails",
            b"set up\nbody\ntorn down\n"
        ),
        nothing
    );
    let panicked = all.output("fixtures.a_body_that_panics");
    assert!(panicked.starts_with(b"set up\n") && panicked.ends_with(b"torn down\n"));
    assert!(all.output("dying.never_passes").len() > 10);
    assert!(all.output("dying.never_passes.attempt-2").len() > 10);
    let endless = all.output("printing.prints_without_end");
    assert!(endless.len() > 64 << 20 && endless.iter().all(|byte| *byte == b'x'));
}

fn a_test_with_too_much_output_does_not_flood_the_reports(all: &Ran) {
    let results = all.file("results.json").len();
    assert!(results < 32 << 20, "{results} bytes");
    assert!(all.stdout.contains("bytes of output omitted") || all.stdout.contains("bytes omitted"));
}

fn evidence_of_a_timeout_is_kept(all: &Ran) {
    let threads = all.file("tests/dying.loops_without_end/worker-threads.txt");
    let threads = String::from_utf8_lossy(&threads).into_owned();
    assert!(threads.contains("dying::loops_wi"), "{threads}");
}

fn a_retry_has_a_worker_of_its_own(all: &Ran) {
    let test = all.test("dying::passes_at_the_second_attempt");
    assert_eq!(test["flaky"], true);
    let workers: Vec<&serde_json::Value> = test["attempts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|attempt| &attempt["worker"])
        .collect();
    assert_eq!(workers.len(), 2);
    assert_ne!(workers[0], workers[1]);
}

/// A test that changed its process costs its worker, and that is said once.
fn a_changed_worker_is_retired(all: &Ran) {
    for (name, why) in [
        (
            "leftovers::changes_the_directory",
            "the test changed the working directory",
        ),
        (
            "leftovers::changes_the_environment",
            "the test changed the environment",
        ),
        (
            "leftovers::leaves_a_thread",
            "the test left threads running",
        ),
        (
            "printing::closes_its_stdout",
            "the test closed or redirected its standard output or error",
        ),
    ] {
        let worker = all.test(name)["attempts"][0]["worker"].clone();
        let ended = all.events("worker_ended");
        let ended = ended.iter().find(|ended| ended["worker"] == worker);
        assert_eq!(
            ended.map(|ended| &ended["why"]),
            Some(&why.into()),
            "{name}"
        );
        let warning = format!("{name}: {why}; its worker is replaced");
        assert_eq!(all.stderr.matches(&warning).count(), 1, "{}", all.stderr);
    }
}

/// One start for each topology, whatever tests do; servers die only where a test kills them.
fn no_server_is_harmed(all: &Ran) {
    let started: Vec<_> = all
        .events("deployment_starting")
        .into_iter()
        .map(|started| started["reason"].clone())
        .collect();
    let recycled = all.events("deployment_recycled").len();
    let first = started.iter().filter(|reason| **reason == "first").count();
    let fresh = started.iter().filter(|reason| **reason == "fresh").count();
    assert_eq!(
        (first, fresh, started.len()),
        (3, 1, 4 + recycled),
        "{started:?}"
    );
    let text = String::from_utf8_lossy(&all.file("events.jsonl")).into_owned();
    let results = all.results();
    let deployments = results["deployments"].as_object().expect("deployments");
    for (id, deployment) in deployments {
        if deployment["topology"]
            .as_str()
            .is_some_and(|topology| topology.contains("broken = 0"))
        {
            assert!(
                deployment["recycled"].is_null()
                    && deployment["complaints"] == serde_json::json!([]),
                "{id}: {deployment}\n{text}"
            );
        }
    }
    let pid = |name: &str| {
        let output = String::from_utf8_lossy(&all.output(name)).into_owned();
        output
            .lines()
            .find_map(|line| line.strip_prefix("pid ").map(str::to_owned))
    };
    let one = pid("servers.fails_in_one_way");
    assert!(one.is_some());
    assert_eq!(one, pid("servers.fails_in_its_own_way"));
    assert_eq!(one, pid("servers.leaves_a_counter"));
}

fn those_who_shared_a_server_are_named(all: &Ran) {
    for (name, other) in [
        (
            "servers::crashes_a_server",
            "servers::was_there_when_it_crashed",
        ),
        (
            "servers::was_there_when_it_crashed",
            "servers::crashes_a_server",
        ),
        ("servers::fails_in_one_way", "servers::fails_in_its_own_way"),
        ("servers::fails_in_its_own_way", "servers::fails_in_one_way"),
    ] {
        let tenants = all.test(name)["attempts"][0]["company"]["shared_with"]["named"].clone();
        let tenants = tenants.as_array().expect("a list");
        assert!(tenants.contains(&other.into()), "{name}: {tenants:?}");
    }
}

fn junit_says_the_same(all: &Ran) {
    use quick_junit::TestCaseStatus;
    let report = all.junit();
    let cases: Vec<_> = report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases)
        .collect();
    assert_eq!(cases.len(), EXPECTED.len());
    for (name, verdict, message) in EXPECTED {
        let case = cases
            .iter()
            .find(|case| case.name.as_str() == *name)
            .expect(name);
        let (word, said) = match &case.status {
            TestCaseStatus::Success { .. } => ("passed", None),
            TestCaseStatus::Skipped { message, .. } => ("skipped", message.as_ref()),
            TestCaseStatus::NonSuccess { description, .. } => ("failed", description.as_ref()),
        };
        let is_failure = !["passed", "skipped"].contains(verdict);
        let expected = if is_failure { "failed" } else { verdict };
        assert_eq!(word, expected, "{name}");
        let said = said.map_or("", |said| said.as_str());
        assert!(said.contains(message), "{name}: {said}");
    }
}

fn nothing_is_left(all: &Ran) {
    assert_eq!(all.remains(), [""; 0]);
}

/// Every attempt of the reports is in the log that they must be rebuilt from, once, and so is the end of the run.
fn the_event_log_is_complete(all: &Ran) {
    let mut logged: Vec<String> = all
        .events("test_finished")
        .iter()
        .map(|ended| format!("{} {}", ended["test"], ended["attempt"]))
        .collect();
    logged.sort();
    let results = all.results();
    let tests = results["tests"].as_array().expect("a list").iter();
    let attempts = |test: &serde_json::Value| {
        let attempts = test["attempts"].as_array().expect("a list").clone();
        let name = test["name"].clone();
        let attempts = attempts.into_iter();
        attempts.map(move |attempt| format!("{name} {}", attempt["attempt"]))
    };
    let mut reported: Vec<String> = tests.flat_map(attempts).collect();
    reported.sort();
    assert_eq!(logged, reported);
    assert_eq!(all.events("run_finished").len(), 1);
    let (started, ended) = ("worker_started", "worker_ended");
    assert_eq!(all.events(started).len(), all.events(ended).len());
}

/// From the log alone come the same files and the same lines.
fn the_reports_can_be_made_again(all: &Ran) {
    let files = ["junit.xml", "results.json"];
    let of_the_run = files.map(|file| String::from_utf8(all.file(file)).expect("text"));
    for file in files {
        std::fs::remove_file(all.directory().join(file)).expect("a file");
    }
    let log = all.directory().join("events.jsonl");
    let again = Suite::new(VERDICTS)
        .args(["--report-from".as_ref(), log.as_os_str()])
        .run();
    assert_eq!(again.code, Some(0), "{}", again.said());
    assert_eq!(again.runs(), [""; 0]);
    for (file, text) in files.iter().zip(&of_the_run) {
        let made = String::from_utf8(all.file(file)).expect("text");
        assert_eq!(&made, text, "{file}");
    }
    assert_eq!(again.stdout, all.stdout);
}
