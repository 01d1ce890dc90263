//! Clients: what they wish, in the order in which they wish it, and the polls that say how many tests they can run now.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::deployment::Deployment;
use super::{Action, ClientNo, DeploymentNo, Known, Leases, Moment, Offer, PollNo, Wish};
use crate::needs::LeaseMode;

/// How often clients that come later try what could not be had before.
const MOST_TRIES: u32 = 3;

/// The needs of a test: places in [`Leases::known`], with the kind of lease. Wishes of equal needs are granted alike.
pub(super) type Key = Vec<(usize, LeaseMode)>;

/// A process that runs tests.
pub(super) struct Client {
    /// How many tests it runs at once, at most.
    pub(super) slots: usize,
    /// Its wishes by what they need.
    pub(super) groups: BTreeMap<Key, Group>,
    /// Topologies it needs a deployment of until it leaves: places in [`Leases::known`].
    pub(super) keeps: BTreeSet<usize>,
    /// When it last got something: who has waited longest comes first.
    pub(super) served: Moment,
    /// In how many of the shared slots it runs tests that need no deployment.
    pub(super) plain: usize,
}

/// Wishes of equal needs, oldest first.
#[derive(Default)]
pub(super) struct Group {
    pub(super) wishes: VecDeque<Queued>,
    /// How long they are thought to take together, in microseconds.
    pub(super) expected_us: u64,
}

impl Group {
    /// The place of its oldest wish.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.wishes.front().map(|wish| wish.order)
    }

    /// Its oldest wish that may be granted.
    pub(super) fn next(&self) -> Option<&Queued> {
        self.wishes.iter().find(|wish| !wish.held)
    }
}

/// A wish that waits.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) ticket: u64,
    pub(super) test: Arc<str>,
    pub(super) expected_us: u64,
    pub(super) begins_later: bool,
    /// It is not granted before it is freed.
    pub(super) held: bool,
    pub(super) quiet: bool,
    /// Its place among all wishes: the smallest comes first.
    pub(super) order: i64,
    /// When it was made.
    pub(super) since: Moment,
}

/// Room for one test.
pub(super) struct Poll {
    pub(super) client: ClientNo,
    pub(super) since: Moment,
    /// Whether it waits until something can run.
    pub(super) wait: bool,
    /// Whether it waits for a slot for tests that need no deployment, too.
    pub(super) plain: bool,
}

impl Client {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            groups: BTreeMap::new(),
            keeps: BTreeSet::new(),
            served: 0,
            plain: 0,
        }
    }

    pub(super) fn withdraw(&mut self) {
        self.groups.clear();
        self.keeps.clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.groups.values().map(|group| group.wishes.len()).sum()
    }

    /// Puts a wish where its order says.
    pub(super) fn queue(&mut self, key: Key, wish: Queued) {
        let group = self.groups.entry(key).or_default();
        group.expected_us = group.expected_us.saturating_add(wish.expected_us);
        let at = group
            .wishes
            .partition_point(|other| other.order < wish.order);
        group.wishes.insert(at, wish);
    }

    /// Takes the oldest wish of a group that may be granted.
    pub(super) fn take(&mut self, key: &Key) -> Option<Queued> {
        let group = self.groups.get_mut(key)?;
        let at = group.wishes.iter().position(|wish| !wish.held)?;
        let wish = group.wishes.remove(at)?;
        group.expected_us = group.expected_us.saturating_sub(wish.expected_us);
        if group.wishes.is_empty() {
            self.groups.remove(key);
        }
        Some(wish)
    }

    /// A wish may be granted from now on.
    fn free(&mut self, ticket: u64) {
        let mut all = self.groups.values_mut().flat_map(|group| &mut group.wishes);
        if let Some(wish) = all.find(|wish| wish.ticket == ticket) {
            wish.held = false;
        }
    }
}

impl Leases {
    pub(super) fn wished(
        &mut self,
        now: Moment,
        client: ClientNo,
        offers: &[Offer],
        wishes: Vec<Wish>,
        keep: bool,
    ) {
        let known: Vec<usize> = offers.iter().map(|offer| self.know(offer)).collect();
        let wanted = |deployment: &&mut Deployment| known.contains(&deployment.topology);
        for deployment in self.deployments.values_mut().filter(wanted) {
            if std::mem::take(&mut deployment.is_old) {
                deployment.suspect("it is from an earlier run");
            }
        }
        self.stop_superseded(&known);
        if keep && let Some(client) = self.clients.get_mut(&client) {
            client.keeps.extend(&known);
        }
        for wish in wishes {
            let key: Key = (wish.needs.iter())
                .filter_map(|(at, mode)| Some((*known.get(*at)?, *mode)))
                .collect();
            self.next_order += 1;
            let queued = Queued {
                ticket: wish.ticket,
                test: wish.test,
                expected_us: wish.expected_us,
                begins_later: wish.begins_later,
                held: wish.held,
                quiet: wish.quiet,
                order: self.next_order,
                since: now,
            };
            if let Some(client) = self.clients.get_mut(&client)
                && !self.closed
            {
                client.queue(key, queued);
            }
        }
    }

    pub(super) fn freed(&mut self, client: ClientNo, ticket: u64) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.free(ticket);
        }
    }

    /// Stops what is left of earlier runs that had these topologies with other programs or settings: a run that wants them so does
    /// not come back, as a rule.
    fn stop_superseded(&mut self, wanted: &[usize]) {
        let is_superseded = |at: usize| {
            let same = |wanted: &usize| self.known[*wanted].topology == self.known[at].topology;
            !wanted.contains(&at) && wanted.iter().any(same)
        };
        let old = self
            .deployments
            .iter()
            .filter(|(_, on)| on.is_old && is_superseded(on.topology));
        let old: Vec<DeploymentNo> = old.map(|(no, _)| *no).collect();
        old.into_iter().for_each(|no| self.stop_idle(no));
    }

    /// The place of a topology among those known. What one client says of copies holds until another says more.
    fn know(&mut self, offer: &Offer) -> usize {
        let equal = |known: &Known| {
            known.topology == offer.topology
                && (known.conditions, known.apart) == (offer.conditions, offer.apart)
        };
        if let Some(at) = self.known.iter().position(equal) {
            let known = &mut self.known[at];
            known.copies = known.copies.max(offer.copies);
            // Another client may have more luck: what keeps servers from starting may be the moment.
            if self.lingers && known.failed.is_some() && known.tries < MOST_TRIES {
                known.failed = None;
                known.tries += 1;
            }
            return at;
        }
        self.known.push(Known {
            topology: offer.topology.clone(),
            conditions: offer.conditions,
            apart: offer.apart,
            takes: offer.takes,
            copies: offer.copies.max(1),
            failed: None,
            tries: 0,
            failures: Vec::new(),
        });
        self.known.len() - 1
    }

    /// The oldest poll of a client.
    pub(super) fn poll_of(&self, client: ClientNo) -> Option<PollNo> {
        let of_client = self.polls.iter().filter(|(_, poll)| poll.client == client);
        of_client.map(|(no, _)| *no).next()
    }

    /// Answers the polls that do not wait: nothing can run now.
    pub(super) fn answer_the_impatient(&mut self) {
        let impatient = self.polls.extract_if(.., |_, poll| !poll.wait);
        let nothing = impatient.map(|(poll, _)| Action::Nothing { poll });
        self.out.extend(nothing);
    }
}
