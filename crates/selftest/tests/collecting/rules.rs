//! `[[rule]]`: markers for tests that have a fixture, a name or a source file.

use super::{listed, suite, with_file};

const FILE: &str = r#"
[[rule]]
markers = ["slow"]
fixture = "Users"

[[rule]]
markers = "large"
name = "shop and not large"
path = "src/bin/collecting.rs"
"#;

#[test]
fn a_rule_adds_markers_before_tests_are_selected() {
    let ran = with_file(FILE, &["--list", "-m", "slow"]);
    // One has the fixture through another one.
    assert_eq!(
        listed(&ran),
        ["shop::counts", "shop::has_accounts"],
        "{}",
        ran.said()
    );
    assert_eq!(ran.stderr, "");
    let ran = with_file(FILE, &["--list", "-m", "large and not slow"]);
    assert_eq!(listed(&ran), ["shop::sleeps", "shop::takes_large_orders"]);
    // `slow` does what it always does, also for a single test.
    for more in [&[][..], &["--exact"]] {
        let ran = with_file(FILE, &[&["shop::counts"], more].concat());
        let line = "test shop::counts ... ignored, slow; --runslow runs it";
        assert!(ran.stdout.contains(line), "{}", ran.said());
        let ran = with_file(FILE, &[&["shop::counts", "--runslow"], more].concat());
        assert_eq!(ran.test("shop::counts")["markers"][0], "slow");
    }
    let plain = suite(&["--list", "-m", "slow"]).run();
    assert!(listed(&plain).is_empty());
}

#[test]
fn a_verbose_list_says_who_added_a_marker() {
    let ran = with_file(FILE, &["--list", "--verbose", "shop::"]);
    let stdout = ran.stdout.lines().map(|line| {
        // The place is that of the source.
        let place = line.trim_start().starts_with("at: ");
        if place { "    at: PLACE" } else { line }
    });
    let shown: Vec<&str> = stdout.collect();
    insta::assert_snapshot!("verbose_list", shown.join("\n"));
    let args = ["--list", "--verbose", "--format=json", "shop::counts"];
    let ran = with_file(FILE, &args);
    let line = ran
        .stdout
        .lines()
        .find(|line| line.contains("discovered"))
        .unwrap();
    let test: serde_json::Value = serde_json::from_str(line).unwrap();
    let expected = serde_json::json!([
        { "marker": "slow", "by": "armadillo.toml:3" },
        { "marker": "large", "by": "armadillo.toml:7" },
    ]);
    assert_eq!(test["markers"], expected, "{line}");
    let ran = with_file(FILE, &["--verbose", "first"]);
    let said = "warning: --verbose has no effect without --list\n";
    assert!(ran.stderr.contains(said), "{}", ran.said());
}

#[test]
fn a_rule_that_matches_nothing_is_noted() {
    let idle = "[[rule]]\nmarkers = \"slow\"\nname = \"nobody\"\n\n[[rule]]\nmarkers = \"slow\"\nfixture = \"Nobody\"\n";
    let ran = with_file(idle, &["first"]);
    let note = "armadillo: rules that match no test of this executable: armadillo.toml:2, armadillo.toml:6\n";
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(ran.stderr.contains(note), "{}", ran.said());
    // Of one test, nothing can be said.
    let ran = with_file(idle, &["--exact", "visits::first"]);
    assert!(!ran.stderr.contains("rules"), "{}", ran.said());
}

#[test]
fn what_is_wrong_with_a_rule_is_said_with_its_line() {
    let mut shown = String::new();
    for file in [
        "[[rule]]\nmarkers = \"slwo\"\nname = \"shop\"\n",
        "[[rule]]\nmarkers = \"slow and large\"\nname = \"shop\"\n",
        "[[rule]]\nmarkers = \"arango_cluster\"\nname = \"shop\"\n",
        "[[rule]]\nmarkers = []\nname = \"shop\"\n",
        "[[rule]]\nmarkers = \"slow\"\n",
        "[[rule]]\nmarkers = \"slow\"\nname = \"shop and\"\n",
        "[[rule]]\nmarkers = \"slow\"\nfixtures = \"Users\"\n",
        "[[rule]]\nmarkers = \"slow\"\nfixture = 3\n",
        "[[rule]]\nmarkers = \"slow\"\npath = \"\"\n",
        "[rule]\nmarkers = \"slow\"\nname = \"shop\"\n",
        "[profile.ci]\nrule = []\n",
    ] {
        let ran = with_file(file, &["--list"]);
        assert_eq!(ran.code, Some(2), "{file}{}", ran.said());
        let home = ran.home().display().to_string();
        shown.push_str(&format!("{file}{}\n", ran.stderr.replace(&home, "HOME")));
    }
    insta::assert_snapshot!("wrong_rules", shown);
}
