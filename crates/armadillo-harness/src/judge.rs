//! From evidence to the verdict over an attempt of a test. This is the one place where a verdict is made.

use crate::outcome::{FailureKind, Verdict};
use crate::protocol::daemon::{Findings, Released};

/// The verdict over an attempt: what its process came to, and what the end of its lease brought to light.
pub(crate) fn judge(attempt: Verdict, released: &Released) -> Verdict {
    let crashes = all(released, |found| &found.crashes);
    match attempt {
        Verdict::Passed | Verdict::Skipped { .. } => {
            let unmet = all(released, |found| &found.unmet);
            let leaks = all(released, |found| &found.leaks);
            let causes = [
                (FailureKind::ServerCrashed, crashes),
                (FailureKind::Failed, unmet),
                (FailureKind::Leaked, leaks),
            ];
            let worst = causes.into_iter().find(|(_, what)| !what.is_empty());
            worst.map_or(attempt, |(kind, message)| Verdict::Failed { kind, message })
        }
        Verdict::Failed { kind, message } if !crashes.is_empty() => Verdict::Failed {
            kind,
            message: format!("{message}\nwhile it ran: {crashes}"),
        },
        verdict @ Verdict::Failed { .. } => verdict,
    }
}

/// What was found on all deployments, in one line.
fn all(released: &Released, part: fn(&Findings) -> &Vec<String>) -> String {
    let found: Vec<&str> = (released.on.values())
        .flat_map(|found| part(found).iter().map(String::as_str))
        .collect();
    found.join("; ")
}
