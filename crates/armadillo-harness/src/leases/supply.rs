//! Which deployments there are: started ahead of need as far as memory and cores go, stopped when nobody needs them.

use std::collections::BTreeMap;

use super::client::{Group, Key};
use super::deployment::{Deployment, State};
use super::{Action, ClientNo, DeploymentNo, Leases, StopReason};
use crate::needs::LeaseMode;
use crate::resources::Resources;

/// The place of a wish for a deployment that names no test: after all that do.
const UNNAMED: i64 = i64::MAX;

/// A deployment that is to be started: sorted, the first comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// Which copy of its topology it is: first copies come before second ones.
    copy: usize,
    /// The place of the oldest wish that needs it.
    order: i64,
    no: DeploymentNo,
}

/// What a deployment waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lack {
    Memory,
    Cores,
}

/// Whether there will be room for a deployment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Something goes on, or stops, that may leave room.
    Later,
    /// What is there stays.
    Never,
}

impl Leases {
    pub(super) fn supply(&mut self) {
        self.settle();
        if self.closed {
            return;
        }
        self.queue_what_is_missing();
        self.start_what_fits();
    }

    /// Brings every deployment that nobody holds to where it is wanted: repaired, or stopped.
    fn settle(&mut self) {
        for deployment in self.deployments.values_mut() {
            if !deployment.holders.is_empty() {
                deployment.used_at = self.now;
            }
        }
        let idle = self.deployments.iter().filter(|(_, deployment)| {
            deployment.state == State::Ready && deployment.holders.is_empty()
        });
        let idle: Vec<DeploymentNo> = idle.map(|(no, _)| *no).collect();
        let mut spared: BTreeMap<usize, usize> = BTreeMap::new();
        for no in idle {
            let deployment = &self.deployments[&no];
            let given_up = deployment.is_given_up();
            if deployment.kept && !self.closed {
                continue;
            }
            let needed = !self.closed && !given_up && self.is_needed(deployment, &mut spared);
            if needed && deployment.suspect.is_some() {
                self.repair(no);
            } else if !needed && !self.fixtures_are_kept(no) {
                let wished = self.wished_for(self.deployments[&no].topology, LeaseMode::Shared);
                let why = match given_up && wished > 0 {
                    _ if self.closed => StopReason::Closed,
                    // Given up for another wish, which may have been withdrawn meanwhile.
                    true => StopReason::MakesRoom,
                    false => StopReason::NotNeeded,
                };
                self.stop(no, why, false);
            }
        }
        let unneeded = |deployment: &Deployment| deployment.state == State::Queued;
        if self.closed {
            self.deployments
                .retain(|_, deployment| !unneeded(deployment));
        }
    }

    /// Whether wishes are left for an idle deployment; `spared` counts those that are kept of each topology.
    fn is_needed(&self, deployment: &Deployment, spared: &mut BTreeMap<usize, usize>) -> bool {
        let at = deployment.topology;
        if !deployment.is_for_many() {
            return !deployment.used && self.wished_for(at, deployment.mode) > 0;
        }
        let kept = spared.entry(at).or_default();
        let needed = *kept < self.wished_for(at, LeaseMode::Shared) || self.may_linger(deployment);
        *kept += usize::from(needed);
        needed
    }

    /// Whether an idle deployment stays although no wish is left for it.
    fn may_linger(&self, deployment: &Deployment) -> bool {
        self.lingers && deployment.is_for_many() && self.known[deployment.topology].failed.is_none()
    }

    /// How many wishes need such a deployment. `Shared` stands for all that do not bring their own.
    fn wished_for(&self, at: usize, mode: LeaseMode) -> usize {
        let needs = |key: &Key| key.iter().filter(|need| is_for(need, at, mode)).count();
        let groups = self.clients.values().flat_map(|client| &client.groups);
        let wished: usize = groups
            .map(|(key, group)| needs(key) * group.wishes.len())
            .sum();
        if mode == LeaseMode::Shared && self.is_kept(at) {
            // Once it is there, each copy stays for tests that are not named yet.
            wished + self.known[at].copies
        } else {
            wished
        }
    }

    /// Whether some client needs a deployment of this topology whatever tests it names.
    fn is_kept(&self, at: usize) -> bool {
        self.clients
            .values()
            .any(|client| client.keeps.contains(&at))
    }

    /// Whether some client keeps fixtures for it; each is told once to tear them down.
    pub(super) fn fixtures_are_kept(&mut self, no: DeploymentNo) -> bool {
        let Some(deployment) = self.deployments.get(&no) else {
            return false;
        };
        if self.closed || deployment.kept_by.is_empty() {
            return false;
        }
        let untold = deployment.kept_by.difference(&deployment.told);
        let untold: Vec<ClientNo> = untold.copied().collect();
        for client in untold {
            let Some(poll) = self.poll_of(client) else {
                continue;
            };
            self.polls.remove(&poll);
            self.out.push(Action::DropFixtures {
                poll,
                deployment: no,
            });
            if let Some(deployment) = self.deployments.get_mut(&no) {
                deployment.told.insert(client);
            }
        }
        true
    }

    /// Notes every deployment that is wished for and not there.
    fn queue_what_is_missing(&mut self) {
        let mut missing: Vec<(i64, usize, LeaseMode, usize)> = Vec::new();
        let mut own: BTreeMap<(usize, LeaseMode), usize> = BTreeMap::new();
        for (order, slots, key, group) in self.groups() {
            for (at, mode) in key {
                if mode.is_fresh() {
                    let wanted = own.entry((*at, *mode)).or_default();
                    *wanted += group.wishes.len().min(slots);
                    missing.push((order, *at, *mode, *wanted));
                } else if self.known[*at].failed.is_none() {
                    let wished = self.wished_for(*at, LeaseMode::Shared);
                    let wanted = self.known[*at].copies.min(wished);
                    missing.push((order, *at, LeaseMode::Shared, wanted));
                }
            }
        }
        let kept = (0..self.known.len()).filter(|at| self.is_kept(*at));
        for at in kept.filter(|at| self.known[*at].failed.is_none()) {
            missing.push((UNNAMED, at, LeaseMode::Shared, 1));
        }
        missing.sort_unstable_by_key(|(order, ..)| *order);
        for (_, at, mode, wanted) in missing {
            let there = self.deployments.values().filter(|deployment| {
                let goes = deployment.state == State::Stopping { again: false };
                let spent = deployment.used && !deployment.is_for_many();
                let there = (deployment.topology, deployment.mode) == (at, mode);
                there && !goes && !spent && !deployment.kept
            });
            for _ in there.count()..wanted {
                let no = DeploymentNo(self.next_deployment);
                self.next_deployment += 1;
                self.deployments.insert(no, Deployment::new(at, mode));
            }
        }
    }

    /// Every group of wishes: the place of its oldest, how many of them run at once, what they need.
    fn groups(&self) -> Vec<(i64, usize, &Key, &Group)> {
        let clients = self.clients.values();
        let groups = clients.flat_map(|client| client.groups.iter().map(|of| (client.slots, of)));
        groups
            .filter_map(|(slots, (key, group))| Some((group.oldest()?, slots, key, group)))
            .collect()
    }

    /// Starts what is queued, oldest wish first. What does not fit holds those behind it up: it would never fit otherwise.
    fn start_what_fits(&mut self) {
        self.check_room();
        let all = self.due();
        if all.is_empty() {
            self.is_held_back_no_more();
        }
        for due in all {
            let deployment = &self.deployments[&due.no];
            if self
                .room_for
                .is_some_and(|order| !self.is_for_wish(deployment, order))
            {
                continue;
            }
            match self.lacks(self.known[deployment.topology].takes) {
                None => {
                    let held = self.is_held(due.order);
                    let could_wait = due.copy > 0 || held;
                    let started = self.start_if_others_leave_room(due.no, due.order, could_wait);
                    if !started && !held {
                        return;
                    }
                }
                Some(_) if due.copy > 0 => return,
                // Nothing makes room for it, or holds others up, before its turn.
                Some(_) if self.is_held(due.order) => {}
                Some(lack) => match (self.make_room(due.order), lack) {
                    (Room::Later, _) => return,
                    // It takes longer beside the others, but nothing will become free by waiting.
                    (Room::Never, Lack::Cores) => {
                        if !self.start_if_others_leave_room(due.no, due.order, false) {
                            return;
                        }
                    }
                    (Room::Never, Lack::Memory) => {
                        return self.refuse_for_lack_of_room(due.order);
                    }
                },
            }
        }
    }

    /// What is queued and wished for, in order; what nobody wishes any more is forgotten.
    fn due(&mut self) -> Vec<Due> {
        let queued = self.deployments.iter();
        let queued = queued.filter(|(_, deployment)| deployment.state == State::Queued);
        let queued: Vec<DeploymentNo> = queued.map(|(no, _)| *no).collect();
        let mut due = Vec::new();
        for no in queued {
            let deployment = &self.deployments[&no];
            let (at, mode) = (deployment.topology, deployment.mode);
            let groups = self.groups();
            let of_kind = groups
                .iter()
                .filter(|(_, _, key, _)| key.iter().any(|need| is_for(need, at, mode)));
            let kept = mode == LeaseMode::Shared && self.is_kept(at);
            let order = of_kind.map(|(order, ..)| *order).min();
            let Some(order) = order.or(kept.then_some(UNNAMED)) else {
                self.deployments.remove(&no);
                continue;
            };
            let others = self.deployments.values().filter(|other| {
                other.is_for_many()
                    && !other.kept
                    && other.topology == at
                    && other.state != State::Queued
            });
            let earlier = due.iter().filter(|other: &&Due| {
                self.deployments[&other.no].topology == at
                    && self.deployments[&other.no].is_for_many()
            });
            let copy = if mode == LeaseMode::Shared {
                others.count() + earlier.count()
            } else {
                0
            };
            due.push(Due { copy, order, no });
        }
        due.sort_unstable();
        due
    }

    /// What is missing for one more deployment that takes this much. One alone may take more than there is of the cores.
    fn lacks(&self, takes: Resources) -> Option<Lack> {
        let used = self.used();
        let with = used + takes;
        if with.memory_mib > self.has.memory_mib {
            Some(Lack::Memory)
        } else if with.cpu_percent > self.has.cpu_percent && used.cpu_percent > 0 {
            Some(Lack::Cores)
        } else {
            None
        }
    }

    pub(super) fn used(&self) -> Resources {
        let running = self.deployments.values();
        let running = running.filter(|deployment| deployment.state != State::Queued);
        running
            .map(|deployment| self.known[deployment.topology].takes)
            .sum()
    }

    fn is_for_wish(&self, deployment: &Deployment, order: i64) -> bool {
        let (at, mode) = (deployment.topology, deployment.mode);
        let wish = self
            .groups()
            .into_iter()
            .find(|(oldest, ..)| *oldest == order);
        wish.is_some_and(|(_, _, key, _)| key.iter().any(|need| is_for(need, at, mode)))
    }

    /// Whether the oldest wish of its kind may not be granted yet.
    fn is_held(&self, order: i64) -> bool {
        let groups = self.groups();
        let mut oldest = groups.iter().filter(|(oldest, ..)| *oldest == order);
        oldest.any(|(_, _, _, group)| group.next().is_none())
    }

    /// Room is made only for a wish that still waits.
    fn check_room(&mut self) {
        if let Some(order) = self.room_for {
            let waits = self.groups().iter().any(|(oldest, ..)| *oldest == order);
            if !waits {
                self.room_for = None;
            }
        }
    }

    /// The deployments of the wish at `order` do not fit. If nothing else goes on, so that nothing will change by itself,
    /// idle ones that it does not need are stopped for it.
    pub(super) fn make_room(&mut self, order: i64) -> Room {
        let moves = |deployment: &Deployment| {
            deployment.is_in_transition() || !deployment.holders.is_empty()
        };
        let client = self.clients.iter().find(|(_, client)| {
            client
                .groups
                .values()
                .any(|group| group.oldest() == Some(order))
        });
        let ready = client.is_some_and(|(no, _)| self.poll_of(*no).is_some());
        let leaves = |on: &Deployment| on.state == State::Stopping { again: false };
        if self.lingers && self.deployments.values().any(leaves) {
            // What was stopped for this leaves room in a moment.
            return Room::Later;
        }
        if ready && self.evict_one() {
            return Room::Later;
        }
        if !ready || self.deployments.values().any(moves) {
            return Room::Later;
        }
        let idle = self.deployments.iter().filter(|(_, deployment)| {
            deployment.state == State::Ready
                && !deployment.kept
                && !self.is_for_wish(deployment, order)
        });
        let idle: Vec<DeploymentNo> = idle.map(|(no, _)| *no).collect();
        if idle.is_empty() {
            return Room::Never;
        }
        self.room_for = Some(order);
        for no in idle {
            if !self.fixtures_are_kept(no) {
                self.stop(no, StopReason::MakesRoom, false);
            }
        }
        Room::Later
    }

    /// Stops a deployment, if nobody has or keeps anything on it.
    pub(super) fn stop_idle(&mut self, no: DeploymentNo) {
        let idle = self.deployments.get(&no).is_some_and(|on| {
            on.state == State::Ready && on.holders.is_empty() && on.kept_by.is_empty() && !on.kept
        });
        if idle {
            self.stop(no, StopReason::NotNeeded, false);
        }
    }

    /// Stops the oldest deployment that lingers, whatever else goes on: nobody needs it now. Whether there was one.
    pub(super) fn evict_one(&mut self) -> bool {
        let lingers = |deployment: &&Deployment| {
            deployment.state == State::Ready
                && deployment.holders.is_empty()
                && !deployment.kept
                && deployment.kept_by.is_empty()
                && self.may_linger(deployment)
                && self.wished_for(deployment.topology, LeaseMode::Shared) == 0
        };
        let mut lingering = (self.deployments.iter()).filter(|(_, deployment)| lingers(deployment));
        let Some(no) = lingering.next().map(|(no, _)| *no) else {
            return false;
        };
        self.stop(no, StopReason::MakesRoom, false);
        true
    }

    /// What is kept for a person to look at leaves no room.
    fn refuse_for_lack_of_room(&mut self, order: i64) {
        let error = format!(
            "its deployments do not fit into {} MiB of memory next to those kept by --keep-on-failure",
            self.has.memory_mib
        );
        self.refuse(order, error);
    }

    /// The oldest wish of a group will never be granted.
    pub(super) fn refuse(&mut self, order: i64, error: String) {
        let found = self.clients.iter_mut().find_map(|(no, client)| {
            let of = |(_, group): &(&Key, &Group)| group.oldest() == Some(order);
            let key = client.groups.iter().find(of).map(|(key, _)| key.clone())?;
            Some((*no, client.take(&key)?))
        });
        let Some((client, wish)) = found else {
            return;
        };
        let Some(poll) = self.poll_of(client) else {
            return;
        };
        self.polls.remove(&poll);
        self.out.push(Action::Refuse {
            poll,
            ticket: wish.ticket,
            error,
        });
    }
}

/// Whether a need asks for such a deployment; `Shared` stands for all that do not bring their own.
fn is_for(need: &(usize, LeaseMode), at: usize, mode: LeaseMode) -> bool {
    let kind = if need.1.is_fresh() {
        need.1
    } else {
        LeaseMode::Shared
    };
    need.0 == at && kind == mode
}
