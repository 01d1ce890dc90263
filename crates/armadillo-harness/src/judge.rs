//! From evidence to the verdict over an attempt of a test. This is the one place where a verdict is made.

#[cfg(test)]
mod tests;

use armadillo_orchestrator::PostMortem;

use crate::failure::Failure;
use crate::options::IfInconclusive;
use crate::outcome::{FailureKind, Outcome, Verdict};
use crate::protocol::daemon::{Findings, Released};
use crate::protocol::worker::End;
use crate::test_def::{ExpectedFailure, ShouldPanic};
use crate::trace::Trace;

/// What became of an attempt, as its executor saw it.
#[derive(Clone, Debug)]
pub(crate) enum Ran {
    /// Its process reported how it ended.
    Reported {
        end: End,
        /// What went wrong in the teardown.
        complaints: Vec<Failure>,
        /// Whether its fixtures were left as they are.
        kept: bool,
        /// The limit that it had reached by then, if one, and where it was.
        late: Option<Failure>,
    },
    /// It reached a limit, and did not end when it was told to.
    Stuck {
        late: Failure,
        /// What was done about it.
        then: &'static str,
    },
    /// The process that ran it ended.
    Died { how: String },
    /// It printed more than so many MiB.
    TooMuchOutput { limit_mib: usize },
    /// What it printed cannot be read.
    OutputUnreadable { error: String },
    /// It could not be run.
    NotRun { why: String },
    /// The run was ended while it ran.
    CutOff {
        kind: FailureKind,
        why: String,
        /// Where it was, if it was asked.
        at: Vec<Trace>,
    },
}

/// What is held against an attempt, or not, besides what happened in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) should_panic: ShouldPanic,
    pub(crate) xfail: Option<ExpectedFailure>,
    pub(crate) if_inconclusive: IfInconclusive,
}

/// The verdict over an attempt: what its executor saw, and what the end of its lease brought to light.
pub(crate) fn judge(ran: &Ran, terms: Terms, released: &Released) -> Verdict {
    let verdict = judge_attempt(ran, terms, released);
    match terms.xfail {
        Some(expected) if !ran.is_cut_off() => turned(verdict, expected),
        _ => verdict,
    }
}

/// The verdict over a test that is known to fail. What the harness could not do, or what nobody found out, is not what was
/// expected of it.
fn turned(verdict: Verdict, expected: ExpectedFailure) -> Verdict {
    let ExpectedFailure { reason, strict } = expected;
    match verdict {
        Verdict::Failed {
            kind: FailureKind::Interrupted | FailureKind::Error | FailureKind::Inconclusive,
            ..
        } => verdict,
        Verdict::Failed { message, .. } => {
            let message = message.lines().next().unwrap_or_default();
            Verdict::Skipped {
                reason: format!("failed as expected ({reason}): {message}"),
            }
        }
        Verdict::Passed if strict => Verdict::failed(
            FailureKind::Failed,
            format!(
                "it passed, but is expected to fail: {reason}\nhelp: remove `xfail`, or allow both with `strict = false`"
            ),
        ),
        Verdict::Passed | Verdict::Skipped { .. } => verdict,
    }
}

/// The same without what is said of the test.
fn judge_attempt(ran: &Ran, terms: Terms, released: &Released) -> Verdict {
    let mut crashes = all(released, |found| &found.crashes);
    if !crashes.is_empty() {
        let found = released.on.values().flat_map(|found| &found.post_mortems);
        for line in found.flat_map(PostMortem::lines) {
            crashes = format!("{crashes}\n{line}");
        }
    }
    // One line has several; those of different deployments are told one below the other.
    let reported: Vec<&str> = (released.on.values())
        .flat_map(|found| found.sanitizers.iter().map(String::as_str))
        .collect();
    let reported = reported.join("\n");
    match ran.verdict(terms) {
        verdict @ (Verdict::Passed | Verdict::Skipped { .. }) => {
            let unmet = all(released, |found| &found.unmet);
            let leaks = all(released, |found| &found.leaks);
            let reported = match (reported.is_empty(), crashes.is_empty()) {
                (false, false) => format!("{reported}\n{crashes}"),
                _ => reported,
            };
            let causes = [
                (FailureKind::Sanitizer, reported),
                (FailureKind::ServerCrashed, crashes),
                (FailureKind::Failed, unmet),
                (FailureKind::Leaked, leaks),
            ];
            let worst = causes.into_iter().find(|(_, what)| !what.is_empty());
            worst.map_or(verdict, |(kind, message)| Verdict::failed(kind, message))
        }
        Verdict::Failed {
            kind,
            message,
            traces,
        } => {
            let meanwhile = [reported, crashes].into_iter();
            let meanwhile = meanwhile.filter(|what| !what.is_empty());
            let message = meanwhile.fold(message, |message, what| {
                format!("{message}\nduring the test: {what}")
            });
            Verdict::Failed {
                kind,
                message,
                traces,
            }
        }
    }
}

/// What was found on all deployments, in one line.
fn all(released: &Released, part: fn(&Findings) -> &Vec<String>) -> String {
    let found: Vec<&str> = (released.on.values())
        .flat_map(|found| part(found).iter().map(String::as_str))
        .collect();
    found.join("; ")
}

impl Ran {
    /// The verdict without what the end of its lease brings to light.
    fn verdict(&self, terms: Terms) -> Verdict {
        let (kind, failure) = match self {
            Self::Reported {
                end,
                complaints,
                late,
                ..
            } => {
                let verdict = match late {
                    Some(late) => Verdict::failed(FailureKind::TimedOut, late.clone()),
                    None => judge_end(end, terms),
                };
                return with_complaints(verdict, complaints);
            }
            Self::Stuck { late, then } => {
                let late = late.clone();
                (
                    FailureKind::TimedOut,
                    late.said(|late| format!("{late}; {then}")),
                )
            }
            Self::Died { how } => (
                FailureKind::Crashed,
                format!("the test process exited: {how}").into(),
            ),
            Self::TooMuchOutput { limit_mib } => (
                FailureKind::TooMuchOutput,
                format!("the test printed more than {limit_mib} MiB and was killed").into(),
            ),
            Self::OutputUnreadable { error } => (
                FailureKind::Error,
                format!("cannot read the output of the test: {error}").into(),
            ),
            Self::NotRun { why } => return Verdict::error(why.clone()),
            Self::CutOff { kind, why, at } => {
                let failure = Failure {
                    message: why.clone(),
                    traces: at.clone(),
                };
                (*kind, failure)
            }
        };
        Verdict::failed(kind, failure)
    }

    /// Why what it used is not to be trusted as it is, if so.
    pub(crate) fn suspect(&self) -> Option<String> {
        let terms = Terms {
            should_panic: ShouldPanic::No,
            xfail: None,
            if_inconclusive: IfInconclusive::Fail,
        };
        match self {
            Self::NotRun { .. } => None,
            Self::Reported { late, .. } => late
                .as_ref()
                .map(|late| format!("a test was stopped: {}", late.message)),
            Self::CutOff { .. } => Some("the run was stopped".to_owned()),
            _ => match self.verdict(terms) {
                Verdict::Failed { message, .. } => {
                    Some(format!("a test on it had to be killed: {message}"))
                }
                Verdict::Passed | Verdict::Skipped { .. } => None,
            },
        }
    }

    /// Whether it still ran when the tests that ran were ended.
    pub(crate) fn is_cut_off(&self) -> bool {
        matches!(self, Self::CutOff { .. })
    }

    /// Whether the run's time limit ended it.
    pub(crate) fn is_late(&self) -> bool {
        let kind = FailureKind::TimedOut;
        matches!(self, Self::CutOff { kind: found, .. } if *found == kind)
    }

    /// The same of a test that was there.
    pub(crate) fn found_at(mut self, traces: Vec<Trace>) -> Self {
        if let Self::CutOff { at, .. } = &mut self {
            *at = traces;
        }
        self
    }

    /// Whether its own process tore its fixtures down.
    pub(crate) fn is_torn_down(&self) -> bool {
        matches!(
            self,
            Self::Reported { kept: false, .. } | Self::NotRun { .. }
        )
    }
}

/// Whether this end alone fails the test, for the process that ran it.
pub(crate) fn is_failure(end: &End, should_panic: ShouldPanic) -> bool {
    let terms = Terms {
        should_panic,
        xfail: None,
        if_inconclusive: IfInconclusive::Fail,
    };
    judge_end(end, terms).is_failure()
}

fn judge_end(end: &End, terms: Terms) -> Verdict {
    let panics = terms.should_panic;
    match end {
        End::SetUp(why) => Verdict::failed(FailureKind::SetUp, why.clone()),
        End::TimeUp(when) => Verdict::failed(FailureKind::TimedOut, when.clone()),
        End::Impossible(why) => Verdict::error(why.clone()),
        End::Panicked(panic) => judge_panic(panic, panics),
        End::Returned(Outcome::Skipped(reason)) => Verdict::Skipped {
            reason: reason.clone(),
        },
        End::Returned(Outcome::Inconclusive(why)) => inconclusive(why, terms.if_inconclusive),
        End::Returned(Outcome::Passed) if panics == ShouldPanic::No => Verdict::Passed,
        End::Returned(Outcome::Passed) => {
            Verdict::failed(FailureKind::Failed, "test did not panic as expected")
        }
        End::Returned(Outcome::Failed(failure)) => {
            let failure = failure.clone();
            Verdict::failed(
                FailureKind::Failed,
                match panics {
                    ShouldPanic::No => failure,
                    _ => failure.said(|why| {
                        format!("test did not panic as expected; it returned an error: {why}")
                    }),
                },
            )
        }
    }
}

fn judge_panic(panic: &Failure, should_panic: ShouldPanic) -> Verdict {
    let failure = match should_panic {
        ShouldPanic::Yes => return Verdict::Passed,
        ShouldPanic::With(expected) if panic.message.contains(expected) => return Verdict::Passed,
        ShouldPanic::With(expected) => panic.clone().said(|message| {
            format!("panic did not contain the expected string `{expected}`: {message}")
        }),
        ShouldPanic::No => panic.clone(),
    };
    Verdict::failed(FailureKind::Failed, failure)
}

fn inconclusive(why: &str, is: IfInconclusive) -> Verdict {
    match is {
        IfInconclusive::Fail => Verdict::failed(FailureKind::Inconclusive, why),
        IfInconclusive::Ignore => {
            let first = why.lines().next().unwrap_or_default();
            Verdict::Skipped {
                reason: format!("inconclusive: {first}"),
            }
        }
    }
}

/// The verdict with what went wrong in the teardown, which fails a test that had not failed and never hides a failure.
fn with_complaints(verdict: Verdict, complaints: &[Failure]) -> Verdict {
    if complaints.is_empty() {
        return verdict;
    }
    match verdict {
        Verdict::Passed | Verdict::Skipped { .. } => {
            let messages: Vec<&str> = (complaints.iter())
                .map(|complaint| complaint.message.as_str())
                .collect();
            let traces = complaints.iter().flat_map(|complaint| &complaint.traces);
            let failure = Failure {
                message: messages.join("\n"),
                traces: traces.cloned().collect(),
            };
            Verdict::failed(FailureKind::TearDown, failure)
        }
        Verdict::Failed {
            kind,
            message,
            traces,
        } => {
            let complaints: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            let complaints = complaints.join("\n");
            Verdict::Failed {
                kind,
                message: format!("{message}\ntear-down also failed: {complaints}"),
                traces,
            }
        }
    }
}
