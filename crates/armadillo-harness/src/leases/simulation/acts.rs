//! What the core has a simulated world do, held against the books.

use std::collections::BTreeSet;
use std::sync::Arc;

use armadillo_orchestrator::Topology;

use super::super::{Action, Charge, ClientNo, DeploymentNo, LeaseNo, PollNo, StopReason};
use super::books::{self, Deployment, Lease};
use super::world::{Open, Pending, World};
use crate::event::Company;
use crate::needs::LeaseMode;

impl World {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Start {
                deployment,
                topology,
                mode,
                ..
            } => self.start(deployment, &topology, mode),
            Action::Repair { deployment, .. } => {
                let on = &self.deployments[&deployment];
                assert!(on.up && on.holders.is_empty(), "somebody is on it");
                self.pending.push(Pending::Repair(deployment));
            }
            Action::Stop {
                deployment, why, ..
            } => {
                self.check_stop(deployment, &why);
                let on = self.deployments.get_mut(&deployment).expect("it is there");
                assert!(on.holders.is_empty(), "somebody is on it");
                let orderly = matches!(why, StopReason::NotNeeded | StopReason::MakesRoom);
                assert!(
                    !orderly || on.kept_by.is_empty(),
                    "it stops with fixtures that somebody keeps for it"
                );
                (on.up, on.trusted, on.stopping) = (false, false, true);
                self.pending.push(Pending::Stop(deployment));
            }
            Action::Grant {
                poll,
                client,
                lease,
                ticket,
                test,
                on,
                ..
            } => self.grant(poll, client, lease, ticket, &test, on),
            Action::Refuse { poll, ticket, .. } => {
                let client = self.drop_poll(poll);
                let open = self.open.remove(&(client, ticket));
                assert!(open.is_some(), "a wish that nobody has is refused");
            }
            Action::DropFixtures { poll, deployment } => {
                let client = self.drop_poll(poll);
                let on = self.deployments.get_mut(&deployment).expect("it is there");
                on.given_up = true;
                self.pending.push(Pending::Fixtures(client, deployment));
            }
            Action::Plain { poll } => {
                let client = self.drop_poll(poll);
                let client = self.clients.get_mut(&client).expect("it is there");
                client.stints += 1;
                client.plain = client.plain.saturating_sub(1);
            }
            Action::Nothing { poll } => {
                self.drop_poll(poll);
            }
            Action::Look => {
                // It may have been asked before, and have looked by itself since.
                let looks = |pending: &Pending| matches!(pending, Pending::Look);
                if !self.pending.iter().any(looks) {
                    self.pending.push(Pending::Look);
                }
            }
            Action::Begin { lease, go } => self.prepared(lease, go),
            Action::Examine {
                lease, deployment, ..
            } => self.pending.push(Pending::Examine(lease, deployment)),
            Action::Conclude {
                lease,
                charges,
                company,
                again,
                void,
            } => self.conclude(lease, &charges, &company, again, void),
        }
    }

    pub(super) fn start(&mut self, no: DeploymentNo, topology: &Topology, mode: LeaseMode) {
        let at = self
            .offers
            .iter()
            .position(|offer| *offer.topology == *topology);
        let at = at.expect("nobody wished for it");
        if mode == LeaseMode::Shared {
            let kept = self.kept();
            let same = |(no, other): &(&DeploymentNo, &Deployment)| {
                let serves = !other.is_fresh() && !other.stopping && !kept.contains(no);
                other.topology == at && serves
            };
            let others = self.deployments.iter().filter(same).count();
            assert!(others < self.offers[at].copies, "too many copies");
        }
        let deployment = Deployment {
            topology: at,
            mode: Some(mode),
            ..Deployment::default()
        };
        let before = self.deployments.insert(no, deployment);
        assert!(before.is_none(), "it is started twice");
        self.pending.push(Pending::Start(no));
    }

    /// The deployments that are kept as a failed test left them: of each topology one at most.
    fn kept(&self) -> BTreeSet<DeploymentNo> {
        let glances = self.core.glance();
        let kept = glances.iter().filter(|glance| glance.kept);
        let topologies: BTreeSet<&Topology> =
            kept.clone().map(|glance| &*glance.topology).collect();
        let kept: BTreeSet<DeploymentNo> = kept.map(|glance| glance.deployment).collect();
        assert_eq!(kept.len(), topologies.len(), "too many are kept");
        kept
    }

    /// The client whose poll that was.
    pub(super) fn drop_poll(&mut self, poll: PollNo) -> ClientNo {
        let of = self.clients.iter_mut();
        let mut of = of.filter_map(|(no, client)| client.polls.remove(&poll).then_some(*no));
        of.next().expect("an answer to a poll that nobody has")
    }

    pub(super) fn grant(
        &mut self,
        poll: PollNo,
        client: ClientNo,
        lease: LeaseNo,
        ticket: u64,
        test: &Arc<str>,
        on: Vec<(DeploymentNo, LeaseMode)>,
    ) {
        assert_eq!(self.drop_poll(poll), client, "somebody else's poll");
        let open = self.open.remove(&(client, ticket));
        let open = open.expect("a wish that nobody has is granted");
        assert_eq!(open.needs.len(), on.len());
        assert!(!open.held, "{open:?} was not freed");
        let kept = self.kept();
        assert!(
            !on.iter().any(|(no, _)| kept.contains(no)),
            "{on:?} is kept"
        );
        for ((at, wanted), (no, mode)) in open.needs.iter().zip(&on) {
            assert_eq!(wanted, mode);
            let deployment = self.deployments.get_mut(no).expect("it is there");
            assert_eq!(deployment.topology, *at);
            deployment.check_grant(*no, *mode);
        }
        self.check_order(client, &open);
        self.check_spread(&open, &on);
        for (no, mode) in &on {
            let deployment = self.deployments.get_mut(no).expect("it is there");
            deployment.holders.insert(lease, *mode);
        }
        let held = Lease {
            client,
            test: test.clone(),
            on,
        };
        self.leases.insert(lease, held);
        self.clients.get_mut(&client).expect("it is there").running += 1;
        let later = open.begins_later;
        self.taken.insert(lease, (ticket, open));
        if later {
            self.pending.push(Pending::Prepare(lease));
        } else {
            self.beginning.push(lease);
        }
    }

    /// On one deployment nobody who came later gets in the way of one who waits and is ready. Told only where no choice of
    /// copies and no second deployment makes it a matter of opinion.
    pub(super) fn check_order(&self, client: ClientNo, granted: &Open) {
        let [(at, mode)] = granted.needs[..] else {
            return;
        };
        if self.offers[at].copies > 1 || mode.is_fresh() {
            return;
        }
        for open in self.open.values() {
            let [(other, wanted)] = open.needs[..] else {
                continue;
            };
            let ready = open.client == client || !self.clients[&open.client].polls.is_empty();
            let clash = mode == LeaseMode::Exclusive || wanted == LeaseMode::Exclusive;
            if other == at && !wanted.is_fresh() && clash && ready && !open.held {
                assert!(
                    open.order > granted.order,
                    "{granted:?} came before {open:?}"
                );
            }
        }
    }

    /// Tests that share are spread over the copies where nobody waits to have one alone.
    fn check_spread(&self, granted: &Open, on: &[(DeploymentNo, LeaseMode)]) {
        let [(at, LeaseMode::Shared)] = granted.needs[..] else {
            return;
        };
        let alone = (at, LeaseMode::Exclusive);
        let wanted_alone = self.open.values().any(|open| open.needs.contains(&alone));
        if !self.shape.is_plain() || wanted_alone {
            return;
        }
        let count = |no: &DeploymentNo| self.deployments[no].holders.len();
        let fewest = self.free_to_share(at).map(|(no, _)| count(no)).min();
        assert_eq!(fewest, Some(count(&on[0].0)), "{on:?} is crowded");
    }

    /// What is kept for tests that are not named yet stays, each copy of it.
    fn check_stop(&self, no: DeploymentNo, why: &StopReason) {
        let mut clients = self.clients.values();
        let kept = clients.any(|client| client.keeps && !client.gone);
        let kept = kept && !self.deployments[&no].is_fresh();
        assert!(!kept || *why != StopReason::NotNeeded, "{no:?} is kept");
    }

    /// The copies on which a shared lease may be granted.
    fn free_to_share(&self, at: usize) -> impl Iterator<Item = (&DeploymentNo, &Deployment)> {
        let repairs =
            |no| move |pending: &Pending| matches!(pending, Pending::Repair(of) if *of == no);
        let kept = self.kept();
        let copies = self
            .deployments
            .iter()
            .filter(move |(no, _)| !kept.contains(no));
        copies.filter(move |(no, copy)| {
            copy.topology == at
                && copy.is_free_to_share()
                && !self.pending.iter().any(repairs(**no))
        })
    }

    /// No copy is idle and in order while somebody who is ready waits to have one alone.
    pub(super) fn check_idle_copies(&self) {
        if !self.shape.is_plain() {
            return;
        }
        for open in self.open.values() {
            let [(at, LeaseMode::Exclusive)] = open.needs[..] else {
                continue;
            };
            if self.clients[&open.client].polls.is_empty() || open.held {
                continue;
            }
            let idle = self
                .free_to_share(at)
                .find(|(_, copy)| copy.is_idle_and_clean());
            assert!(idle.is_none(), "{open:?} waits, and {idle:?} is free");
        }
    }

    pub(super) fn begin(&mut self, lease: LeaseNo) {
        let now = self.now;
        let held = self.leases[&lease].clone();
        for (no, mode) in &held.on {
            let deployment = self.deployments.get_mut(no).expect("it is there");
            deployment.begin(lease, &held.test, *mode, now);
        }
        self.running.push(lease);
    }

    pub(super) fn prepared(&mut self, lease: LeaseNo, go: bool) {
        if go {
            return self.begin(lease);
        }
        let client = self.leases[&lease].client;
        self.give_back(lease);
        self.clients.get_mut(&client).expect("it is there").running -= 1;
    }

    /// A lease ends because all is over, although its deployments may not have been looked at.
    fn cut_off(&mut self, lease: LeaseNo, held: &Lease) {
        for (no, _) in &held.on {
            if let Some(deployment) = self.deployments.get_mut(no) {
                deployment.holders.remove(&lease);
            }
        }
    }

    pub(super) fn conclude(
        &mut self,
        lease: LeaseNo,
        charges: &[Charge],
        company: &Company,
        again: bool,
        void: bool,
    ) {
        let held = self.leases.remove(&lease).expect("it was granted");
        let taken = self.taken.remove(&lease);
        let mut failed = self.failed.contains(&lease);
        let mut real = BTreeSet::new();
        for charge in charges {
            let (crashes, company) = self
                .looks
                .remove(&(lease, charge.deployment))
                .expect("a look");
            assert_eq!(charge.crashes, crashes);
            let charged = charge.is_failure();
            failed |= charged;
            real.extend(company);
        }
        // A test that took no time at all shared no moment with another, and yet was there with it.
        assert!(company.is_shared || real.is_empty(), "it was not alone");
        if failed {
            assert_eq!(company.is_shared, !real.is_empty());
            books::check_company(company, &real);
        }
        if self.closed {
            assert!(!void && !again, "it is to be tried again, and all is over");
            return self.cut_off(lease, &held);
        }
        let late = self.too_late.remove(&lease);
        assert_eq!(void, failed && late);
        let retry = self.retries.remove(&lease).filter(|_| failed && !void);
        let there = !self.clients[&held.client].gone;
        if charges.is_empty() {
            for (no, _) in &held.on {
                if let Some(deployment) = self.deployments.get_mut(no) {
                    deployment.holders.remove(&lease);
                }
            }
        }
        assert_eq!(again, retry.is_some());
        if let (true, Some((ticket, open)), true) = (void, &taken, there) {
            self.open.insert((held.client, *ticket), open.clone());
        }
        if let (Some((ticket, modes)), Some((_, mut open)), true) = (retry, taken, there) {
            let places = open.needs.iter().map(|(at, _)| *at);
            open.needs = places.zip(modes).collect();
            open.order = self.first;
            self.first -= 1;
            open.begins_later = true;
            self.open.insert((held.client, ticket), open);
        }
    }
}
