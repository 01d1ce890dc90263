//! The list of failures that are expected, and the comparison with those that happened.
//!
//! The list is a file of sections, each with the reason of the failures below it:
//!
//! ```text
//! [AQL]
//! all                   Test_Cursor/*/Close
//! cluster open-cluster  Test_Plan/*
//! ```
//!
//! In front are the deployments on which the test fails; `*` stands for one part of the name.
//! In a section whose reason begins with `not in the stand-in`, every failure shows an answer of the
//! emulator that says so.

use std::fmt::Write;

use super::verdicts::{Ending, Verdicts};

/// What the emulator answers where it lacks something.
const LACKS: &str = "the emulator does not implement";

/// One line of the list.
#[derive(Debug)]
struct Line {
    pattern: String,
    reason: String,
}

/// The lines of the list that apply to a deployment.
#[derive(Debug)]
pub(crate) struct Expected(Vec<Line>);

impl Expected {
    /// The lines for this deployment.
    pub(crate) fn read(text: &str, deployment: &str) -> Self {
        let mut lines = Vec::new();
        let mut reason = "";
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(text) = line.strip_prefix('[') {
                reason = text.trim_end_matches(']');
                continue;
            }
            let mut words: Vec<&str> = line.split_whitespace().collect();
            let pattern = words.pop().unwrap_or_default();
            assert!(!reason.is_empty(), "a failure without a reason: {line}");
            assert!(!words.is_empty(), "on which deployments? {line}");
            if words.contains(&deployment) || words == ["all"] {
                lines.push(Line {
                    pattern: String::from(pattern),
                    reason: String::from(reason),
                });
            }
        }
        Self(lines)
    }

    /// Only what concerns a run without the tests whose names begin like one of these.
    pub(crate) fn without(mut self, beginnings: &[&str]) -> Self {
        let is_run = |line: &Line| !beginnings.iter().any(|name| line.pattern.starts_with(name));
        self.0.retain(is_run);
        self
    }

    /// The line that expects this failure.
    fn line(&self, name: &str) -> Option<&Line> {
        self.0.iter().find(|line| matches(&line.pattern, name))
    }

    /// What is not as the list says, as a text; empty if everything is.
    pub(crate) fn compare(&self, verdicts: &Verdicts) -> String {
        let mut wrong = String::new();
        let failures = verdicts.failures();
        for name in &failures {
            let verdict = &verdicts.0[*name];
            let problem = match (self.line(name), verdict.ending) {
                (_, Ending::Lost) => "did not end",
                (None, _) => "failed, and is not on the list",
                (Some(line), _)
                    if line.reason.starts_with("not in the stand-in")
                        && !verdict.output.contains(LACKS) =>
                {
                    "failed for another reason than the list says"
                }
                _ => continue,
            };
            // Writing into a string cannot fail.
            let _ = write!(wrong, "{name}: {problem}\n{}\n", verdict.output);
        }
        for line in &self.0 {
            let fits = |name: &&str| matches(&line.pattern, name);
            if !failures.iter().any(fits) {
                let _ = writeln!(wrong, "{}: on the list, and did not fail", line.pattern);
            }
            for (name, verdict) in &verdicts.0 {
                if verdict.ending == Ending::Passed && matches(&line.pattern, name) {
                    let _ = writeln!(wrong, "{name}: passed, and is on the list");
                }
            }
        }
        wrong
    }

    /// How many failures have which reason.
    pub(crate) fn reasons(&self, verdicts: &Verdicts) -> Vec<(String, usize)> {
        let mut reasons: Vec<(String, usize)> = Vec::new();
        for name in verdicts.failures() {
            let reason = self.line(name).map_or("none", |line| &line.reason);
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((String::from(reason), 1)),
            }
        }
        reasons
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.split('/'), name.split('/'));
    loop {
        match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(part)) if wanted == part => {}
            _ => return false,
        }
    }
}

#[test]
fn what_is_not_as_listed_is_told() {
    let list = "# a comment\n[not in the stand-in: AQL]\nall  A/*\n[nothing]\ncluster  B\n";
    let lacks = format!("    a.go:1: {LACKS} AQL\n");
    let run =
        |text: &str, deployment| Expected::read(list, deployment).compare(&Verdicts::read(text));
    let test = |name: &str, ending: &str, output: &str| {
        format!("\u{16}=== RUN   {name}\n{output}\u{16}--- {ending}: {name} (0.00s)\n")
    };
    let expected = test("A/1", "FAIL", &lacks) + &test("A/2", "FAIL", &lacks);
    assert_eq!(run(&expected, "single"), "");
    let cluster = run(&expected, "cluster");
    assert!(
        cluster.contains("B: on the list, and did not fail"),
        "{cluster}"
    );
    let surprise = run(&(expected.clone() + &test("C", "FAIL", "")), "single");
    assert!(surprise.contains("C: failed, and is not on the list"));
    let mended = run(
        &(test("A/1", "FAIL", &lacks) + &test("A/2", "PASS", "")),
        "single",
    );
    assert_eq!(mended, "A/2: passed, and is on the list\n");
    let other = run(&(expected.clone() + &test("A/3", "FAIL", "500")), "single");
    assert!(other.contains("A/3: failed for another reason"));
    let lost = run(&(expected + "\u{16}=== RUN   A/4\n"), "single");
    assert!(lost.contains("A/4: did not end"));
    let gone = run("", "single");
    assert!(gone.contains("A/*: on the list, and did not fail"));
    let all = Expected::read(list, "cluster");
    let fewer = all.without(&["A", "C"]).compare(&Verdicts::read(""));
    assert_eq!(fewer, "B: on the list, and did not fail\n");
}
