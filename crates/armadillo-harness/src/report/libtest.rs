//! What libtest's pretty and terse formats have in common: the first line, the list of failures, the result.

use super::block::failure_block;
use super::model::{Model, TestRecord};
use super::paint::Paint;
use super::terminal::tamed;
use crate::options::Showing;
use crate::outcome::Verdict;

/// One of libtest's formats, writing to a text that goes to stdout at once.
pub(super) trait Printer: Send {
    /// The run begins: this many tests are shown, in this random order if there is a seed.
    fn title(&mut self, out: &mut String, count: usize, shuffle_seed: Option<u64>);
    /// A test is ignored.
    fn ignored(&mut self, out: &mut String, name: &str, reason: &str);
    /// An attempt of a test begins.
    fn started(&mut self, out: &mut String, name: &str);
    /// A test ended for good.
    fn finished(&mut self, out: &mut String, model: &Model, test: &TestRecord);
    /// The run is over.
    fn end(&mut self, out: &mut String, model: &Model, showing: &Showing);
}

pub(super) fn title(out: &mut String, count: usize, shuffle_seed: Option<u64>) {
    let ending = if count == 1 { "" } else { "s" };
    let shuffled = match shuffle_seed {
        Some(seed) => format!(" (shuffle seed: {seed})"),
        None => String::new(),
    };
    out.push_str(&format!("\nrunning {count} test{ending}{shuffled}\n"));
}

/// Successes if they are wanted, failures, the result.
pub(super) fn end(out: &mut String, model: &Model, showing: &Showing, paint: Paint) {
    if showing.show_output {
        let passed = model
            .tests
            .iter()
            .filter(|test| *test.verdict() == Verdict::Passed);
        let mut passed: Vec<&TestRecord> = passed.collect();
        passed.sort_by(|a, b| a.name.cmp(&b.name));
        blocks(out, "successes", &passed, paint, |test| {
            let output = test.last().map(|last| last.finished.output.text.clone());
            output.unwrap_or_default()
        });
        names(out, "successes", &passed);
    }
    let failures = model.failures();
    if !failures.is_empty() {
        if showing.failure_output.is_final() {
            blocks(out, "failures", &failures, paint, |test| {
                failure_block(model, test)
            });
        }
        names(out, "failures", &failures);
    }
    result(out, model, paint);
}

fn blocks(
    out: &mut String,
    title: &str,
    tests: &[&TestRecord],
    paint: Paint,
    text_of: impl Fn(&TestRecord) -> String,
) {
    out.push_str(&format!("\n{title}:\n"));
    let mut first = true;
    for test in tests {
        let text = text_of(test);
        // Each for itself: no colour of one test runs on into the next.
        let text = tamed(&text, paint.0);
        if text.is_empty() {
            continue;
        }
        if std::mem::take(&mut first) {
            out.push('\n');
        }
        out.push_str(&format!("---- {} stdout ----\n{text}\n", test.name));
    }
}

fn names(out: &mut String, title: &str, tests: &[&TestRecord]) {
    out.push_str(&format!("\n{title}:\n"));
    for test in tests {
        out.push_str(&format!("    {}\n", test.name));
    }
}

fn result(out: &mut String, model: &Model, paint: Paint) {
    let counts = model.counts();
    let word = if is_success(model) {
        paint.green("ok")
    } else {
        paint.red("FAILED")
    };
    out.push_str(&format!(
        "\ntest result: {word}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; finished in {:.2}s\n\n",
        counts.passed,
        counts.not_passed(),
        counts.not_run(),
        filtered_out(model),
        seconds(model.now_us),
    ));
}

/// Whether the run as a whole is a success: no test failed, and it did not end early.
pub(super) fn is_success(model: &Model) -> bool {
    let passed = model
        .ending
        .as_ref()
        .is_some_and(|ending| ending.exit_code == 0);
    model.counts().not_passed() == 0 && passed
}

pub(super) fn filtered_out(model: &Model) -> u32 {
    model
        .started
        .as_ref()
        .map_or(0, |started| started.filtered_out)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a time to print; 2^53 µs are 285 years"
)]
pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
