//! What programs have said of their versions, for all parts of a run: under nextest each test is one, and none need ask again.

use std::path::Path;

use armadillo_orchestrator::Answers;

use crate::regular;
use crate::report::write_whole;

/// The file in the directory of the whole run.
const FILE: &str = "programs.json";

/// A version takes some hundred bytes.
const LONGEST: u64 = 1 << 20;

/// What the parts of the run in this directory know; nothing if it is no part, or the first.
pub(super) fn known(whole: Option<&Path>) -> Answers {
    let read = whole.and_then(|whole| regular::read(&whole.join(FILE), LONGEST).ok());
    let known = read.and_then(|text| serde_json::from_slice(&text).ok());
    known.unwrap_or_default()
}

/// Tells the others what this part has found out.
pub(super) fn tell(whole: Option<&Path>, answers: &Answers) {
    if let Some(whole) = whole.filter(|_| answers.has_new()) {
        // Without it, they ask for themselves.
        _ = write_whole(&whole.join(FILE), |file| {
            Ok(serde_json::to_writer(file, answers)?)
        });
    }
}
