//! From the beginning of a test to the end of its lease: what befalls its deployments meanwhile is charged to it.

use std::collections::BTreeSet;

use super::deployment::{Deployment, State, Stay};
use super::{
    Action, Charge, ClientNo, DeploymentNo, Ended, Found, Lease, LeaseNo, Leases, Moment, Retry,
};
use crate::event::{Company, Names};
use crate::needs::LeaseMode;

impl Leases {
    /// The client is ready to begin. If the deployments are not as they were when they were granted, it must not.
    pub(super) fn begun(&mut self, now: Moment, no: LeaseNo) {
        let go = match self.leases.get(&no) {
            None => false,
            Some(lease) => lease.on.iter().all(|(on, _)| self.is_trusted(*on)),
        };
        if go {
            self.begin(now, no);
        } else {
            self.returned(no);
        }
        self.out.push(Action::Begin { lease: no, go });
    }

    fn is_trusted(&self, no: DeploymentNo) -> bool {
        let deployment = self.deployments.get(&no);
        deployment.is_some_and(|on| on.state == State::Ready && on.suspect.is_none() && !on.kept)
    }

    /// The test of a lease begins.
    pub(super) fn begin(&mut self, now: Moment, no: LeaseNo) {
        let Some(lease) = self.leases.get_mut(&no) else {
            return;
        };
        lease.begun = Some(now);
        for (on, mode) in &lease.on {
            let Some(deployment) = self.deployments.get_mut(on) else {
                continue;
            };
            deployment.fruitless = 0;
            let mut stay = Stay::new(&lease.test, now);
            let there = deployment.stays.values().filter(|other| !other.is_over);
            let there: BTreeSet<&str> = there.map(|other| &*other.test).collect();
            stay.before = deployment.guests.names_but(&there);
            for other in deployment.stays.values_mut().filter(|other| !other.is_over) {
                other.company.add(&lease.test);
                stay.company.add(&other.test);
            }
            deployment.stays.insert(no, stay);
            if *mode == LeaseMode::Shared {
                deployment.guests.add(&lease.test);
            }
        }
    }

    /// A lease that was not used: it is as if it had not been granted, and its wish waits again.
    pub(super) fn returned(&mut self, no: LeaseNo) {
        let Some(lease) = self.leases.remove(&no) else {
            return;
        };
        for (on, _) in &lease.on {
            if let Some(deployment) = self.deployments.get_mut(on) {
                deployment.holders.remove(&no);
                deployment.stays.remove(&no);
                deployment.used = false;
            }
        }
        if let Some(client) = self.clients.get_mut(&lease.client)
            && !self.closed
        {
            client.queue(lease.group, lease.wish);
        }
    }

    pub(super) fn left(&mut self, client: ClientNo) {
        self.clients.remove(&client);
        self.polls.retain(|_, poll| poll.client != client);
        for deployment in self.deployments.values_mut() {
            deployment.kept_by.remove(&client);
        }
        let held = self
            .leases
            .iter()
            .filter(|(_, lease)| lease.client == client);
        let held: Vec<LeaseNo> = held.map(|(no, _)| *no).collect();
        for lease in held {
            let how = Ended {
                failed: true,
                suspect: Some("the process of a test exited".to_owned()),
                ..Ended::default()
            };
            self.released(lease, how);
        }
    }

    pub(super) fn released(&mut self, no: LeaseNo, how: Ended) {
        let Some(lease) = self.leases.get_mut(&no) else {
            return;
        };
        if lease.ended.is_some() {
            return;
        }
        for kept in &how.keeps {
            if let Some(deployment) = self.deployments.get_mut(kept) {
                deployment.kept_by.insert(lease.client);
            }
        }
        let begun = lease.begun.is_some();
        for (on, _) in &lease.on {
            let Some(deployment) = self.deployments.get_mut(on) else {
                continue;
            };
            if let (true, Some(why)) = (begun, &how.suspect) {
                deployment.suspect(why.as_str());
            }
            if let Some(stay) = deployment.stays.get_mut(&no) {
                stay.is_over = true;
                stay.begins(how.began);
            }
        }
        lease.ended = Some(how);
        if begun {
            let examine = |(deployment, mode): &(DeploymentNo, LeaseMode)| Action::Examine {
                lease: no,
                deployment: *deployment,
                mode: *mode,
            };
            self.out.extend(lease.on.iter().map(examine));
        } else {
            // It never used them.
            for (on, _) in lease.on.clone() {
                if let Some(deployment) = self.deployments.get_mut(&on) {
                    deployment.holders.remove(&no);
                    deployment.used = false;
                }
            }
            self.conclude(no);
        }
    }

    pub(super) fn crashed(&mut self, at: Moment, no: DeploymentNo, what: String) {
        let Some(deployment) = self.deployments.get_mut(&no) else {
            return;
        };
        match deployment.state {
            State::Ready => {
                for stay in deployment.stays.values_mut() {
                    stay.crashes.push((at, what.clone()));
                }
                deployment.suspect(what);
            }
            State::Repairing => deployment.crashed_in_repair = Some(what),
            State::Queued | State::Starting | State::Stopping { .. } => {}
        }
    }

    pub(super) fn examined(&mut self, no: LeaseNo, on: DeploymentNo, found: Found) {
        let keeps = self.may_keep(on);
        let Some(lease) = self.leases.get_mut(&no) else {
            return;
        };
        let Some(deployment) = self.deployments.get_mut(&on) else {
            return;
        };
        let Some(mode) = deployment.holders.remove(&no) else {
            return;
        };
        let Some(stay) = deployment.stays.remove(&no) else {
            return;
        };
        let how = lease.ended.clone().unwrap_or_default();
        let crashes = stay.crashes_until(found.ended_at);
        lease.began_too_late |= stay.began_too_late();
        let charge = Charge {
            deployment: on,
            found,
            crashes,
        };
        let failed = how.failed || charge.is_failure();
        deployment.failed_somebody |= failed;
        deployment.kept |= keeps && failed && how.retry.is_none();
        if let Some(why) = &charge.found.suspect {
            deployment.suspect(why.as_str());
        }
        if mode == LeaseMode::Exclusive {
            deployment.suspect("a test had exclusive access");
        }
        lease.company.push(Company {
            is_shared: !stay.company.is_empty(),
            shared_with: stay.company.names(),
            before: stay.before,
        });
        lease.charges.push(charge);
        if lease.charges.len() == lease.on.len() {
            self.conclude(no);
        }
    }

    /// Whether a deployment would be kept if a test on it failed: one of each topology is, so that there is memory left for
    /// the other tests.
    fn may_keep(&self, no: DeploymentNo) -> bool {
        let Some(deployment) = self.deployments.get(&no) else {
            return false;
        };
        let same = |other: &Deployment| other.topology == deployment.topology && other.kept;
        self.keep_failed && !self.deployments.values().any(same)
    }

    /// Every lease ends with what has been found so far.
    pub(super) fn conclude_all(&mut self) {
        let leases: Vec<LeaseNo> = self.leases.keys().copied().collect();
        leases.into_iter().for_each(|lease| self.conclude(lease));
    }

    /// Every deployment of the lease has been looked at. A test that is to be tried again waits again, before the others.
    fn conclude(&mut self, no: LeaseNo) {
        let Some(lease) = self.leases.remove(&no) else {
            return;
        };
        let how = lease.ended.clone().unwrap_or_default();
        let failed = how.failed || lease.charges.iter().any(Charge::is_failure);
        // Nobody gets anything any more when all is over.
        let void = failed && lease.began_too_late && !self.closed;
        let company = if failed {
            lease.company()
        } else {
            Company {
                is_shared: lease.is_shared(),
                ..Company::default()
            }
        };
        let fits = |retry: &Retry| retry.modes.len() == lease.group.len();
        let again = how
            .retry
            .filter(|retry| failed && !void && !self.closed && fits(retry));
        self.out.push(Action::Conclude {
            lease: no,
            charges: lease.charges,
            company,
            again: again.is_some(),
            void,
        });
        let (Some(client), false) = (self.clients.get_mut(&lease.client), self.closed) else {
            return;
        };
        if void {
            return client.queue(lease.group, lease.wish);
        }
        let Some(retry) = again else {
            return;
        };
        let places = lease.group.iter().map(|(at, _)| *at);
        let key = places.zip(retry.modes).collect();
        let mut wish = lease.wish;
        wish.ticket = retry.ticket;
        wish.begins_later = true;
        wish.order = self.next_first;
        self.next_first -= 1;
        client.queue(key, wish);
    }
}

impl Charge {
    /// Whether a test that had passed fails for it.
    pub(crate) fn is_failure(&self) -> bool {
        let found = &self.found;
        let all = [&self.crashes, &found.sanitizers, &found.leaks, &found.unmet];
        all.iter().any(|found| !found.is_empty())
    }
}

impl Lease {
    /// Whether somebody else was on one of its deployments at the same time.
    fn is_shared(&self) -> bool {
        self.company.iter().any(|company| company.is_shared)
    }

    /// Who else was on its deployments.
    fn company(&self) -> Company {
        let join = |part: fn(&Company) -> &Names| {
            let names = self.company.iter().map(part);
            let more = names.clone().map(|names| names.more).sum::<u32>();
            let mut all = Names::of(names.flat_map(|names| names.named.iter().map(String::as_str)));
            all.more += more;
            all
        };
        Company {
            is_shared: self.is_shared(),
            shared_with: join(|company| &company.shared_with),
            before: join(|company| &company.before),
        }
    }
}
