//! What is said of copies of deployments, in the header of a run and in its plan.

use super::paint::time;
use crate::event::{CopiesReason, PlannedCopies};

/// `copies: 2 of tally cluster(members = 3); the run ends about 12.0 s sooner: after 19.2 s instead of 31.2 s`.
#[must_use]
pub(crate) fn copies_line(copies: &PlannedCopies) -> String {
    let of = copies.of.iter();
    let of: Vec<String> = of
        .map(|(topology, count)| format!("{count} of {topology}"))
        .collect();
    let of = if of.is_empty() {
        "one of each deployment".to_owned()
    } else {
        of.join(", ")
    };
    format!(
        "copies: {of}; {}{}",
        why(copies.why),
        no_room(copies.why, copies.no_room_in_mib)
    )
}

fn why(why: CopiesReason) -> String {
    match why {
        CopiesReason::Said { copies } => format!("--copies {copies}"),
        CopiesReason::NothingRecorded => {
            "`auto` needs the durations of an earlier run, and none are recorded yet".to_owned()
        }
        CopiesReason::NobodyWaits => "no test has to wait for a deployment".to_owned(),
        CopiesReason::DoesNotPay => "starting more would take longer than it saves".to_owned(),
        CopiesReason::Pays {
            ends_us,
            instead_of_us,
        } => format!("the run finishes {}", sooner(ends_us, instead_of_us)),
        CopiesReason::WouldPay {
            ends_us,
            instead_of_us,
        } => format!(
            "with more, the run would finish {}",
            sooner(ends_us, instead_of_us)
        ),
    }
}

fn sooner(ends_us: u64, instead_of_us: u64) -> String {
    format!(
        "about {} sooner: in {} instead of {}",
        time(instead_of_us.saturating_sub(ends_us)),
        time(ends_us),
        time(instead_of_us)
    )
}

fn no_room(why: CopiesReason, mib: Option<u64>) -> String {
    let Some(mib) = mib else {
        return String::new();
    };
    let what = match why {
        CopiesReason::WouldPay { .. } => "but more do not fit",
        CopiesReason::Said { .. } => "limited to what fits",
        _ => "more do not fit",
    };
    format!(", {what} into {mib} MiB of memory (raise it with --memory)")
}
