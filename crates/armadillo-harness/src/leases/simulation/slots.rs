//! Slots that all clients share: never too many of them are used, and none is free while somebody could use it.

use super::super::{ClientNo, Input};
use super::world::{Pending, World};

impl World {
    /// In how many slots tests run, or are about to.
    fn busy(&self) -> usize {
        let prepares = |pending: &&Pending| matches!(pending, Pending::Prepare(_));
        let prepared = self.pending.iter().filter(prepares).count();
        let there = self.clients.values().filter(|client| !client.gone);
        let plain: usize = there.map(|client| client.stints).sum();
        self.running.len() + self.beginning.len() + prepared + plain
    }

    pub(super) fn check_slots(&self) {
        let Some(slots) = self.slots else {
            return;
        };
        let busy = self.busy();
        assert!(busy <= slots, "{busy} tests run in {slots} slots");
        let mut polls = self.clients.values().flat_map(|client| &client.polls);
        let waits = polls.any(|poll| self.polls_for_plain.contains(poll));
        assert!(
            !waits || busy == slots,
            "somebody waits, and {busy} of {slots} slots are used"
        );
    }

    /// A client frees a slot in which it has run tests without deployments; whether there was one.
    pub(super) fn end_a_stint(&mut self) -> bool {
        let there = self.clients.iter().filter(|(_, client)| !client.gone);
        let busy = there.filter(|(_, client)| client.stints > 0);
        let busy: Vec<ClientNo> = busy.map(|(no, _)| *no).collect();
        // Tests with deployments end as well.
        if busy.is_empty() || self.random.chance(30) {
            return false;
        }
        let client = busy[self.random.below(busy.len())];
        self.clients.get_mut(&client).expect("it is there").stints -= 1;
        self.feed(Input::SlotFreed { client });
        true
    }
}
