//! `xfail`: tests that are known to fail.

use super::{EVERYWHERE, suite};

#[test]
fn a_test_that_is_known_to_fail_is_skipped_and_fails_if_it_passes() {
    for isolation in EVERYWHERE {
        let args = [
            "--isolation",
            isolation,
            "known::",
            "--skip",
            "dies",
            "--retries",
            "1",
        ];
        let ran = suite(&args).run();
        assert_eq!(ran.code, Some(101), "{isolation} {}", ran.said());
        let skipped = |test: &str, why: &str| {
            assert_eq!(ran.verdict(test), "skipped", "{isolation} {test}");
            assert_eq!(ran.message(test), format!("failed as expected ({why}"));
        };
        skipped("known::fails", "prices are rounded down): 7 is not 8");
        skipped("known::may_fail", "one in ten is lost): it is lost");
        assert_eq!(ran.verdict("known::may_pass"), "passed");
        assert_eq!(ran.verdict("known::passes"), "failed");
        let message = ran.message("known::passes");
        let says = "it passed, but is expected to fail: prices are rounded down\n";
        assert!(message.starts_with(says), "{message}");
    }
}

#[test]
fn a_process_that_dies_is_an_expected_failure() {
    for isolation in ["workers", "process"] {
        let ran = suite(&["--isolation", isolation, "known::dies"]).run();
        assert_eq!(ran.verdict("known::dies"), "skipped", "{}", ran.said());
        let message = ran.message("known::dies");
        assert!(message.contains("(the process dies): "), "{message}");
        assert_eq!(ran.code, Some(0));
    }
}
