//! Tests that block their thread, which nobody can end: the run goes on, and says so.

use super::{EVERYWHERE, suite};

const TEST: &str = "endless::blocks";

/// An editor's "Run Test".
#[test]
fn one_test_with_nocapture_ends_at_its_time_limit() {
    let ran = suite(&[TEST, "--exact", "--nocapture", "--timeout", "300ms"]).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    assert_eq!(ran.verdict(TEST), "timed_out");
    let message = ran.message(TEST);
    assert!(
        message.contains("did not finish within 300ms") && message.contains("keeps running"),
        "{message}"
    );
    assert!(
        ran.stdout.contains("test endless::blocks ... FAILED"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn everywhere_it_ends_and_the_others_run() {
    for isolation in EVERYWHERE {
        // The limit is that of the other test, too.
        let args = ["--exact", TEST, "prints", "--timeout", "4s", "-n", "1"];
        let ran = suite(&args).args(["--isolation", isolation]).run();
        assert_eq!(ran.code, Some(101), "{}", ran.said());
        assert_eq!(ran.verdict(TEST), "timed_out", "{isolation}");
        assert_eq!(ran.verdict("prints"), "passed", "{isolation}");
        assert_eq!(ran.remains(), [""; 0]);
    }
}
