//! Which wish is granted next.
//!
//! Wishes are looked at in order. One that cannot be granted although its deployments are there holds its places: on one
//! deployment nobody who came later gets in its way. Among those that can be granted, the client that has waited longest
//! comes first, and of its wishes the one that would make the run end last if it waited: whose deployment has most left to
//! do, or which takes longest itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::client::Key;
use super::deployment::{Deployment, State};
use super::{Action, ClientNo, DeploymentNo, Lease, LeaseNo, Leases, Moment};
use crate::needs::LeaseMode;
use crate::resources::Resources;

/// What an older wish leaves to younger ones on a deployment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// Those that share.
    ForSharing,
    /// Nothing.
    Whole,
}

/// What can be done for the head of a group.
enum Turn {
    /// Its deployments are free.
    Grant(Vec<DeploymentNo>),
    /// Its deployments cannot be had.
    Refuse(String),
}

struct Candidate {
    client: ClientNo,
    key: Key,
    turn: Turn,
}

/// The head of a group of a client that has a poll.
struct Head {
    order: i64,
    expected_us: u64,
    client: ClientNo,
    key: Key,
}

impl Leases {
    /// Grants and refuses until nothing more can be.
    pub(super) fn assign(&mut self, now: Moment) {
        while !self.polls.is_empty()
            && self.has_free_slot()
            && let Some(candidate) = self.next_candidate()
        {
            let Some(poll) = self.poll_of(candidate.client) else {
                return;
            };
            let Some(client) = self.clients.get_mut(&candidate.client) else {
                return;
            };
            let Some(wish) = client.take(&candidate.key) else {
                return;
            };
            client.served = now;
            if self.room_for == Some(wish.order) {
                self.room_for = None;
            }
            let taken = self.polls.remove(&poll);
            let polled = taken.map_or(now, |poll| poll.since);
            match candidate.turn {
                Turn::Refuse(error) => self.out.push(Action::Refuse {
                    poll,
                    ticket: wish.ticket,
                    error,
                }),
                Turn::Grant(picked) => {
                    let lease = LeaseNo(self.next_lease);
                    self.next_lease += 1;
                    let modes = candidate.key.iter().map(|(_, mode)| *mode);
                    let on: Vec<(DeploymentNo, LeaseMode)> =
                        picked.into_iter().zip(modes).collect();
                    self.out.push(Action::Grant {
                        poll,
                        client: candidate.client,
                        lease,
                        ticket: wish.ticket,
                        test: wish.test.clone(),
                        on: on.clone(),
                        begins_later: wish.begins_later,
                        quiet: wish.quiet,
                        waited_us: now.saturating_sub(polled.max(wish.since)),
                    });
                    for (deployment, mode) in &on {
                        if let Some(deployment) = self.deployments.get_mut(deployment) {
                            deployment.holders.insert(lease, *mode);
                            deployment.used = true;
                        }
                    }
                    self.leases.insert(
                        lease,
                        Lease {
                            client: candidate.client,
                            test: wish.test.clone(),
                            on,
                            wish,
                            group: candidate.key,
                            begun: None,
                            ended: None,
                            charges: Vec::new(),
                            company: Vec::new(),
                            began_too_late: false,
                        },
                    );
                }
            }
        }
    }

    /// What is to be granted or refused next.
    fn next_candidate(&mut self) -> Option<Candidate> {
        let heads = self.heads();
        let mut held: BTreeMap<DeploymentNo, Held> = BTreeMap::new();
        let mut looks = Vec::new();
        let mut best: Option<(Reverse<Moment>, u64, Reverse<i64>, Candidate)> = None;
        for Head {
            order,
            expected_us,
            client,
            key,
        } in heads
        {
            let turn = match self.refusal(&key) {
                Some(error) => Some(Turn::Refuse(error)),
                None => self.pick(&key, &held).map(Turn::Grant),
            };
            let Some(turn) = turn else {
                self.hold_places(&key, &mut held, &mut looks);
                continue;
            };
            if let Turn::Grant(picked) = &turn {
                for ((_, mode), no) in key.iter().zip(picked) {
                    hold(&mut held, *no, *mode);
                }
            }
            let served = self.clients.get(&client).map_or(0, |client| client.served);
            let urgency = match turn {
                Turn::Refuse(_) => u64::MAX,
                Turn::Grant(_) => {
                    let left = key.iter().map(|(at, _)| self.left_to_do(*at));
                    left.max().unwrap_or_default().max(expected_us)
                }
            };
            let rank = (Reverse(served), urgency, Reverse(order));
            if best.as_ref().is_none_or(|(a, b, c, _)| rank > (*a, *b, *c)) {
                let candidate = Candidate { client, key, turn };
                best = Some((rank.0, rank.1, rank.2, candidate));
            }
        }
        for no in looks {
            self.repair(no);
        }
        let (_, _, _, candidate) = best?;
        if let Turn::Refuse(_) = candidate.turn {
            self.count_refusal(&candidate.key);
        }
        Some(candidate)
    }

    /// The oldest wishes of each kind that may be granted, of clients that have a poll; oldest first.
    fn heads(&self) -> Vec<Head> {
        let mut heads = Vec::new();
        let mut ready: Vec<ClientNo> = self.polls.values().map(|poll| poll.client).collect();
        ready.sort_unstable();
        ready.dedup();
        for no in ready {
            let Some(client) = self.clients.get(&no) else {
                continue;
            };
            heads.extend(client.groups.iter().filter_map(|(key, group)| {
                let oldest = group.next()?;
                Some(Head {
                    order: oldest.order,
                    expected_us: oldest.expected_us,
                    client: no,
                    key: key.clone(),
                })
            }));
        }
        heads.sort_unstable_by_key(|head| head.order);
        heads
    }

    /// Why a test with these needs can never run.
    fn refusal(&self, key: &Key) -> Option<String> {
        let each = key.iter().map(|(at, _)| self.known[*at].takes);
        let total = each.sum::<Resources>().memory_mib;
        if total > self.has.memory_mib {
            return Some(format!(
                "it needs {total} MiB of memory, but all deployments together may use {} MiB; raise the limit with --memory",
                self.has.memory_mib
            ));
        }
        key.iter().find_map(|(at, mode)| {
            let known = &self.known[*at];
            let one = || {
                let of_mode = |(failed, _): &&(LeaseMode, String)| failed == mode;
                known
                    .failures
                    .iter()
                    .find(of_mode)
                    .map(|(_, error)| error.clone())
            };
            if mode.is_fresh() {
                one()
            } else {
                known.failed.clone()
            }
        })
    }

    /// A failed start for one test is one test's refusal.
    fn count_refusal(&mut self, key: &Key) {
        for (at, mode) in key {
            let failures = &mut self.known[*at].failures;
            if let Some(found) = failures.iter().position(|(failed, _)| failed == mode) {
                failures.remove(found);
                return;
            }
        }
    }

    /// A free deployment for each need, if there is one.
    fn pick(&self, key: &Key, held: &BTreeMap<DeploymentNo, Held>) -> Option<Vec<DeploymentNo>> {
        let mut picked: Vec<DeploymentNo> = Vec::with_capacity(key.len());
        for (at, mode) in key {
            let free = self.deployments.iter().filter(|(no, deployment)| {
                deployment.suits(*at, *mode)
                    && deployment.admits(*mode, held.get(no).copied())
                    && !picked.contains(no)
            });
            // Those that share are put together where others wait to have a copy alone, and spread where nobody does.
            let together = self.is_wanted_alone(*at);
            let best = free.max_by_key(|(no, deployment)| {
                let many = deployment.holders.len();
                let few = usize::MAX - many;
                (if together { many } else { few }, Reverse(**no))
            });
            picked.push(*best?.0);
        }
        Some(picked)
    }

    /// Whether a wish waits for a deployment of this topology alone.
    fn is_wanted_alone(&self, at: usize) -> bool {
        let mut keys = (self.clients.values()).flat_map(|client| client.groups.keys());
        keys.any(|key| key.contains(&(at, LeaseMode::Exclusive)))
    }

    /// A wish that cannot be granted keeps its place on deployments that are there, unless one of its deployments is not:
    /// nobody waits for a start.
    fn hold_places(
        &self,
        key: &Key,
        held: &mut BTreeMap<DeploymentNo, Held>,
        looks: &mut Vec<DeploymentNo>,
    ) {
        let mut places = Vec::with_capacity(key.len());
        for (at, mode) in key {
            let there = self.deployments.iter().filter(|(no, deployment)| {
                deployment.suits(*at, *mode)
                    && deployment.is_up()
                    && held.get(no) != Some(&Held::Whole)
                    && !places.iter().any(|(place, _)| place == *no)
            });
            let soonest = there.min_by_key(|(no, deployment)| (deployment.holders.len(), **no));
            let Some((no, _)) = soonest else {
                return;
            };
            places.push((*no, *mode));
        }
        for (no, mode) in places {
            let first = !held.contains_key(&no);
            hold(held, no, mode);
            let deployment = &self.deployments[&no];
            if first && mode == LeaseMode::Exclusive && deployment.wants_a_look() {
                looks.push(no);
            }
        }
    }

    /// How long what is left for a topology will take, in microseconds: alone, or beside as many others as its clients run.
    fn left_to_do(&self, at: usize) -> u64 {
        let mut left: u64 = 0;
        for client in self.clients.values() {
            let slots = client.slots as u64;
            for (key, group) in &client.groups {
                match key.iter().find(|(of, _)| *of == at) {
                    Some((_, LeaseMode::Exclusive)) => {
                        left = left.saturating_add(group.expected_us)
                    }
                    Some(_) => left = left.saturating_add(group.expected_us / slots),
                    None => {}
                }
            }
        }
        left / self.known[at].copies.max(1) as u64
    }
}

fn hold(held: &mut BTreeMap<DeploymentNo, Held>, no: DeploymentNo, mode: LeaseMode) {
    let what = match mode {
        LeaseMode::Shared => Held::ForSharing,
        _ => Held::Whole,
    };
    let before = held.entry(no).or_insert(what);
    *before = (*before).max(what);
}

impl Deployment {
    /// Whether it is of the kind that such a lease is granted on.
    pub(super) fn suits(&self, topology: usize, mode: LeaseMode) -> bool {
        let kind = if mode.is_fresh() {
            mode
        } else {
            LeaseMode::Shared
        };
        let spent = self.used && !self.is_for_many();
        self.topology == topology && self.mode == kind && !spent
    }

    /// Whether such a lease can be granted now, beside what older wishes hold.
    fn admits(&self, mode: LeaseMode, held: Option<Held>) -> bool {
        if self.state != State::Ready || self.suspect.is_some() || self.is_given_up() || self.kept {
            return false;
        }
        let alone = self.holders.values().any(|mode| *mode != LeaseMode::Shared);
        match mode {
            LeaseMode::Shared => !alone && held != Some(Held::Whole),
            LeaseMode::Exclusive => {
                self.holders.is_empty() && held.is_none() && self.guests.is_empty()
            }
            _ => self.holders.is_empty() && held.is_none(),
        }
    }

    /// Whether it must be looked at before a test has it alone: what others left would be charged to that test.
    fn wants_a_look(&self) -> bool {
        self.state == State::Ready
            && !self.kept
            && self.suspect.is_none()
            && self.holders.is_empty()
            && !self.guests.is_empty()
    }
}
