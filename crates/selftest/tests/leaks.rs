//! What tests leave behind on ArangoDB is found, named and removed, and a setting says how much that matters.

use armadillo_selftest::{Ran, Suite};

const SUITE: &str = env!("CARGO_BIN_EXE_leaks");

fn run(args: &[&str]) -> Ran {
    Suite::new(SUITE)
        .args(["--arangod", "emulator", "-n", "1"])
        .args(args)
        .run()
}

#[test]
fn what_carries_a_lease_is_found_by_its_name() {
    let ran = run(&["--skip", "transaction"]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    for (test, found) in [
        ("leaves_a_database", "databases left behind: left_"),
        ("leaves_a_user", "users left behind: left_"),
        (
            "leaves_a_collection",
            "collections left behind in _system: left_",
        ),
    ] {
        assert_eq!(ran.verdict(test), "leaked", "{}", ran.said());
        assert!(ran.message(test).contains(found), "{}", ran.message(test));
    }
    assert_eq!(ran.verdict("leaves_a_database_and_says_so"), "passed");
    let warning = "after leaves_a_database_and_says_so: databases left behind: left_";
    assert!(ran.stderr.contains(warning), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn a_setting_says_that_it_does_not_matter() {
    let ran = run(&["--exact", "leaves_a_database", "--checker", "databases=off"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
}

#[test]
fn who_had_a_server_alone_is_charged_with_everything_there() {
    let ran = run(&["of_any_name", "transaction_open", "--repeat", "2"]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    for (test, found) in [
        (
            "leaves_a_collection_of_any_name",
            "collections of _system that no test owns: same",
        ),
        ("leaves_a_transaction_open", "open transactions: _system/"),
    ] {
        // Each time it finds a server without what was left there the last time.
        for test in [test.to_owned(), format!("{test}#2")] {
            assert_eq!(ran.verdict(&test), "leaked", "{}", ran.said());
            assert!(
                ran.message(&test).starts_with(found),
                "{}",
                ran.message(&test)
            );
        }
    }
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn a_server_on_which_something_was_left_open_is_replaced() {
    let transaction = ["transaction", "--repeat", "2"];
    let ran = run(&transaction);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    for test in ["then_finds_no_transaction", "then_finds_no_transaction#2"] {
        assert_eq!(ran.verdict(test), "passed", "{}", ran.said());
    }
    let replaced = ran.events("deployment_recycled");
    assert!(!replaced.is_empty(), "{}", ran.said());
    let reason = replaced[0].to_string();
    assert!(reason.contains("open transactions: _system/"), "{reason}");

    let ran = run(&[&transaction[..], &["--checker", "transactions=off"]].concat());
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert_eq!(ran.events("deployment_recycled").len(), 0, "{}", ran.said());
}
