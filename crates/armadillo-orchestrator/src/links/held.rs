//! Where something is held: who looks at a deployment meanwhile asks nothing for which its servers must ask each other. What that
//! sets in motion could change what a test has arranged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::order::{Direction, LinkFault, LinkOrder};

/// The directions of links on which something is held. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct HeldLinks(Arc<Mutex<BTreeSet<Direction>>>);

impl HeldLinks {
    /// Whether there is such a direction.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.directions().is_empty()
    }

    /// An order is in force. One for a single stream leaves the others held.
    pub(crate) fn follow(&self, order: &LinkOrder) {
        let mut held = self.directions();
        match order.fault {
            LinkFault::Hold => held.extend(order.directions.iter().cloned()),
            LinkFault::Release | LinkFault::Heal if order.stream.is_none() => {
                for direction in &order.directions {
                    held.remove(direction);
                }
            }
            _ => {}
        }
    }

    /// All faults were undone.
    pub(crate) fn clear(&self) {
        self.directions().clear();
    }

    fn directions(&self) -> MutexGuard<'_, BTreeSet<Direction>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::End;
    use super::*;

    #[test]
    fn held_is_what_was_not_released() {
        let server = |name: &str| End::Server(name.into());
        let one = Direction::new(server("a"), server("b"));
        let back = Direction::new(server("b"), server("a"));
        let order = |directions: &[&Direction], fault, stream: Option<&str>| LinkOrder {
            directions: directions.iter().map(|one| (*one).clone()).collect(),
            stream: stream.map(str::to_owned),
            fault,
        };
        let held = HeldLinks::default();
        held.follow(&order(&[&one], LinkFault::Cut, None));
        assert!(!held.any());
        held.follow(&order(&[&one, &back], LinkFault::Hold, None));
        held.clone()
            .follow(&order(&[&back], LinkFault::Release, None));
        assert!(held.any());
        held.follow(&order(&[&one], LinkFault::Release, Some("message")));
        assert!(held.any());
        held.follow(&order(&[&one], LinkFault::Heal, None));
        assert!(!held.any());
        held.follow(&order(&[&one], LinkFault::Hold, None));
        held.clear();
        assert!(!held.any());
    }
}
