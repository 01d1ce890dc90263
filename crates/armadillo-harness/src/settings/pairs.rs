//! Pairs of settings for one thing.

use std::collections::BTreeMap;

use super::error::{Source, UsageError};
use super::setting::Settled;
use super::value::last;

/// How strongly a value counts: the command line the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    CommandLine,
    Environment,
    File,
    Libtest,
}

/// Leaves one setting of each pair. The one said more strongly counts; said equally strongly, they must agree.
pub(super) fn settle_pairs(
    found: &mut BTreeMap<&'static str, (Rank, Settled)>,
) -> Result<(), UsageError> {
    for (one, other, reason, help) in [
        (
            "parallel",
            "test-threads",
            "both set the number of tests that run at once",
            "remove one of them",
        ),
        (
            "seed",
            "shuffle-seed",
            "both set the seed of the run",
            "remove one of them; `--shuffle-seed N` is short for `--shuffle --seed N`",
        ),
        (
            "format",
            "quiet",
            "`--quiet` is short for `--format terse`",
            "remove one of them",
        ),
        (
            "ignored",
            "include-ignored",
            "one runs only ignored tests, the other runs them together with all others",
            "remove one of them",
        ),
    ] {
        let (Some((rank, a)), Some((other_rank, b))) = (found.get(one), found.get(other)) else {
            continue;
        };
        match rank.cmp(other_rank) {
            std::cmp::Ordering::Less => _ = found.remove(other),
            std::cmp::Ordering::Greater => _ = found.remove(one),
            std::cmp::Ordering::Equal if agree(one, &a.values, &b.values) => {}
            std::cmp::Ordering::Equal => {
                return Err(UsageError::Contradiction {
                    one: said(one, a),
                    other: said(other, b),
                    reason: reason.to_owned(),
                    help: help.to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn agree(one: &str, a: &[String], b: &[String]) -> bool {
    let off = |values: &[String]| matches!(last(values), "false" | "0" | "no" | "off");
    match one {
        "format" => last(a) == "terse" || off(b),
        "ignored" => off(a) || off(b),
        _ => last(a) == last(b),
    }
}

/// `--test-threads 3`, or the place in the file.
fn said(name: &str, settled: &Settled) -> String {
    match &settled.source {
        Source::CommandLine(flag) if matches!(name, "quiet" | "ignored" | "include-ignored") => {
            format!("`{flag}`")
        }
        Source::CommandLine(flag) => format!("`{flag} {}`", last(&settled.values)),
        Source::Variable(variable) => format!("`{variable}={}`", last(&settled.values)),
        Source::Code { .. } | Source::File { .. } => {
            format!("{} = {}", settled.source, last(&settled.values))
        }
    }
}
