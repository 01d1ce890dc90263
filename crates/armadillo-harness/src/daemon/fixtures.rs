//! Fixtures kept per deployment: made once, their serialised values handed to every worker.

use std::collections::HashMap;

use crate::protocol::daemon::Claimed;

/// The fixtures of one deployment, by type.
#[derive(Default)]
pub(super) struct Fixtures(HashMap<String, Fixture>);

enum Fixture {
    /// Being set up under this lease.
    Claimed(String),
    Ready(serde_json::Value),
    Failed(String),
}

impl Fixtures {
    /// The answer to a claim under `lease`; `None` while another test sets it up.
    pub(super) fn claim(&mut self, fixture: &str, lease: &str) -> Option<Claimed> {
        match self.0.get(fixture) {
            None => {
                self.0
                    .insert(fixture.to_owned(), Fixture::Claimed(lease.to_owned()));
                Some(Claimed::Yours)
            }
            Some(Fixture::Claimed(holder)) => (holder == lease).then_some(Claimed::Yours),
            Some(Fixture::Ready(value)) => Some(Claimed::Ready(value.clone())),
            Some(Fixture::Failed(error)) => Some(Claimed::Failed(error.clone())),
        }
    }

    /// The outcome of a set-up; it counts only from the test that claimed it.
    pub(super) fn settle(
        &mut self,
        fixture: &str,
        lease: &str,
        outcome: Result<serde_json::Value, String>,
    ) -> bool {
        let claimed =
            matches!(self.0.get(fixture), Some(Fixture::Claimed(holder)) if holder == lease);
        if claimed {
            let settled = match outcome {
                Ok(value) => Fixture::Ready(value),
                Err(error) => Fixture::Failed(error),
            };
            self.0.insert(fixture.to_owned(), settled);
        }
        claimed
    }

    /// A lease ended: what it had claimed and not settled is free again.
    pub(super) fn lease_ended(&mut self, lease: &str) {
        self.0
            .retain(|_, fixture| !matches!(fixture, Fixture::Claimed(holder) if holder == lease));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_free_again_when_its_holder_ends_without_settling() {
        let mut fixtures = Fixtures::default();
        assert!(matches!(fixtures.claim("Users", "a"), Some(Claimed::Yours)));
        assert!(fixtures.claim("Users", "b").is_none());
        fixtures.lease_ended("a");
        assert!(matches!(fixtures.claim("Users", "b"), Some(Claimed::Yours)));
        assert!(!fixtures.settle("Users", "a", Ok(1.into())));
        assert!(fixtures.settle("Users", "b", Ok(2.into())));
        assert!(matches!(fixtures.claim("Users", "c"), Some(Claimed::Ready(value)) if value == 2));
    }
}
