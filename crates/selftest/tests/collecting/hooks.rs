//! `#[armadillo::collect]`: functions of a suite that see each test when it is collected.

use super::{EVERYWHERE, listed, suite};

#[test]
fn a_hook_adds_markers_and_puts_tests_in_order() {
    // With ignored tests, which are put among the others, and without.
    for args in [&["--list"][..], &["--list", "--skip", "sleeps"]] {
        let ran = suite(args).run();
        let names = listed(&ran);
        assert_eq!(
            names.first(),
            Some(&"visits::first"),
            "{args:?} {}",
            ran.said()
        );
        assert_eq!(names.last(), Some(&"shop::takes_large_orders"), "{args:?}");
    }
    let ran = suite(&["--list", "-m", "large"]).run();
    assert_eq!(listed(&ran), ["shop::takes_large_orders"]);
    for isolation in EVERYWHERE {
        let args = ["--isolation", isolation, "-n", "1", "shop::", "first"];
        let ran = suite(&args).run();
        let started = ran.events("test_started");
        let names: Vec<&str> = (started.iter())
            .filter_map(|started| started["test"].as_str())
            .collect();
        assert_eq!(
            names.first(),
            Some(&"visits::first"),
            "{isolation} {}",
            ran.said()
        );
        assert_eq!(
            names.last(),
            Some(&"shop::takes_large_orders"),
            "{isolation}"
        );
    }
    // Random within the order that hooks want.
    let ran = suite(&["-n", "1", "--shuffle", "--seed", "3", "shop::", "first"]).run();
    assert_eq!(ran.events("test_started")[0]["test"], "visits::first");
}

#[test]
fn a_hook_ignores_a_test_wherever_it_runs() {
    let reason = "runs at night: --night";
    for isolation in EVERYWHERE {
        let ran = suite(&["--isolation", isolation, "shop::sleeps"]).run();
        let ignored = ran.events("test_ignored");
        assert_eq!(ignored.len(), 1, "{isolation} {}", ran.said());
        assert_eq!(ignored[0]["reason"], reason);
        let ran = suite(&["--isolation", isolation, "shop::sleeps", "--night"]).run();
        assert_eq!(ran.verdict("shop::sleeps"), "passed", "{isolation}");
    }
    let ran = suite(&["shop::sleeps", "--include-ignored"]).run();
    assert_eq!(ran.verdict("shop::sleeps"), "passed");
    let ran = suite(&["--list", "--ignored", "--format", "terse"]).run();
    assert_eq!(ran.stdout, "shop::sleeps: test\n");
    // `skip!` in a hook is the same.
    let ran = suite(&["shop::counts", "--only-shops", "Trier"]).run();
    assert_eq!(ran.events("test_ignored")[0]["reason"], "not in Trier");
}

#[test]
fn nextest_sees_what_hooks_say() {
    let nextest = |args: &[&str]| suite(args).env("NEXTEST", "1");
    let ran = nextest(&["--list", "--format", "terse", "--ignored"]).run();
    assert_eq!(ran.stdout, "shop::sleeps: test\n");
    let one = ["shop::sleeps", "--exact", "--nocapture"];
    let ran = nextest(&one).run();
    assert!(ran.stdout.contains("1 ignored"), "{}", ran.said());
    let ran = nextest(&one).env("ARMADILLO_NIGHT", "true").run();
    assert!(ran.stdout.contains("1 passed"), "{}", ran.said());
}

#[test]
fn a_hook_that_does_wrong_is_named() {
    let mut shown = String::new();
    for wrong in ["panic", "slwo", "slow and", "arango_cluster"] {
        // The same for all tests and for one.
        for more in [&["--list"][..], &["--exact", "shop::counts"]] {
            let ran = suite(&[&["--wrong", wrong], more].concat()).run();
            assert_eq!(ran.code, Some(2), "{wrong} {}", ran.said());
            let (_, error) = ran.stderr.split_once("error: ").unwrap();
            if more.len() == 1 {
                shown.push_str(&format!("{error}\n"));
            } else {
                assert!(shown.ends_with(&format!("{error}\n")), "{error}");
            }
        }
    }
    let line = |line: &str| match line.split_once("collecting.rs:") {
        Some((file, _)) => format!("{file}collecting.rs:LINE"),
        None => line.to_owned(),
    };
    let shown: Vec<String> = shown.lines().map(line).collect();
    insta::assert_snapshot!("wrong_hooks", shown.join("\n"));
}
