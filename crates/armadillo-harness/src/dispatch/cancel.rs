//! The end of a run before its tests have ended: those that run are told, and say their last words.
//!
//! A run that is over (Ctrl-C, its time limit) waits for nothing. One that has seen enough failures ends what runs, and then
//! goes on to its end as any other does.

use std::time::Duration;

use tokio::sync::watch;

use crate::judge::Ran;
use crate::outcome::FailureKind;

/// How long the last words may take. The person who pressed Ctrl-C waits for them.
const LIMIT: Duration = Duration::from_millis(500);

/// How long a test may take to say where it is, when the run's time limit ends it. Nobody waits at a keyboard then.
pub(super) const ASKED: Duration = Duration::from_secs(4);

/// Tells the slots of a run that it is over, and learns when they have said what there is to say.
pub(super) struct Cancel {
    /// What becomes of every test that runs then.
    ends: watch::Sender<Option<End>>,
    /// How many slots have a test whose end was not reported yet.
    busy: watch::Sender<usize>,
}

/// What ends the tests that run.
#[derive(Clone)]
struct End {
    cut_off: Ran,
    /// Nobody waits for anything any more.
    at_once: bool,
}

/// A slot has a test for as long as it holds this.
pub(super) struct Busy<'a>(&'a Cancel);

impl Cancel {
    pub(super) fn new() -> Self {
        Self {
            ends: watch::Sender::new(None),
            busy: watch::Sender::new(0),
        }
    }

    /// A slot has a test from now on.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.busy.send_modify(|busy| *busy += 1);
        Busy(self)
    }

    /// Waits until the tests that run are to end; gives what becomes of one that still runs. Cancel-safe.
    pub(super) async fn reached(&self) -> Ran {
        self.wait_for(|_| true).await.cut_off
    }

    /// Waits until the run is over and nothing is waited for any more. Cancel-safe.
    pub(super) async fn abandoned(&self) {
        self.wait_for(|end| end.at_once).await;
    }

    async fn wait_for(&self, wanted: impl Fn(&End) -> bool) -> End {
        let mut ends = self.ends.subscribe();
        let reached = ends.wait_for(|end| end.as_ref().is_some_and(&wanted)).await;
        match reached.as_deref() {
            Ok(Some(end)) => end.clone(),
            // The sender lives as long as this does.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Whether the tests that run are to end.
    pub(super) fn is_reached(&self) -> bool {
        self.ends.borrow().is_some()
    }

    /// Whether the run is over and nothing is waited for any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ends.borrow().as_ref().is_some_and(|end| end.at_once)
    }

    /// Ends the tests that run; the run goes on without them.
    pub(super) fn end_tests(&self, kind: FailureKind, why: String) {
        let cut_off = cut_off(kind, why);
        self.ends.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(End {
                cut_off,
                at_once: false,
            });
            first
        });
    }

    /// Ends the tests that run, and waits a moment until all are reported.
    pub(super) async fn reach(&self, kind: FailureKind, why: String) {
        let cut_off = cut_off(kind, why);
        self.ends.send_modify(|end| {
            // What ended the tests first is what they are told.
            end.get_or_insert(End {
                cut_off,
                at_once: true,
            })
            .at_once = true;
        });
        let mut busy = self.busy.subscribe();
        // Whoever has not said it by then is named as not run.
        let limit = if kind == FailureKind::TimedOut {
            LIMIT + ASKED
        } else {
            LIMIT
        };
        let _ = tokio::time::timeout(limit, busy.wait_for(|busy| *busy == 0)).await;
    }
}

fn cut_off(kind: FailureKind, why: String) -> Ran {
    let at = Vec::new();
    Ran::CutOff { kind, why, at }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}
