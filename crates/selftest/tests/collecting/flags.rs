//! `armadillo::flags!`: flags of a suite's own.

use super::{EVERYWHERE, suite, with_file};

const SEVEN: &str = "flags::there_are_seven_customers";
const FLAGS: [&str; 5] = [
    "--customers",
    "7",
    "--night",
    "--only-shops=a",
    "--only-shops=b",
];

#[test]
fn a_flag_reaches_tests_and_fixtures_wherever_they_run() {
    for isolation in EVERYWHERE {
        let place = ["--isolation", isolation];
        let ran = suite(&[&place, &FLAGS[..], &["flags::"]].concat()).run();
        assert_eq!(ran.verdict(SEVEN), "passed", "{isolation} {}", ran.said());
        let three = "flags::there_are_three_customers";
        assert_eq!(ran.verdict(three), "failed");
        let ran = suite(&[&place[..], &[three]].concat()).run();
        assert_eq!(ran.verdict(three), "passed", "{isolation} {}", ran.said());
    }
    for (variable, value) in [("NEXTEST", "1"), ("SELFTEST_MAIN", "own")] {
        let ran = suite(&["--exact", SEVEN, "--nocapture"])
            .env(variable, value)
            .env("ARMADILLO_CUSTOMERS", "7")
            .env("ARMADILLO_NIGHT", "true")
            .env("ARMADILLO_ONLY_SHOPS", "a;b")
            .run();
        assert_eq!(ran.code, Some(0), "{variable} {}", ran.said());
        assert_eq!(ran.verdict(SEVEN), "passed", "{variable}");
    }
}

#[test]
fn a_flag_is_set_in_the_file_and_by_a_profile() {
    let file = "[flags]\ncustomers = 6\nonly-shops = [\"a\", \"b\"]\nnight = true\nof_others = 1\n\
                [profile.ci.flags]\ncustomers = 7\n";
    let ran = with_file(file, &["--profile", "ci", SEVEN]);
    assert_eq!(ran.verdict(SEVEN), "passed", "{}", ran.said());
    let ran = with_file(file, &[SEVEN]);
    assert!(ran.message(SEVEN).contains("(6, 6)"), "{}", ran.said());
}

#[test]
fn a_failed_test_is_run_again_with_its_flags() {
    let ran = suite(&["--customers", "8", SEVEN]).run();
    let again = format!("--exact {SEVEN} --seed ");
    let line = ran.stderr.lines().find(|line| line.contains(&again));
    assert!(
        line.is_some_and(|line| line.ends_with("--customers 8")),
        "{}",
        ran.said()
    );
}

#[test]
fn help_shows_the_flags_and_wrong_values_are_refused() {
    let ran = suite(&["--help"]).run();
    let (_, flags) = ran.stdout.split_once("\nFlags of this suite:\n").unwrap();
    let first = "  --customers N\n      How many customers there are. [default: 3]\n  --night\n      Also run";
    assert!(flags.starts_with(first), "{flags}");
    let ran = suite(&["--list"]).env("ARMADILLO_CUSTOMERS", "many").run();
    let said = "error: ARMADILLO_CUSTOMERS: `many` is not a whole number from 0 to 4294967295\n\
                help: write a value of the type `u32`; the flag is declared at ";
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with(said), "{}", ran.said());
    let ran = suite(&["--custmers", "3"]).run();
    assert!(ran.stderr.contains("'--customers'"), "{}", ran.said());
}
