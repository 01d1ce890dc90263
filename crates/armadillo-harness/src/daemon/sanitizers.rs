//! What sanitizers have reported, in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use armadillo_orchestrator::SanitizerFinding;

/// How many different faults a test is told.
const MOST: usize = 5;

/// Each fault once, with where it was, how often it was reported and where the report is.
pub(super) fn in_words(found: &[SanitizerFinding]) -> Vec<String> {
    let mut faults: Vec<&SanitizerFinding> = Vec::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for finding in found {
        let count = times.entry(finding.to_string()).or_default();
        *count += 1;
        if *count == 1 {
            faults.push(finding);
        }
    }
    let mut words: Vec<String> = faults
        .iter()
        .take(MOST)
        .map(|finding| {
            let count = times.get(&finding.to_string()).copied().unwrap_or(1);
            in_lines(finding, count)
        })
        .collect();
    if faults.len() > MOST {
        words.push(format!("{} more", faults.len() - MOST));
    }
    words
}

fn in_lines(finding: &SanitizerFinding, times: usize) -> String {
    let mut text = finding.to_string();
    if times > 1 {
        let _ = write!(text, " ({times} times)");
    }
    for frame in finding.frames.iter().skip(1) {
        let _ = write!(text, "\n  {frame}");
    }
    let _ = write!(text, "\n  report: {}", finding.file.display());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_once() {
        let finding = |what: &str, frames: &[&str]| SanitizerFinding {
            server: "s-1".into(),
            what: what.to_owned(),
            frames: frames.iter().map(|frame| (*frame).to_owned()).collect(),
            file: "/d/sanitizer.47".into(),
        };
        let race = finding(
            "ThreadSanitizer: data race",
            &["put at a.c:1", "main at a.c:9"],
        );
        let leak = finding("LeakSanitizer: detected memory leaks", &[]);
        let words = in_words(&[race.clone(), leak, race]);
        let expected = [
            "s-1: ThreadSanitizer: data race in put at a.c:1 (2 times)\n  main at a.c:9\n  report: /d/sanitizer.47",
            "s-1: LeakSanitizer: detected memory leaks\n  report: /d/sanitizer.47",
        ];
        assert_eq!(words, expected);
        let many: Vec<SanitizerFinding> = (0..8).map(|n| finding(&n.to_string(), &[])).collect();
        assert_eq!(in_words(&many).last().map(String::as_str), Some("3 more"));
    }
}
