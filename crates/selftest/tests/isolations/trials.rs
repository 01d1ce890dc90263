//! Tests as trials of libtest-mimic (`--isolation none`): what it does not do by itself.

use armadillo_selftest::Ran;

use super::suite;

fn run(args: &[&str]) -> Ran {
    suite(&["--isolation", "none", "-n", "1"]).args(args).run()
}

/// The names of the tests in the lines of stdout, in their order.
fn tests(ran: &Ran) -> Vec<String> {
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("test "));
    let names = lines.filter_map(|line| Some(line.split_once(" ... ")?.0.trim_end().to_owned()));
    names.collect()
}

#[test]
fn they_can_be_shuffled() {
    let sorted = tests(&run(&["many"]));
    assert_eq!(sorted.len(), 6);
    assert!(sorted.is_sorted());
    let shuffled = tests(&run(&["many", "--shuffle", "--seed", "3"]));
    assert!(!shuffled.is_sorted(), "{shuffled:?}");
    assert_eq!(tests(&run(&["many", "--shuffle-seed", "3"])), shuffled);
    let other = tests(&run(&["many", "--shuffle", "--seed", "4"]));
    assert_ne!(other, shuffled);
}

#[test]
fn the_log_file_is_that_of_every_other_run() {
    let ran = run(&["many", "--logfile", "log"]);
    assert_eq!(tests(&ran).len(), 6, "{}", ran.said());
    let log = std::fs::read_to_string(ran.home().join("log")).unwrap_or_default();
    let expected = ["a", "b", "c", "d", "e", "f"].map(|case| format!("ok many::{case}\n"));
    assert_eq!(log, expected.concat());
}
