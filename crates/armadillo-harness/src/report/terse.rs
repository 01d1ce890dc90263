//! libtest's terse format: a character for each test, failures by name.

use super::libtest::{self, Printer};
use super::model::{Model, TestRecord};
use super::paint::Paint;
use crate::options::Showing;
use crate::outcome::Verdict;

/// libtest's width of a line of characters.
const COLUMNS: usize = 88;

pub(super) struct Terse {
    paint: Paint,
    total: usize,
    done: usize,
    column: usize,
}

impl Terse {
    pub(super) fn new(paint: Paint) -> Self {
        Self {
            paint,
            total: 0,
            done: 0,
            column: 0,
        }
    }

    fn character(&mut self, out: &mut String, character: &str) {
        out.push_str(character);
        self.column += 1;
        self.done += 1;
        if self.column % COLUMNS == COLUMNS - 1 {
            self.progress(out);
        }
    }

    fn progress(&mut self, out: &mut String) {
        out.push_str(&format!(" {}/{}\n", self.done, self.total));
        self.column = 0;
    }
}

impl Printer for Terse {
    fn title(&mut self, out: &mut String, count: usize, shuffle_seed: Option<u64>) {
        self.total = count;
        libtest::title(out, count, shuffle_seed);
    }

    fn ignored(&mut self, out: &mut String, _name: &str, _reason: &str) {
        let character = self.paint.yellow("i");
        self.character(out, &character);
    }

    fn started(&mut self, _out: &mut String, _name: &str) {}

    fn finished(&mut self, out: &mut String, _model: &Model, test: &TestRecord) {
        match test.verdict() {
            Verdict::Passed => {
                let character = self.paint.green(".");
                self.character(out, &character);
            }
            Verdict::Skipped { reason } => self.ignored(out, &test.name, reason),
            Verdict::Failed { .. } => {
                if self.column > 0 {
                    self.progress(out);
                }
                self.done += 1;
                let word = self.paint.red("FAILED");
                out.push_str(&format!("{} --- {word}\n", test.name));
            }
        }
    }

    fn end(&mut self, out: &mut String, model: &Model, showing: &Showing) {
        libtest::end(out, model, showing, self.paint);
    }
}
