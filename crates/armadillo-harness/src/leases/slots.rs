//! Slots that clients share: how many tests run at once is then decided here, over all of them. A lease takes a slot from its grant to
//! the end of its test. What is left is for tests that need no deployment; a client has a slot for these until it frees it.

use super::client::Client;
use super::{Action, ClientNo, Leases, Moment};

impl Leases {
    pub(super) fn joined(&mut self, client: ClientNo, slots: usize, shared: Option<usize>) {
        self.clients.insert(client, Client::new(slots));
        self.slots = self.slots.max(shared.map(|slots| slots.max(1)));
    }

    pub(super) fn slot_freed(&mut self, client: ClientNo) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.plain = client.plain.saturating_sub(1);
        }
    }

    /// Whether one more test may run.
    pub(super) fn has_free_slot(&self) -> bool {
        self.slots.is_none_or(|slots| self.running() < slots)
    }

    /// How many tests run, or are about to.
    fn running(&self) -> usize {
        let leases = self.leases.values().filter(|lease| lease.ended.is_none());
        let plain = self.clients.values().map(|client| client.plain);
        leases.count() + plain.sum::<usize>()
    }

    /// Gives the slots that no lease can use to those who have tests that need no deployment: who has waited longest comes first.
    pub(super) fn assign_plain(&mut self, now: Moment) {
        while self.has_free_slot() {
            let served = |no: &ClientNo| self.clients.get(no).map(|client| client.served);
            let waiting = self.polls.iter().filter(|(_, poll)| poll.plain);
            let first = waiting.min_by_key(|(no, poll)| (served(&poll.client), **no));
            let Some((&poll, of)) = first else {
                return;
            };
            let of = of.client;
            self.polls.remove(&poll);
            if let Some(client) = self.clients.get_mut(&of) {
                client.plain += 1;
                client.served = now;
                self.out.push(Action::Plain { poll });
            }
        }
    }
}
