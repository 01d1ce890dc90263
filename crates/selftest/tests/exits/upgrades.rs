//! Upgrades that fail say why at once, and their controls do not fail.

use crate::run;

/// Each test that must fail, and what it must say in its first ten lines; those that must pass.
const FAILING: [(&str, &str); 3] = [
    (
        "upgrades::without_a_snapshot",
        "unmarshal should never fail",
    ),
    (
        "upgrades::two_learners_of_3_5_16",
        "too many learner members in cluster",
    ),
    (
        "upgrades::asked_for_its_health",
        "detected disallowed v2 WAL",
    ),
];
const PASSING: [&str; 3] = [
    "upgrades::with_a_snapshot",
    "upgrades::two_learners_of_3_5_35",
    "upgrades::not_asked_for_its_health",
];

/// `just long` gets the versions first.
#[test]
#[ignore = "takes minutes and needs four versions of etcd"]
fn upgrades_that_fail_say_why() {
    let ran = run(&["upgrades", "--runslow"]);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    for (test, why) in FAILING {
        assert_eq!(ran.verdict(test), "failed", "{}", ran.said());
        let block = format!("---- {test} ----");
        let said = ran.stderr.split_once(&block).map_or("", |(_, said)| said);
        let first: Vec<&str> = said.lines().take(10).collect();
        assert!(
            first.join("\n").contains(why),
            "{test}\n{}",
            first.join("\n")
        );
    }
    for test in PASSING {
        assert_eq!(ran.verdict(test), "passed", "{}", ran.said());
    }
}
