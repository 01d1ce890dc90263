//! What can happen in a simulated world, at random.

use super::super::{DeploymentNo, Ended, Found, Input, LeaseNo, Others, PollNo, Retry};
use super::world::{Pending, World};
use crate::leases::{ClientNo, Moment};
use crate::needs::LeaseMode;

impl World {
    /// One thing that can happen, at random.
    pub(super) fn step(&mut self) {
        self.now += 1 + self.random.below(5) as u64;
        if self.calm {
            return self.step_to_the_end();
        }
        if self.core.waits_for_look() && self.random.chance(10) {
            self.look();
        }
        match self.random.below(100) {
            0..25 => self.end_something(),
            25..40 => self.end_a_test(),
            40..60 => self.open_a_poll(),
            60..75 => self.crash(),
            75..80 => self.drop_a_poll(),
            83 if self.shape.shares => self.others_change(),
            80..84 => self.leave(),
            84..88 => self.free_a_wish(),
            88..91 => {
                if let Some(client) = self.some_client() {
                    self.wish(client);
                }
            }
            _ => self.end_something(),
        }
    }

    /// A step that brings everything nearer to its end, if there is one.
    pub(super) fn step_to_the_end(&mut self) {
        if self.core.waits_for_look() {
            self.look();
        }
        match self.random.below(3) {
            0 if !self.pending.is_empty() => self.end_something(),
            1 if !self.running.is_empty() || self.slots.is_some() => self.end_a_test(),
            2 => self.open_a_poll(),
            _ => {
                self.free_a_wish();
                self.end_something();
                self.end_a_test();
                self.open_a_poll();
            }
        }
    }

    pub(super) fn some_client(&mut self) -> Option<ClientNo> {
        let there = self.clients.iter().filter(|(_, client)| !client.gone);
        let there: Vec<ClientNo> = there.map(|(no, _)| *no).collect();
        there.get(self.random.below(there.len())).copied()
    }

    pub(super) fn open_a_poll(&mut self) {
        let Some(no) = self.some_client() else {
            return;
        };
        let client = self.clients.get_mut(&no).expect("it is there");
        if client.running + client.stints + client.polls.len() >= client.slots {
            return;
        }
        self.polls += 1;
        let poll = PollNo(self.polls);
        client.polls.insert(poll);
        let plain = client.plain > 0;
        if plain {
            self.polls_for_plain.insert(poll);
        }
        let wait = plain || self.random.chance(70);
        self.feed(Input::Polled {
            client: no,
            poll,
            wait,
            plain,
        });
    }

    /// A test that begins now must not end at the same moment: it would share no time with those that it meets.
    fn time_passes(&mut self) {
        self.now += 1;
    }

    /// A wish that is held may be granted from now on.
    fn free_a_wish(&mut self) {
        let mut held = self.open.iter_mut().filter(|(_, open)| open.held);
        let Some((&(client, ticket), open)) = held.next() else {
            return;
        };
        open.held = false;
        self.feed(Input::Freed { client, ticket });
        self.time_passes();
    }

    pub(super) fn drop_a_poll(&mut self) {
        let Some(no) = self.some_client() else {
            return;
        };
        let client = self.clients.get_mut(&no).expect("it is there");
        if let Some(poll) = client.polls.pop_first() {
            self.feed(Input::PollDropped { poll });
        }
    }

    pub(super) fn leave(&mut self) {
        let there = self.clients.values().filter(|client| !client.gone).count();
        let Some(no) = self.some_client() else {
            return;
        };
        if there < 2 {
            return;
        }
        let client = self.clients.get_mut(&no).expect("it is there");
        client.gone = true;
        client.polls.clear();
        self.open.retain(|(client, _), _| *client != no);
        let of_client = self.leases.iter().filter(|(_, lease)| lease.client == no);
        let of_client: Vec<LeaseNo> = of_client.map(|(lease, _)| *lease).collect();
        for lease in of_client {
            if self.running.contains(&lease) {
                self.failed.insert(lease);
                self.suspect(lease);
                self.over(lease);
            }
            self.running.retain(|running| *running != lease);
            self.pending
                .retain(|pending| !matches!(pending, Pending::Prepare(of) if *of == lease));
        }
        for on in self.deployments.values_mut() {
            on.kept_by.remove(&no);
        }
        self.feed(Input::Left { client: no });
    }

    /// The test of a lease has ended.
    pub(super) fn over(&mut self, lease: LeaseNo) {
        for (no, _) in self.leases[&lease].on.clone() {
            let now = self.now;
            if let Some(stay) = self.deployments.get_mut(&no).and_then(|on| on.stay(lease)) {
                stay.to = now;
                stay.over = now;
            }
        }
    }

    /// What is held against the deployments of a lease from now on.
    pub(super) fn suspect(&mut self, lease: LeaseNo) {
        let on = self.leases[&lease].on.clone();
        for (no, _) in on {
            if let Some(deployment) = self.deployments.get_mut(&no) {
                deployment.trusted = false;
            }
        }
    }

    pub(super) fn crash(&mut self) {
        let up = self
            .deployments
            .iter()
            .filter(|(_, deployment)| deployment.up);
        let up: Vec<DeploymentNo> = up.map(|(no, _)| *no).collect();
        let Some(no) = up.get(self.random.below(up.len())).copied() else {
            return;
        };
        // It is told a while after it happened.
        let at = self.now.saturating_sub(self.random.below(20) as u64);
        let what = format!("crash at {at}, told at {}", self.now);
        let deployment = self.deployments.get_mut(&no).expect("it is there");
        deployment.trusted = false;
        let repairs = |pending: &Pending| matches!(pending, Pending::Repair(of) if *of == no);
        if !self.pending.iter().any(repairs) {
            deployment.crash(at, self.now, &what);
        }
        self.feed(Input::Crashed {
            deployment: no,
            what,
            at,
        });
    }

    pub(super) fn end_a_test(&mut self) {
        if self.slots.is_some() && self.end_a_stint() {
            return;
        }
        if self.running.is_empty() {
            return;
        }
        let at = self.random.below(self.running.len());
        let lease = self.running.remove(at);
        let held = self.leases[&lease].clone();
        if let Some(client) = self.clients.get_mut(&held.client) {
            client.running -= 1;
        }
        let failed = !self.calm && self.random.chance(30);
        let suspect = failed && self.random.chance(30);
        if failed {
            self.failed.insert(lease);
        }
        if suspect {
            self.suspect(lease);
        }
        let retry = (self.random.chance(40)).then(|| {
            self.tickets += 1;
            let modes: Vec<LeaseMode> = (held.on.iter())
                .map(|(_, mode)| match mode {
                    LeaseMode::Shared if self.random.chance(30) => LeaseMode::Exclusive,
                    mode => *mode,
                })
                .collect();
            (self.tickets, modes)
        });
        if let Some((ticket, modes)) = &retry {
            self.retries.insert(lease, (*ticket, modes.clone()));
        }
        let keeps = if self.random.chance(10) {
            let shared = held
                .on
                .iter()
                .filter(|(_, mode)| *mode == LeaseMode::Shared);
            shared.map(|(no, _)| *no).collect()
        } else {
            Vec::new()
        };
        for no in &keeps {
            let on = self.deployments.get_mut(no).expect("it is there");
            on.kept_by.insert(held.client);
        }
        self.over(lease);
        let began = self.begin_a_little_later(lease);
        let how = Ended {
            began,
            failed,
            suspect: suspect.then(|| "it hung".to_owned()),
            keeps,
            retry: retry.map(|(ticket, modes)| Retry { ticket, modes }),
        };
        self.feed(Input::Released { lease, how });
    }

    /// The client of a test may have begun it a while after it was granted.
    fn begin_a_little_later(&mut self, lease: LeaseNo) -> Option<Moment> {
        if !self.random.chance(30) {
            return None;
        }
        let mut began = None;
        for (no, _) in self.leases[&lease].on.clone() {
            let now = self.now;
            let late = self.random.below(12) as Moment;
            if let Some(stay) = self.deployments.get_mut(&no).and_then(|on| on.stay(lease)) {
                let at = *began.get_or_insert((stay.from + late).min(now));
                stay.began = at;
            }
        }
        began
    }

    /// Something that is under way comes to its end.
    pub(super) fn end_something(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let at = self.random.below(self.pending.len());
        let bad = !self.calm && self.random.chance(20);
        match self.pending.remove(at) {
            Pending::Start(deployment) => {
                let on = self.deployments.get_mut(&deployment).expect("it starts");
                let outcome = if bad {
                    self.deployments.remove(&deployment);
                    Err("no space".to_owned())
                } else {
                    (on.up, on.trusted, on.dirty) = (true, true, false);
                    Ok(())
                };
                self.feed(Input::Started {
                    deployment,
                    outcome,
                });
            }
            Pending::Repair(deployment) => self.end_repair(deployment, bad),
            Pending::Stop(deployment) => {
                self.deployments.remove(&deployment);
                self.feed(Input::Stopped { deployment });
            }
            Pending::Examine(lease, deployment) => self.end_look(lease, deployment, bad),
            Pending::Prepare(lease) => self.end_preparation(lease, bad),
            // Sometimes it cannot look.
            Pending::Look if bad => {}
            Pending::Look => self.look(),
            Pending::Fixtures(client, deployment) => {
                if let Some(on) = self.deployments.get_mut(&deployment) {
                    on.kept_by.remove(&client);
                }
                self.feed(Input::FixturesGone { client, deployment });
            }
        }
    }

    /// Other runs hold more, as far as there is room, or less.
    fn others_change(&mut self) {
        let room = self.total.saturating_sub(self.used());
        self.others_hold = self.random.below(1 + room as usize) as u64;
        if self.random.chance(50) {
            self.look();
        }
    }

    fn look(&mut self) {
        let wait = !self.calm && self.random.chance(30);
        let others = Others {
            memory_mib: self.others_hold,
            wait,
            first_wants_mib: (wait && self.random.chance(50)).then(|| self.random.below(4) as u64),
        };
        self.feed(Input::Looked { others });
        self.time_passes();
    }

    pub(super) fn end_repair(&mut self, deployment: DeploymentNo, bad: bool) {
        let outcome = if bad {
            Err("it is not good".to_owned())
        } else {
            let on = self.deployments.get_mut(&deployment).expect("it is there");
            on.trusted = true;
            on.dirty = false;
            Ok(())
        };
        self.feed(Input::Repaired {
            deployment,
            outcome,
        });
    }

    pub(super) fn end_look(&mut self, lease: LeaseNo, no: DeploymentNo, bad: bool) {
        let leaks = if bad && self.random.chance(50) {
            vec!["a database".to_owned()]
        } else {
            Vec::new()
        };
        let suspect = bad && self.random.chance(50);
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        let mode = deployment.holders.remove(&lease);
        if suspect || mode == Some(LeaseMode::Exclusive) {
            deployment.trusted = false;
        }
        let mut ended_at = self.now;
        if let Some(stay) = deployment.stay(lease) {
            ended_at = stay.to;
        }
        if deployment.began_too_late(lease) {
            self.too_late.insert(lease);
        }
        let look = (deployment.crashes_of(lease), deployment.company(lease));
        self.looks.insert((lease, no), look);
        self.feed(Input::Examined {
            lease,
            deployment: no,
            found: Found {
                ended_at,
                leaks,
                suspect: suspect.then(|| "it cannot be removed".to_owned()),
                ..Found::default()
            },
        });
    }

    pub(super) fn end_preparation(&mut self, lease: LeaseNo, bad: bool) {
        if bad && self.random.chance(50) {
            let held = self.leases[&lease].clone();
            self.give_back(lease);
            if let Some(client) = self.clients.get_mut(&held.client) {
                client.running -= 1;
            }
            return self.feed(Input::Returned { lease });
        }
        self.feed(Input::Begun { lease });
    }

    /// The lease is gone as if it had not been granted, and its wish is back.
    pub(super) fn give_back(&mut self, lease: LeaseNo) {
        let Some(held) = self.leases.remove(&lease) else {
            return;
        };
        for (no, _) in &held.on {
            if let Some(deployment) = self.deployments.get_mut(no) {
                deployment.holders.remove(&lease);
            }
        }
        if let Some((ticket, open)) = self.taken.remove(&lease)
            && !self.clients[&held.client].gone
        {
            self.open.insert((held.client, ticket), open);
        }
    }
}
