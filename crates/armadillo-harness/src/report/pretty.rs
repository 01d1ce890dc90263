//! libtest's pretty format: a line for each test.

use super::libtest::{self, Printer, seconds};
use super::model::{Model, TestRecord};
use super::paint::{Paint, one_line};
use crate::options::Showing;
use crate::outcome::Verdict;

pub(super) struct Pretty {
    pub(super) paint: Paint,
    pub(super) report_time: bool,
}

impl Printer for Pretty {
    fn title(&mut self, out: &mut String, count: usize, shuffle_seed: Option<u64>) {
        libtest::title(out, count, shuffle_seed);
    }

    fn ignored(&mut self, out: &mut String, name: &str, reason: &str) {
        let word = self.paint.yellow("ignored");
        let reason = one_line(reason);
        let comma = if reason.is_empty() { "" } else { ", " };
        out.push_str(&format!("test {name} ... {word}{comma}{reason}\n"));
    }

    fn started(&mut self, _out: &mut String, _name: &str) {}

    /// What follows `ok` stands between `<` and `>`, as libtest's own `--report-time` does it, so that tools read on.
    fn finished(&mut self, out: &mut String, _model: &Model, test: &TestRecord) {
        let word = match test.verdict() {
            Verdict::Skipped { reason } => return self.ignored(out, &test.name, reason),
            Verdict::Passed => self.paint.green("ok"),
            Verdict::Failed { .. } => self.paint.red("FAILED"),
        };
        out.push_str(&format!("test {} ... {word}", test.name));
        if self.report_time {
            let us = test.last().map_or(0, |last| last.finished.times.total);
            out.push_str(&format!(" <{:.3}s>", seconds(us)));
        }
        if test.is_flaky() {
            out.push_str(&format!(" <flaky: attempt {}>", test.attempts.len()));
        }
        out.push('\n');
    }

    fn end(&mut self, out: &mut String, model: &Model, showing: &Showing) {
        libtest::end(out, model, showing, self.paint);
    }
}
