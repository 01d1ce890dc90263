//! Runs that are ended before they are done.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use armadillo_selftest::suite::send;
use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Ran, Running, remains};
use rustix::process::Signal;

use super::{run, suite};

/// The suite when both endless tests run.
fn endless() -> Running {
    let suite = suite(&["endless", "-n", "2"]);
    let place = suite.home().join("meeting");
    let mut running = suite.start();
    let both = until(LIMIT, || {
        let here = place.join("endless").exists() && place.join("blocking").exists();
        (here || running.has_ended()).then_some(())
    });
    assert!(
        both.is_some() && !running.has_ended(),
        "{}",
        running.stderr()
    );
    running
}

fn ended_by(signal: Signal) -> Ran {
    let running = endless();
    running.signal(signal);
    let ran = running.wait();
    assert_eq!(ran.code, Some(130), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
    ran
}

#[test]
fn interrupted() {
    for (signal, word) in [
        (Signal::INT, "interrupted"),
        (Signal::TERM, "terminated"),
        (Signal::HUP, "the terminal was closed"),
    ] {
        let ran = ended_by(signal);
        // One closing block, and it says why.
        assert_eq!(
            ran.stdout.matches("test result: FAILED.").count(),
            1,
            "{}",
            ran.said()
        );
        assert!(ran.stderr.contains(word), "{}", ran.said());
        let results = ran.results();
        assert_eq!(
            (&results["exit_code"], &results["ended_early"]),
            (&130.into(), &word.into())
        );
        assert_eq!(results["not_run"].as_array().map(Vec::len), Some(0));
        both_are(
            &ran,
            "interrupted: the test was still running when the run ended",
        );
    }
}

/// What runs when a run is ended is reported as such, with what it has printed.
fn both_are(ran: &Ran, verdict: &str) {
    for (test, printed) in [
        ("endless::on_a_server", "it counts\n"),
        ("endless::with_a_child", "it parks\n"),
    ] {
        let line = format!("test {test} ... FAILED");
        assert!(ran.stdout.contains(&line), "{}", ran.said());
        let block = ran.stdout.split(&format!("---- {test} stdout ----")).nth(1);
        let block = block.unwrap_or_else(|| panic!("{}", ran.said()));
        assert!(block.contains(printed), "{block}");
        assert!(block.contains(verdict), "{block}");
    }
}

/// The person who presses Ctrl-C has the prompt back at once: the daemon stops the servers alone.
#[test]
fn the_runner_does_not_wait_for_servers_after_an_interrupt() {
    let mut running = endless();
    running.signal(Signal::INT);
    let ended = running.ended_within(LIMIT);
    assert_eq!(ended.and_then(|status| status.code()), Some(130));
    assert_eq!(running.wait().remains(), [""; 0]);
}

#[test]
fn the_runs_time_limit() {
    // Long enough for the servers and the tests to have begun.
    let ran = run(&["endless", "pass::one", "-n", "3", "--run-timeout", "12s"]);
    assert_eq!(ran.code, Some(124), "{}", ran.said());
    assert!(
        ran.stderr.contains("the run reached its time limit of 12s"),
        "{}",
        ran.said()
    );
    assert_eq!(
        ran.results()["ended_early"],
        "the run reached its time limit of 12s"
    );
    assert!(ran.stdout.contains("5 passed; 2 failed;"), "{}", ran.said());
    both_are(
        &ran,
        "timed out: the run reached its time limit of 12s during this test",
    );
    // Where in the client of the server it is, is a matter of chance.
    for (test, doing) in [("on_a_server", "waiting"), ("with_a_child", "blocked")] {
        let block = format!("---- endless::{test} stdout ----");
        let (_, block) = ran.stdout.split_once(&block).unwrap_or_default();
        let (block, _) = block.split_once("\n  files: ").unwrap_or_default();
        let doing = format!("\n    {doing} at ");
        let place = "at crates/selftest/src/bin/commands.rs:";
        assert!(block.contains(&doing), "{}", ran.said());
        assert!(block.contains(place), "{}", ran.said());
    }
}

/// What runs is ended when enough tests have failed; the rest of the run is as any other: deployments are stopped, reports are
/// complete.
#[test]
fn enough_failures() {
    for isolation in ["workers", "process", "in-process", "none"] {
        for limit in [&["-x"][..], &["--maxfail", "1"]] {
            let tests = ["endless", "errs_while_others_run", "-n", "3"];
            let ran = run(&[&tests[..], &["--isolation", isolation], limit].concat());
            let said = format!("{isolation} {limit:?}\n{}", ran.said());
            assert_eq!(ran.code, Some(101), "{said}");
            assert_eq!(ran.verdict("errs_while_others_run"), "failed", "{said}");
            for test in ["endless::on_a_server", "endless::with_a_child"] {
                assert_eq!(ran.verdict(test), "interrupted", "{said}");
                let why = "stopped because the limit of failures was reached (--maxfail)";
                assert_eq!(ran.message(test), why, "{said}");
            }
            let results = ran.results();
            let early = "1 test failed, and --maxfail is 1";
            assert_eq!(results["ended_early"], early, "{said}");
            assert_eq!(results["not_run"].as_array().map(Vec::len), Some(0));
            assert_eq!(ran.events("deployment_stopped").len(), 1, "{said}");
            assert_eq!(ran.junit().tests, 3, "{said}");
            if !matches!(isolation, "in-process" | "none") {
                both_are(
                    &ran,
                    "interrupted: stopped because the limit of failures was reached (--maxfail)",
                );
            }
        }
    }
}

/// Somebody removes a directory of the run: the run ends, says so once, and blames no test.
#[test]
fn a_directory_that_is_removed() {
    for private in [false, true] {
        let running = endless();
        let run = running.runs().pop().expect("a run");
        let path = if private {
            remains::private_directory(&run)
        } else {
            running.home().join("runs").join(&run)
        };
        std::fs::remove_dir_all(&path).expect("removed");
        let ran = running.wait();
        let path = path.display();
        assert_eq!(ran.code, Some(3), "{}", ran.said());
        let said = format!("{path} was removed during the run");
        assert_eq!(ran.stderr.matches(&said).count(), 1, "{}", ran.said());
        assert!(!ran.stderr.contains("daemon"), "{}", ran.said());
        for test in ["endless::on_a_server", "endless::with_a_child"] {
            assert_eq!(ran.verdict(test), "error", "{}", ran.said());
            // Whether it still ran then or had failed for it.
            let why = ran.message(test);
            assert!(why.contains(&format!("{path} was removed")), "{why}");
        }
        assert_eq!(ran.results()["ended_early"], format!("{path} was removed"));
        assert_eq!(ran.junit().tests, 2);
        assert_eq!(ran.remains(), [""; 0]);
    }
}

/// The warden removes what a killed daemon leaves, be it before the runner looks: it is the daemon's death that is told.
#[test]
fn a_directory_that_goes_with_the_daemon() {
    let running = endless();
    let run = running.runs().pop().expect("a run");
    let child = |pid: u32, role: &str| {
        let mut children = remains::children(pid).into_iter();
        let is_it = |child: &u32| remains::command(*child).contains(&format!("__armadillo {role}"));
        children.find(is_it).expect("a child")
    };
    let daemon = child(child(running.pid(), "warden"), "daemon");
    running.signal(Signal::STOP);
    send(daemon, Signal::KILL);
    let private = remains::private_directory(&run);
    let gone = until(LIMIT, || (!private.exists()).then_some(()));
    running.signal(Signal::CONT);
    let ran = running.wait();
    assert!(gone.is_some(), "{} is there", private.display());
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(ran.stderr.contains("daemon"), "{}", ran.said());
    assert!(!ran.stderr.contains("was removed during"), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
}

/// `| head -1`: whoever closed stdout wants to see no more, and the run goes on to its end.
#[test]
fn a_closed_pipe_is_not_an_error() {
    for (args, code) in [
        (&["pass"][..], 0),
        (&["fail"], 101),
        (&["--list"], 0),
        (&["--help"], 0),
    ] {
        let mut running = suite(args).start_with_stdout(Stdio::piped());
        let stdout = running.take_stdout().expect("a pipe");
        let mut first = String::new();
        BufReader::with_capacity(1, stdout)
            .read_line(&mut first)
            .expect("a line");
        let ran = running.wait();
        assert_eq!(ran.code, Some(code), "{args:?}\n{}", ran.said());
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert_eq!(ran.remains(), [""; 0]);
    }
}
