//! What a test, or a retry of it, has for itself is what is said.

use super::{EVERYWHERE, suite};

/// The isolation of each attempt, and whether it ran in another worker than the one before.
fn attempts(isolation: &str, test: &str) -> Vec<(String, bool)> {
    let args = ["--exact", test, "--retries", "3", "--isolation", isolation];
    let ran = suite(&args).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let mut before = None;
    let finished = ran.events("test_finished");
    let attempts = finished.iter().map(|attempt| {
        let worker = attempt["worker"].as_u64();
        let other = worker.is_some()
            && before
                .replace(worker)
                .is_some_and(|before| before != worker);
        let said = attempt["isolation"].as_str().unwrap_or_default();
        (said.to_owned(), other)
    });
    attempts.collect()
}

#[test]
fn the_events_say_what_a_retry_had_for_itself() {
    for isolation in EVERYWHERE {
        let processes = matches!(isolation, "workers" | "process");
        let expect = |words: [&str; 4]| {
            let attempts = words.into_iter().enumerate();
            let attempts = attempts.map(|(at, word)| (word.to_owned(), processes && at > 0));
            attempts.collect::<Vec<_>>()
        };
        let (plain, on_a_server) = if processes {
            (
                [
                    "as_declared",
                    "other_process",
                    "other_process",
                    "other_process",
                ],
                ["as_declared", "other_process", "alone", "fresh"],
            )
        } else {
            (
                ["as_declared"; 4],
                ["as_declared", "alone", "fresh", "fresh"],
            )
        };
        let test = "retried::three_times";
        assert_eq!(attempts(isolation, test), expect(plain), "{isolation}");
        let test = "retried::three_times_on_a_server";
        assert_eq!(
            attempts(isolation, test),
            expect(on_a_server),
            "{isolation}"
        );
    }
}

#[test]
fn a_test_that_wants_a_process_of_its_own_and_gets_none_is_named() {
    for isolation in EVERYWHERE {
        let ran = suite(&["alone::", "--isolation", isolation]).run();
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        let named = ran.stderr.contains("with the others: alone::a, alone::b");
        let processes = matches!(isolation, "workers" | "process");
        assert_eq!(named, !processes, "{}", ran.said());
    }
}
