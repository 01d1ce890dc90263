//! A test that failed, or passed only on a retry, measured by what the history has recorded of it.

use super::model::{Model, TestRecord};
use crate::history::{Odds, Outcome};

/// `None` for a test that passed at once, ended in a way that says nothing of it, or of which too little is known.
pub(super) fn of(model: &Model, test: &TestRecord) -> Option<Odds> {
    let counts = Outcome::of(test.verdict(), false).is_some_and(|ended| ended != Outcome::Passed);
    if !counts && !test.is_flaky() {
        return None;
    }
    model.planned(&test.name)?.recorded.map(Odds::of)
}
