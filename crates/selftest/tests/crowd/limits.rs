//! What a machine has little of: open files, room on the disk, time.

use std::time::Duration;

use armadillo_selftest::{Suite, cargo};

use super::{SUITE, text};

/// The suite, whose processes may have so many files open at most.
pub(super) fn with_open_files(files: u32) -> Suite {
    let limited = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
    Suite::new("/bin/sh").args(["-c", &limited, SUITE])
}

/// `--repeat` of a test that does nothing.
const HOLDS_IT: [&str; 2] = ["holds_it", "--exact"];

#[test]
fn a_thousand_tests_at_once() {
    // The limit that most machines begin with, and may raise.
    let soft = "ulimit -Sn 1024; exec \"$0\" \"$@\"";
    let suite = Suite::new("/bin/sh").args(["-c", soft, SUITE]);
    let ran = suite
        .args(HOLDS_IT)
        .args(["-n", "1000", "--repeat", "1000"])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(ran.stdout.contains("ok. 1000 passed; 0 failed"));
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    if hard.is_none_or(|hard| hard >= 8064) {
        assert!(ran.stderr.contains(" 1000 at once"), "{}", ran.stderr);
    }
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn where_no_more_files_may_be_open_there_are_fewer_slots_and_that_is_said() {
    let ran = with_open_files(256)
        .args(HOLDS_IT)
        .args(["-n", "1000", "--repeat", "300"])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(ran.stdout.contains("ok. 300 passed; 0 failed"));
    let said = "running 24 tests at once instead of 300: 300 might need 2464 open files, but the limit is 256 (`ulimit -Hn`)";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(ran.stderr.contains(" 24 at once"), "{}", ran.stderr);
}

/// The processor's time of a run of so many tests and of all that it started, for each test: how long it takes depends on
/// what else the machine does.
#[expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]
fn work_for_each_of(tests: u32) -> Duration {
    let script = "\"$0\" \"$@\"; code=$?; times > times; exit $code";
    let suite = Suite::new("/bin/sh").args(["-c", script, SUITE]);
    let repeat = tests.to_string();
    let ran = suite
        .args(HOLDS_IT)
        .args(["-n", "4", "--repeat", &repeat])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(
        ran.events("test_finished").len(),
        usize::try_from(tests).unwrap()
    );
    let times = std::fs::read_to_string(ran.home().join("times")).unwrap();
    // The shell's own, and that of those that it has waited for: `0m1.25s 0m0.50s`.
    let seconds = |word: &str| -> Option<f64> {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
    };
    let words = times.lines().nth(1).unwrap().split_whitespace();
    let sum: Option<f64> = words.map(seconds).sum();
    Duration::from_secs_f64(sum.unwrap()) / tests
}

#[test]
fn the_last_of_thousands_of_tests_costs_as_much_as_the_first() {
    let (few, many) = (work_for_each_of(1000), work_for_each_of(5000));
    // A cost that grows with the number of tests makes each of five times as many five times as expensive.
    assert!(many < few * 2, "{few:?}, then {many:?}");
}

/// Runs on a disk of a megabyte that is nearly full.
#[test]
fn a_full_disk_costs_files_and_no_verdicts() {
    let mount = ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"];
    if !cargo::has("unshare", &mount, "ARMADILLO_REQUIRE_MOUNT") {
        return;
    }
    let script =
        "disk=$ARMADILLO_OUTPUT_DIR; mkdir $disk && mount -t tmpfs -o size=1m none $disk || exit 99
        head -c 1020000 /dev/zero > $disk/fill; \"$0\" \"$@\"; code=$?
        cp $disk/latest/events.jsonl kept; exit $code";
    let suite = Suite::new("unshare").args(["-rm", "sh", "-c", script, SUITE]);
    let ran = suite.args(["--skip", "holds_it", "-n", "4"]).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    let lines = ran.stdout.lines();
    let verdicts = lines.filter(|line| line.starts_with("test ") && line.contains(" ... "));
    // Those that ran, and those that are ignored.
    assert_eq!(verdicts.count(), 42, "{}", ran.said());
    assert!(ran.stdout.contains("\n---- a_culprit stdout ----\n"));
    assert!(ran.stdout.contains("\ntest result: FAILED. "));
    let full = "runs/";
    let said = ran
        .stderr
        .lines()
        .filter(|line| line.contains("cannot write to "));
    let said: Vec<&str> = said.collect();
    let [said] = said[..] else {
        panic!("{}", ran.said());
    };
    assert!(
        said.contains(full) && said.contains("No space left on device"),
        "{said}"
    );
    // What there was room for are events, one a line, but for the end of the last.
    let kept = std::fs::read(ran.home().join("kept")).unwrap_or_default();
    let kept = text(&String::from_utf8_lossy(&kept).into());
    let whole = kept.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        let event: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(event.is_ok(), "{line}");
    }
    assert!(!whole.is_empty());
}

/// As in a container that was entered from outside: this process's session is led by one that it cannot see.
#[test]
fn a_session_led_from_outside_the_pid_namespace_costs_nothing() {
    let namespace = ["-rpf", "--mount-proc"];
    let probe = ["-rpf", "--mount-proc", "true"];
    if !cargo::has("unshare", &probe, "ARMADILLO_REQUIRE_MOUNT") {
        return;
    }
    let suite = Suite::new("unshare").args(namespace).args([SUITE]);
    let ran = suite.args(HOLDS_IT).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(ran.stdout.contains("ok. 1 passed; 0 failed"));
}

#[test]
fn what_tests_print_does_not_move_the_cursor() {
    let test = ["plays_with_the_terminal", "--exact", "--include-ignored"];
    let printed = "\u{1b}]0;mine\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[0m \u{1b}[10A10%\r20% \u{fffe}\u{ffff}\u{9b}2J.\n";
    for (color, shown) in [
        (
            "always",
            "\n    \u{1b}[31mred\u{1b}[0m 10%␍20% \u{fffe}\u{ffff}.\n    \u{1b}[32mgreen and so on\n",
        ),
        (
            "never",
            "\n    red 10%␍20% \u{fffe}\u{ffff}.\n    green and so on\n",
        ),
    ] {
        for isolation in ["workers", "process"] {
            let suite = Suite::new(SUITE).args(test);
            let ran = suite
                .args(["--color", color, "--isolation", isolation])
                .run();
            assert_eq!(ran.code, Some(101), "{}", ran.said());
            assert!(ran.stdout.contains(shown), "{:?}", ran.stdout);
            let tame = |text: &str| {
                let colors = text.split('\u{1b}').skip(1);
                let only_colors = colors.clone().all(|code| {
                    let end = code.find(|c: char| !"[;0123456789".contains(c));
                    end.is_some_and(|end| code[end..].starts_with('m'))
                });
                let others = text
                    .chars()
                    .filter(|c| c.is_control() && !"\n\t\u{1b}".contains(*c));
                only_colors && (color == "always" || colors.count() == 0) && others.count() == 0
            };
            assert!(tame(&ran.stdout), "{:?}", ran.stdout);
            assert!(tame(&ran.stderr), "{:?}", ran.stderr);
            // The files have it as it was; XML can be read.
            let output = ran.output("plays_with_the_terminal");
            assert!(output.starts_with(printed.as_bytes()), "{output:?}");
            let xml = String::from_utf8_lossy(&ran.file("junit.xml")).into_owned();
            assert!(xml.contains("red 10%␍20% \u{fffd}\u{fffd}."), "{xml}");
            let forbidden =
                |c: char| c < ' ' && !"\t\n\r".contains(c) || c == '\u{fffe}' || c == '\u{ffff}';
            assert!(!xml.contains(forbidden), "{xml}");
            assert_eq!(ran.junit().tests, 1);
        }
    }
}
