//! How each test of the suite must end.

/// Every test, its verdict, and what its message must contain.
pub(crate) const EXPECTED: &[(&str, &str, &str)] = &[
    ("dying::passes", "passed", ""),
    ("dying::aborts", "crashed", "SIGABRT (signal 6)"),
    (
        "dying::overflows_the_stack",
        "crashed",
        "SIGABRT (signal 6)",
    ),
    (
        "dying::loops_without_end",
        "timed_out",
        "within 8s; its process tree was killed",
    ),
    (
        "dying::sleeps_for_an_hour",
        "timed_out",
        "within 8s; its process tree was killed",
    ),
    ("dying::exits_with_zero", "crashed", "exit code 0"),
    (
        "dying::is_killed_by_a_signal",
        "crashed",
        "SIGKILL (signal 9)",
    ),
    ("dying::passes_at_the_second_attempt", "passed", ""),
    ("dying::never_passes", "failed", "attempt 2 failed"),
    (
        "fixtures::an_async_body_over_time",
        "timed_out",
        "the test did not finish within 8s",
    ),
    ("fixtures::a_body_that_panics", "failed", "in the body"),
    ("fixtures::a_set_up_that_fails", "set_up", "no luck"),
    (
        "fixtures::a_teardown_that_fails",
        "tear_down",
        "the fixture Sticky: it sticks",
    ),
    (
        "fixtures::a_body_and_a_teardown_that_fail",
        "failed",
        "the body came first\ntear-down also failed: the fixture Sticky: it sticks",
    ),
    ("leftovers::changes_the_directory", "passed", ""),
    ("leftovers::changes_the_environment", "passed", ""),
    ("leftovers::leaves_a_thread", "passed", ""),
    ("leftovers::leaves_a_child", "passed", ""),
    ("leftovers::leaves_a_daemon", "passed", ""),
    (
        "printing::panics_after_a_megabyte",
        "failed",
        "after a megabyte",
    ),
    ("printing::prints_binary_junk", "failed", "after junk"),
    (
        "printing::prints_without_end",
        "too_much_output",
        "more than 64 MiB",
    ),
    ("printing::closes_its_stdout", "passed", ""),
    (
        "printing::prints_to_both_streams_in_order",
        "failed",
        "at the end",
    ),
    (
        "servers::crashes_a_server",
        "server_crashed",
        "tally-1: SIGABRT (signal 6)",
    ),
    (
        "servers::was_there_when_it_crashed",
        "server_crashed",
        "tally-1: SIGABRT (signal 6)",
    ),
    ("servers::finds_both_servers", "passed", ""),
    (
        "servers::its_server_cannot_start",
        "error",
        "exit code 2: called wrongly\nlast lines of its log:\n  usage: tally ADDRESS",
    ),
    ("servers::leaves_a_counter", "leaked", ".counter is 7"),
    ("servers::leaves_a_counter_and_says_so", "passed", ""),
    ("servers::leaves_a_counter_unseen", "passed", ""),
    (
        "servers::makes_its_server_complain",
        "leaked",
        "tally-1 logged: nothing works",
    ),
    ("servers::fails_in_one_way", "failed", "one way"),
    ("servers::fails_in_its_own_way", "failed", "its own way"),
    ("servers::adds_up_and_cleans_up", "passed", ""),
    ("words::panics_as_it_should", "passed", ""),
    ("words::panics_with_the_right_words", "passed", ""),
    (
        "words::panics_with_other_words",
        "failed",
        "did not contain the expected string `the right words`",
    ),
    (
        "words::does_not_panic",
        "failed",
        "test did not panic as expected",
    ),
    ("words::skips", "skipped", "needs 9000 cores"),
    (
        "words::finds_nothing_out",
        "inconclusive",
        "only 3 of 7 rounds count",
    ),
    (
        "words::returns_that_it_found_nothing_out",
        "inconclusive",
        "nobody came",
    ),
    (
        "words::returns_an_error",
        "failed",
        "number too large to fit in target type",
    ),
];
