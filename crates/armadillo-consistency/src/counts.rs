//! Whether a round counts: what was in flight when a fault took effect, and whether that fault replaced the leader.

use std::time::Duration;

use tokio::time::Instant;

use crate::fault::Fault;
use crate::history::{Action, History, Moment, Operation};
use crate::round::{AT_ONCE, Broken, Played, Round};
use crate::servers::Servers;
use crate::subject::{Leadership, Subject, Wrote};
use crate::wait::{InVain, until};

/// A fault that was injected.
pub(crate) struct Injected {
    /// The last moment before it.
    pub(crate) begun: Moment,
    /// The first moment at which it was seen.
    pub(crate) seen: Moment,
    pub(crate) since: Instant,
    /// Between the first and the last server that was seen to be hit.
    pub(crate) spread: Duration,
}

impl<S: Subject, V: Servers> Round<'_, S, V> {
    /// Whether the first fault of a round allows it to count, and whether that was enough.
    pub(crate) async fn judge(
        &self,
        before: &Leadership,
        injected: &Injected,
        replaced: bool,
        played: &mut Played,
    ) -> Result<(), Broken> {
        let under_way = self.under_way(injected);
        played.in_flight = under_way.len();
        let is_met = self.concerns(&under_way, &before.group).await?;
        played.replaced = is_met && replaced;
        if !is_met && self.fault.is_in_mid_write() {
            played.not_counted = Some("no write was in flight at the fault".to_owned());
        } else if self.fault == Fault::KillLeaderAndFollower
            && injected.spread > self.waits.slowed(AT_ONCE)
        {
            played.not_counted = Some(format!(
                "the two servers died {:.1?} apart",
                injected.spread
            ));
        }
        Ok(())
    }

    /// The writes that were surely under way when a fault took effect.
    pub(crate) fn under_way(&self, injected: &Injected) -> Vec<Operation> {
        let History { mut operations, .. } = self.recorder.history();
        operations.retain(|operation| injected.met(operation));
        operations
    }

    /// Whether one of these operations is on data of this group.
    pub(crate) async fn concerns(
        &self,
        operations: &[Operation],
        group: &str,
    ) -> Result<bool, InVain> {
        for operation in operations {
            let led = || self.subject.leadership(&operation.key);
            let led = until(&self.waits, &format!("a leader of {}", operation.key), led).await?;
            if led.group == group {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Injected {
    /// Whether a write was surely under way when the fault took effect: it was invoked before, and it was answered after
    /// the fault was seen, or without a result.
    fn met(&self, operation: &Operation) -> bool {
        let Action::Write { wrote, .. } = &operation.action else {
            return false;
        };
        let is_unknown = !matches!(wrote, Some(Wrote::Acknowledged | Wrote::Refused(_)));
        let end = if is_unknown { self.begun } else { self.seen };
        operation.invoked < self.begun && operation.returned.is_none_or(|returned| returned > end)
    }
}
