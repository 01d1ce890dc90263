//! What is shown of each way to fail: where and why, before anything else.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use armadillo_selftest::cargo::has;
use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{Ran, Suite};
use rustix::process::Signal;

/// Within this many lines of its beginning a failure says what and where.
const GLANCE: usize = 10;

fn run(args: &[&str]) -> Ran {
    let suite = Suite::new(env!("CARGO_BIN_EXE_gallery"));
    // Stacks of a core are told by gdb, as far as there is one.
    let suite = suite.env("ARMADILLO_CORES", "none");
    suite.args(["-n", "2"]).args(args).run()
}

/// The block of each failed test, as it is at the end of stdout.
fn blocks(stdout: &str) -> BTreeMap<String, String> {
    let blocks = stdout.split("\n---- ").skip(1).map(|block| {
        let (name, text) = block.split_once(" stdout ----\n").unwrap_or((block, ""));
        let text = text.split("\n\nfailures:\n").next().unwrap_or(text);
        (name.to_owned(), text.trim_end().to_owned())
    });
    blocks.collect()
}

/// Without what is another one in every run: ids, seeds, durations, the directory.
fn settled(text: &str, ran: &Ran) -> String {
    let home = ran.home().display().to_string();
    let text = ran
        .runs()
        .iter()
        .fold(text.replace(&home, "HOME"), |text, run| {
            text.replace(run, "RUN")
        });
    let lines = text.lines().map(|line| {
        let line: String = line
            .split_inclusive(|c: char| !c.is_ascii_alphanumeric())
            .map(without_id)
            .collect();
        match line.split_once("timed out after ") {
            Some((before, rest)) => {
                let rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
                format!("{before}timed out after TIME {rest}")
            }
            None => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A word without the seed or the id that it may be; what separates it from the next stays.
fn without_id(word: &str) -> String {
    let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_id = bare.len() >= 8 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    let end = &word[bare.len()..];
    format!("{}{end}", if is_id { "ID" } else { bare })
}

#[test]
fn each_failure_says_what_and_where() {
    let ran = run(&[]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    let blocks = blocks(&ran.stdout);
    assert_eq!(blocks.len(), 21, "{}", ran.said());
    for (name, block) in &blocks {
        let mut glance = block.lines().take(GLANCE);
        let place = "crates/selftest/src/bin/gallery.rs:";
        assert!(glance.any(|line| line.contains(place)), "{name}:\n{block}");
        // The same when it happens, on stderr.
        let at_once = format!("\n---- {name} ----\n{block}\n");
        assert!(ran.stderr.contains(&at_once), "{}", ran.said());
        insta::assert_snapshot!(name.replace("::", "."), settled(block, &ran));
    }
}

#[test]
fn it_is_said_when_failures_are_shown() {
    for (when, at_once, at_the_end) in [
        ("immediate", true, false),
        ("final", false, true),
        ("immediate-final", true, true),
        ("never", false, false),
    ] {
        let ran = run(&[
            "--exact",
            "assertion::in_the_test",
            "--failure-output",
            when,
        ]);
        let message = "failed: assertion `left == right` failed: the balance of the account";
        assert_eq!(ran.stderr.contains(message), at_once, "{}", ran.said());
        assert_eq!(ran.stdout.contains(message), at_the_end, "{}", ran.said());
        let names = "\nfailures:\n    assertion::in_the_test\n";
        assert!(ran.stdout.contains(names), "{}", ran.said());
    }
}

/// Somebody who asks for everything gets it.
#[test]
fn a_full_backtrace_is_left_as_it_is() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_gallery")).env("RUST_BACKTRACE", "full");
    let ran = suite.args(["--exact", "assertion::in_a_helper"]).run();
    assert!(
        ran.stdout.contains("  output of the test:\n"),
        "{}",
        ran.said()
    );
    assert!(ran.stdout.contains("stack backtrace:"), "{}", ran.said());
    let suite = Suite::new(env!("CARGO_BIN_EXE_gallery")).env("RUST_BACKTRACE", "1");
    let ran = suite.args(["--exact", "assertion::in_a_helper"]).run();
    assert!(!ran.stdout.contains("stack backtrace:"), "{}", ran.said());
}

/// What a failed test has made is there for a person to look at, and gone when that person has seen it.
#[test]
fn a_deployment_is_kept_as_a_failed_test_has_left_it() {
    let suite = Suite::new(env!("CARGO_BIN_EXE_gallery"));
    let args = [
        "--exact",
        "deployment::fails_after_a_visit",
        "--keep-on-failure",
    ];
    let (mut running, mut keyboard) = suite.args(args).start_at_a_terminal();
    let told = until(LIMIT, || {
        let told = running.stderr();
        (told.contains("Press Enter") || running.has_ended()).then_some(told)
    });
    let told = told.unwrap_or_else(|| panic!("{}", running.stderr()));
    let failure = told.find("failed: the visitor is not known");
    let kept = told.find("Kept after a failed test: brittle-server-");
    assert!(failure.is_some() && failure < kept, "{told}");
    let word_after = |text: &str, before: &str| {
        let (_, after) = text.split_once(before)?;
        after.split_whitespace().next().map(str::to_owned)
    };
    let (Some(address), Some(lease)) = (
        word_after(&told, "tally-1 is running: main "),
        word_after(&told, "\n    lease "),
    ) else {
        panic!("{told}");
    };
    let mut server = TcpStream::connect(address).unwrap_or_else(|error| panic!("{error}: {told}"));
    let mut counter = String::new();
    let asked = writeln!(server, "get {lease}.counter")
        .and_then(|()| BufReader::new(&server).read_line(&mut counter));
    assert!(asked.is_ok(), "{asked:?}");
    assert_eq!(counter, "1\n", "{told}");
    assert!(writeln!(keyboard).is_ok());
    let ran = running.wait();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
}

/// Whoever cannot answer is asked by a debugger.
#[test]
fn a_process_that_does_not_answer_is_looked_at_from_outside() {
    if !has("gdb", &["--version"], "ARMADILLO_REQUIRE_GDB") {
        return;
    }
    let ran = run(&["--exact", "hang::in_a_stopped_process", "--include-ignored"]);
    assert_eq!(ran.verdict("hang::in_a_stopped_process"), "timed_out");
    let blocks = blocks(&ran.stdout);
    let block = &blocks["hang::in_a_stopped_process"];
    let place = "\n    blocked at crates/selftest/src/bin/gallery.rs:";
    assert!(block.contains(place), "{}", ran.said());
    assert!(
        block.contains(" in hang::in_a_stopped_process\n"),
        "{block}"
    );
    // Where the other threads of the process are says nothing.
    assert!(!block.contains(" in main\n"), "{block}");
}

#[test]
fn a_slow_test_says_where_it_is() {
    let args = [
        "--exact",
        "hang::for_long",
        "--include-ignored",
        "--slow-timeout",
        "400ms",
    ];
    let mut running = Suite::new(env!("CARGO_BIN_EXE_gallery")).args(args).start();
    let told = "slow: hang::for_long has been running for ";
    // It is told again and again: at first it may not have come so far.
    let slow = until(LIMIT, || {
        let stderr = running.stderr();
        let mut each = stderr.split(told).skip(1);
        let there = each.find(|after| after.contains("in shop::pay"))?;
        there
            .contains("in hang::for_long")
            .then(|| there.to_owned())
    });
    running.signal(Signal::INT);
    let ended = running.ended_within(LIMIT);
    let ran = running.wait();
    let slow = slow.unwrap_or_else(|| panic!("{ended:?}: {}", ran.said()));
    let place = slow.lines().nth(1).unwrap_or_default();
    let pay = "    waiting at crates/selftest/src/bin/gallery.rs:";
    assert!(
        place.starts_with(pay) && place.ends_with(" in shop::pay"),
        "{slow}"
    );
    assert_eq!(ran.code, Some(130), "{}", ran.said());
}
