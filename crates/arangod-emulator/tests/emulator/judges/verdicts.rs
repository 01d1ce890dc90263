//! What a test program of Go said of each of its tests.

use std::collections::BTreeMap;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It did not want to run.
    Skipped,
    /// It began, and the program ended before it did.
    Lost,
}

/// One test, and what it printed.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) ending: Ending,
    pub(crate) output: String,
}

/// All tests by name; a subtest is `Test/Subtest`.
#[derive(Debug, Default)]
pub(crate) struct Verdicts(pub(crate) BTreeMap<String, Verdict>);

/// `-test.v=test2json` marks the lines that do not come from tests with this letter.
const MARK: char = '\u{16}';

impl Verdicts {
    /// Reads the output of a program that was started with `-test.v=test2json`.
    pub(crate) fn read(text: &str) -> Self {
        let mut verdicts = Self::default();
        let mut speaks = String::new();
        for line in text.lines() {
            // The mark may come behind the text of a test that ended without a line break.
            let (before, marked) = match line.split_once(MARK) {
                Some((before, marked)) => (before, Some(marked)),
                None => (line, None),
            };
            verdicts.says(&speaks, before);
            let Some(marked) = marked else { continue };
            let mut words = marked.split_whitespace();
            let (kind, what, name) = (words.next(), words.next(), words.next());
            let name = name.unwrap_or_default();
            match (kind, what) {
                (Some("==="), Some("RUN")) => {
                    verdicts.entry(name);
                    speaks = String::from(name);
                }
                (Some("==="), _) => speaks = String::from(name),
                (Some("---"), Some(ending)) => {
                    speaks = String::from(name);
                    if let Some(verdict) = verdicts.entry(name) {
                        verdict.ending = match ending {
                            "PASS:" => Ending::Passed,
                            "SKIP:" => Ending::Skipped,
                            _ => Ending::Failed,
                        };
                    }
                }
                _ => {}
            }
        }
        verdicts
    }

    fn entry(&mut self, name: &str) -> Option<&mut Verdict> {
        if name.is_empty() {
            return None;
        }
        let lost = || Verdict {
            ending: Ending::Lost,
            output: String::new(),
        };
        Some(self.0.entry(String::from(name)).or_insert_with(lost))
    }

    fn says(&mut self, name: &str, line: &str) {
        if let Some(verdict) = self.0.get_mut(name)
            && !line.is_empty()
        {
            verdict.output.push_str(line);
            verdict.output.push('\n');
        }
    }

    /// The tests that failed and that no failed subtest explains.
    pub(crate) fn failures(&self) -> Vec<&str> {
        let bad = |verdict: &Verdict| matches!(verdict.ending, Ending::Failed | Ending::Lost);
        let failed = self.0.iter().filter(|(_, verdict)| bad(verdict));
        failed
            .map(|(name, _)| name.as_str())
            .filter(|name| {
                let below = format!("{name}/");
                !self
                    .0
                    .iter()
                    .any(|(other, verdict)| other.starts_with(&below) && bad(verdict))
            })
            .collect()
    }

    /// How many tests that are no subtests ended so.
    pub(crate) fn count(&self, ending: Ending) -> usize {
        let ended =
            |(name, verdict): &(&String, &Verdict)| !name.contains('/') && verdict.ending == ending;
        self.0.iter().filter(ended).count()
    }
}

#[test]
fn output_of_go_is_read() {
    let text = "\u{16}=== RUN   A\n    a.go:1: hello\n\u{16}=== PAUSE A\n\u{16}=== RUN   B\n\u{16}=== RUN   B/x\n\
        \u{16}=== NAME  A\n    a.go:2: again\n\u{16}=== NAME  B/x\n    b.go:1: no\n\u{16}--- FAIL: B/x (0.00s)\n\
        \u{16}--- FAIL: B (0.01s)\n\u{16}=== NAME  \n\u{16}=== CONT  A\nno line break\u{16}--- PASS: A (1.00s)\n\
        \u{16}=== RUN   C\n\u{16}--- SKIP: C (0.00s)\n\u{16}=== RUN   D\npanic: oh\n";
    let verdicts = Verdicts::read(text);
    assert_eq!(verdicts.failures(), ["B/x", "D"]);
    assert_eq!(verdicts.0["A"].ending, Ending::Passed);
    assert_eq!(
        verdicts.0["A"].output,
        "    a.go:1: hello\n    a.go:2: again\nno line break\n"
    );
    assert_eq!(verdicts.0["B/x"].output, "    b.go:1: no\n");
    assert_eq!(verdicts.0["D"].ending, Ending::Lost);
    assert_eq!(verdicts.count(Ending::Skipped), 1);
}
