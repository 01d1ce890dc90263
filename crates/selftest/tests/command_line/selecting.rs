//! Which tests run, in which order, how often.

use super::{run, suite, tests};

const EMPTY: &str = "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 18 filtered out; finished in 0.00s\n\n";

#[test]
fn nothing_found() {
    for (args, code, said) in [
        (
            &["nosuch"][..],
            0,
            "warning: no tests were selected; 18 were filtered out (set --no-tests to change whether this is an error)\n",
        ),
        (&["nosuch", "--no-tests=pass"], 0, ""),
        (
            &["nosuch", "--no-tests=warn"],
            0,
            "warning: no tests were selected; 18 were filtered out (set --no-tests to change whether this is an error)\n",
        ),
        (
            &["nosuch", "--no-tests=fail"],
            4,
            "error: no tests were selected; 18 were filtered out (set --no-tests to change whether this is an error)\n",
        ),
    ] {
        let ran = run(args);
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (Some(code), EMPTY, said),
            "{args:?}"
        );
    }
    let ran = suite(&["--exact", "nosuch"]).env("NEXTEST", "1").run();
    assert_eq!(ran.code, Some(4), "{}", ran.said());
}

#[test]
fn filters_and_markers() {
    let names = |args: &[&str]| {
        let mut names = tests(&run(args));
        names.sort();
        names
    };
    assert_eq!(
        names(&["pass::one::a", "pass::one::b"]),
        ["pass::one::a", "pass::one::b"]
    );
    assert_eq!(names(&["--exact", "pass::prints"]), ["pass::prints"]);
    assert_eq!(names(&["-m", "smoke_test and not slow"]), ["pass::prints"]);
    assert_eq!(
        names(&["-k", "PASS and not one", "--skip=another"]),
        ["pass::prints", "pass::slowly"]
    );
    assert_eq!(
        names(&["pass", "--ignored"]),
        ["pass::another_day", "pass::slowly"]
    );
    let ran = run(&["-m", "slow"]);
    assert!(
        ran.stdout.contains("test pass::slowly ... ignored, slow"),
        "{}",
        ran.said()
    );
    let ran = run(&["-m", "slow", "--runslow"]);
    assert!(
        ran.stdout.contains("test pass::slowly ... ok"),
        "{}",
        ran.said()
    );
}

#[test]
fn a_topology_selects_the_tests_that_need_it() {
    let listed = |topology: &str| run(&["--topology", topology, "--list", "endless"]).stdout;
    assert_eq!(
        listed("none").lines().next(),
        Some("endless::with_a_child: test")
    );
    let tally = listed("tally servers(servers = 1)");
    assert!(
        tally.starts_with("endless::on_a_server: test\n") && !tally.contains("with_a_child"),
        "{tally}"
    );
    assert_eq!(listed("tally servers( servers=1 )"), tally);
    // Ignored tests, too, belong to their topology.
    let ignored = run(&["--topology", "none", "another"]);
    assert!(ignored.stdout.contains("1 ignored"), "{}", ignored.said());
    let nothing = run(&["--topology", "tally"]);
    assert!(
        nothing.stderr.contains("no tests were selected"),
        "{}",
        nothing.said()
    );
}

#[test]
fn failures_end_the_run_early() {
    for (args, failed) in [
        (&["-x"][..], 1),
        (&["--fail-fast"], 1),
        (&["--maxfail", "2"], 2),
    ] {
        let ran = run(&[&["fail", "-n", "1"], args].concat());
        assert_eq!(ran.code, Some(101), "{}", ran.said());
        assert!(
            ran.stdout.contains(&format!("0 passed; {failed} failed;")),
            "{}",
            ran.said()
        );
        let not_run = ran.results()["not_run"].as_array().map(Vec::len);
        assert_eq!(not_run, Some(4 - failed), "{}", ran.said());
    }
}

#[test]
fn a_seed_shuffles_in_the_same_way() {
    let order = |seed: &str| tests(&run(&["pass::one", "-n", "1", "--shuffle", "--seed", seed]));
    let orders: Vec<Vec<String>> = (1..=4).map(|seed: u32| order(&seed.to_string())).collect();
    assert_eq!(order("1"), orders[0]);
    assert!(orders.iter().any(|other| *other != orders[0]), "{orders:?}");
    assert_eq!(
        tests(&run(&["pass::one", "-n", "1", "--shuffle-seed", "1"])),
        orders[0]
    );
}

#[test]
fn a_test_may_be_repeated() {
    let ran = run(&["pass::one::a", "--repeat", "3", "-n", "1"]);
    assert_eq!(
        tests(&ran),
        ["pass::one::a", "pass::one::a#2", "pass::one::a#3"]
    );
    assert!(ran.stdout.contains("3 passed;"), "{}", ran.said());
}
