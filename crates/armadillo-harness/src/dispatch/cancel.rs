//! The end of a run before its tests have ended: those that run are told, and say their last words.

use std::time::Duration;

use tokio::sync::watch;

use crate::judge::Ran;
use crate::outcome::FailureKind;

/// How long the last words may take. The person who pressed Ctrl-C waits for them.
const LIMIT: Duration = Duration::from_millis(500);

/// Tells the slots of a run that it is over, and learns when they have said what there is to say.
pub(super) struct Cancel {
    /// What becomes of every test that runs then.
    ends: watch::Sender<Option<Ran>>,
    /// How many slots have a test whose end was not reported yet.
    busy: watch::Sender<usize>,
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

    /// Waits for the end of the run; gives what becomes of a test that still runs. Cancel-safe.
    pub(super) async fn reached(&self) -> Ran {
        let mut ends = self.ends.subscribe();
        let reached = ends.wait_for(Option::is_some).await;
        match reached.as_deref() {
            Ok(Some(cut_off)) => cut_off.clone(),
            // The sender lives as long as this does.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Whether it was reached.
    pub(super) fn is_reached(&self) -> bool {
        self.ends.borrow().is_some()
    }

    /// Ends the tests that run, and waits a moment until all are reported.
    pub(super) async fn reach(&self, kind: FailureKind, why: String) {
        self.ends.send_replace(Some(Ran::CutOff { kind, why }));
        let mut busy = self.busy.subscribe();
        // Whoever has not said it by then is named as not run.
        let _ = tokio::time::timeout(LIMIT, busy.wait_for(|busy| *busy == 0)).await;
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}
