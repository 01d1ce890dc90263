//! A world that drives the core: clients with tests, deployments that start, crash and are repaired, in random order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use armadillo_orchestrator::Topology;

use super::super::{
    Action, Charge, ClientNo, DeploymentNo, Ended, Found, Input, LeaseNo, Leases, Moment, Offer,
    Retry, SeatNo, Wish,
};
use super::books::{self, Deployment, Lease};
use crate::event::Company;
use crate::needs::LeaseMode;
use crate::random::Random;

/// What kind of world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    clients: usize,
    topologies: usize,
    /// How many needs a test has at most.
    needs: usize,
    /// Whether memory is short.
    narrow: bool,
}

impl Shape {
    pub(super) const ONE: Self = Self {
        clients: 1,
        topologies: 1,
        needs: 1,
        narrow: false,
    };
    pub(super) const SEVERAL: Self = Self {
        clients: 3,
        topologies: 3,
        needs: 1,
        narrow: false,
    };
    pub(super) const SETS: Self = Self {
        clients: 2,
        topologies: 3,
        needs: 3,
        narrow: false,
    };
    pub(super) const NARROW: Self = Self {
        clients: 2,
        topologies: 4,
        needs: 2,
        narrow: true,
    };
}

/// A client of the world.
struct Client {
    slots: usize,
    seats: BTreeSet<SeatNo>,
    running: usize,
    gone: bool,
}

/// A wish that was neither granted nor refused.
#[derive(Clone, Debug)]
struct Open {
    client: ClientNo,
    order: i64,
    needs: Vec<(usize, LeaseMode)>,
    begins_later: bool,
}

/// Something under way that will end by itself.
#[derive(Clone, Debug)]
enum Pending {
    Start(DeploymentNo),
    Repair(DeploymentNo),
    Stop(DeploymentNo),
    Examine(LeaseNo, DeploymentNo),
    Prepare(LeaseNo),
    Fixtures(ClientNo, DeploymentNo),
}

pub(super) struct World {
    core: Leases,
    random: Random,
    now: Moment,
    shape: Shape,
    memory: u64,
    offers: Vec<Offer>,
    clients: BTreeMap<ClientNo, Client>,
    open: BTreeMap<(ClientNo, u64), Open>,
    leases: BTreeMap<LeaseNo, Lease>,
    running: Vec<LeaseNo>,
    /// Those whose tests begin as soon as they are granted.
    beginning: Vec<LeaseNo>,
    pending: Vec<Pending>,
    deployments: BTreeMap<DeploymentNo, Deployment>,
    retries: BTreeMap<LeaseNo, (u64, Vec<LeaseMode>)>,
    failed: BTreeSet<LeaseNo>,
    /// What each look at a deployment must come to: crashes, and the tests that were there meanwhile.
    looks: BTreeMap<(LeaseNo, DeploymentNo), (Vec<String>, BTreeSet<String>)>,
    /// The wish of each lease, in case it comes back.
    taken: BTreeMap<LeaseNo, (u64, Open)>,
    seats: u64,
    tickets: u64,
    /// From here on nothing fails any more, so that all comes to its end.
    calm: bool,
    first: i64,
}

impl World {
    pub(super) fn new(mut random: Random, shape: Shape) -> Self {
        let offers: Vec<Offer> = (0..1 + random.below(shape.topologies))
            .map(|number| Offer {
                topology: Arc::new(topology(number)),
                memory_mib: 1 + random.below(3) as u64,
                copies: 1 + usize::from(random.chance(20)),
            })
            .collect();
        let memory = if shape.narrow {
            2 + random.below(5) as u64
        } else {
            100
        };
        Self {
            core: Leases::new(memory, random.chance(10)),
            random,
            now: 0,
            shape,
            memory,
            offers,
            clients: BTreeMap::new(),
            open: BTreeMap::new(),
            leases: BTreeMap::new(),
            running: Vec::new(),
            beginning: Vec::new(),
            pending: Vec::new(),
            deployments: BTreeMap::new(),
            retries: BTreeMap::new(),
            failed: BTreeSet::new(),
            looks: BTreeMap::new(),
            taken: BTreeMap::new(),
            seats: 0,
            tickets: 0,
            calm: false,
            first: -1,
        }
    }

    pub(super) fn play(&mut self) {
        let clients = 1 + self.random.below(self.shape.clients);
        for no in 0..clients {
            self.join(ClientNo(no as u64));
        }
        for _ in 0..self.random.below(24) {
            self.step();
        }
        self.calm = true;
        let mut steps = 0;
        while !self.is_settled() {
            self.step();
            steps += 1;
            assert!(steps < 3_000, "it never ends: {}", self.describe());
        }
        self.close();
    }

    fn is_settled(&self) -> bool {
        self.open.is_empty() && self.leases.is_empty()
    }

    fn describe(&self) -> String {
        format!(
            "{} wishes, {} leases, {:?} pending, {:?}",
            self.open.len(),
            self.leases.len(),
            self.pending,
            self.core.glance()
        )
    }

    fn join(&mut self, client: ClientNo) {
        let slots = 1 + self.random.below(4);
        self.clients.insert(
            client,
            Client {
                slots,
                seats: BTreeSet::new(),
                running: 0,
                gone: false,
            },
        );
        self.feed(Input::Joined { client, slots });
        self.wish(client);
    }

    fn wish(&mut self, client: ClientNo) {
        let count = 1 + self.random.below(6);
        let wishes: Vec<Wish> = (0..count).map(|_| self.random_wish(client)).collect();
        let offers = self.offers.clone();
        let keep = self.random.chance(10);
        self.feed(Input::Wished {
            client,
            offers,
            wishes,
            keep,
        });
    }

    fn random_wish(&mut self, client: ClientNo) -> Wish {
        self.tickets += 1;
        let mut needs: Vec<(usize, LeaseMode)> = Vec::new();
        for _ in 0..1 + self.random.below(self.shape.needs) {
            let at = self.random.below(self.offers.len());
            let mode = [
                LeaseMode::Shared,
                LeaseMode::Shared,
                LeaseMode::Exclusive,
                LeaseMode::Fresh,
            ][self.random.below(4)];
            let twice = |(other, kind): &(usize, LeaseMode)| {
                *other == at && *kind != LeaseMode::Fresh && mode != LeaseMode::Fresh
            };
            if !needs.iter().any(twice) {
                needs.push((at, mode));
            }
        }
        let begins_later = self.random.chance(20);
        self.open.insert(
            (client, self.tickets),
            Open {
                client,
                order: self.tickets as i64,
                needs: needs.clone(),
                begins_later,
            },
        );
        Wish {
            ticket: self.tickets,
            test: format!("t{}", self.tickets).into(),
            needs,
            expected_us: self.random.below(1_000) as u64,
            begins_later,
        }
    }

    /// One thing that can happen, at random.
    fn step(&mut self) {
        self.now += 1 + self.random.below(5) as u64;
        if self.calm {
            return self.step_to_the_end();
        }
        match self.random.below(100) {
            0..25 => self.end_something(),
            25..40 => self.end_a_test(),
            40..60 => self.take_a_seat(),
            60..75 => self.crash(),
            75..80 => self.leave_a_seat(),
            80..84 => self.leave(),
            84..87 => {
                if let Some(client) = self.some_client() {
                    self.wish(client);
                }
            }
            _ => self.end_something(),
        }
    }

    /// A step that brings everything nearer to its end, if there is one.
    fn step_to_the_end(&mut self) {
        match self.random.below(3) {
            0 if !self.pending.is_empty() => self.end_something(),
            1 if !self.running.is_empty() => self.end_a_test(),
            2 => self.take_a_seat(),
            _ => {
                self.end_something();
                self.end_a_test();
                self.take_a_seat();
            }
        }
    }

    fn some_client(&mut self) -> Option<ClientNo> {
        let there = self.clients.iter().filter(|(_, client)| !client.gone);
        let there: Vec<ClientNo> = there.map(|(no, _)| *no).collect();
        there.get(self.random.below(there.len())).copied()
    }

    fn take_a_seat(&mut self) {
        let Some(no) = self.some_client() else {
            return;
        };
        let client = self.clients.get_mut(&no).expect("it is there");
        if client.running + client.seats.len() >= client.slots {
            return;
        }
        self.seats += 1;
        let seat = SeatNo(self.seats);
        client.seats.insert(seat);
        let wait = self.random.chance(70);
        self.feed(Input::Seated {
            client: no,
            seat,
            wait,
        });
    }

    fn leave_a_seat(&mut self) {
        let Some(no) = self.some_client() else {
            return;
        };
        let client = self.clients.get_mut(&no).expect("it is there");
        if let Some(seat) = client.seats.pop_first() {
            self.feed(Input::Unseated { seat });
        }
    }

    fn leave(&mut self) {
        let there = self.clients.values().filter(|client| !client.gone).count();
        let Some(no) = self.some_client() else {
            return;
        };
        if there < 2 {
            return;
        }
        let client = self.clients.get_mut(&no).expect("it is there");
        client.gone = true;
        client.seats.clear();
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
        self.feed(Input::Left { client: no });
    }

    /// The test of a lease has ended.
    fn over(&mut self, lease: LeaseNo) {
        for (no, _) in self.leases[&lease].on.clone() {
            let now = self.now;
            if let Some(stay) = self.deployments.get_mut(&no).and_then(|on| on.stay(lease)) {
                stay.to = now;
                stay.over = now;
            }
        }
    }

    /// What is held against the deployments of a lease from now on.
    fn suspect(&mut self, lease: LeaseNo) {
        let on = self.leases[&lease].on.clone();
        for (no, _) in on {
            if let Some(deployment) = self.deployments.get_mut(&no) {
                deployment.trusted = false;
            }
        }
    }

    fn crash(&mut self) {
        let up = self
            .deployments
            .iter()
            .filter(|(_, deployment)| deployment.up);
        let up: Vec<DeploymentNo> = up.map(|(no, _)| *no).collect();
        let Some(no) = up.get(self.random.below(up.len())).copied() else {
            return;
        };
        let what = format!("crash at {}", self.now);
        let deployment = self.deployments.get_mut(&no).expect("it is there");
        deployment.trusted = false;
        let repairs = |pending: &Pending| matches!(pending, Pending::Repair(of) if *of == no);
        if !self.pending.iter().any(repairs) {
            deployment.crashes.push((self.now, what.clone()));
        }
        self.feed(Input::Crashed {
            deployment: no,
            what,
        });
    }

    fn end_a_test(&mut self) {
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
        self.over(lease);
        let how = Ended {
            failed,
            suspect: suspect.then(|| "it hung".to_owned()),
            keeps,
            retry: retry.map(|(ticket, modes)| Retry { ticket, modes }),
        };
        self.feed(Input::Released { lease, how });
    }

    /// Something that is under way comes to its end.
    fn end_something(&mut self) {
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
            Pending::Fixtures(client, deployment) => {
                self.feed(Input::FixturesGone { client, deployment });
            }
        }
    }

    fn end_repair(&mut self, deployment: DeploymentNo, bad: bool) {
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

    fn end_look(&mut self, lease: LeaseNo, no: DeploymentNo, bad: bool) {
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

    fn end_preparation(&mut self, lease: LeaseNo, bad: bool) {
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
    fn give_back(&mut self, lease: LeaseNo) {
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

    fn close(&mut self) {
        self.feed(Input::Closed);
        let mut steps = 0;
        while !self.core.is_empty() {
            self.end_something();
            steps += 1;
            assert!(steps < 3_000, "it is never closed: {}", self.describe());
        }
        assert!(self.deployments.is_empty(), "something was left");
    }

    fn feed(&mut self, input: Input) {
        for action in self.core.handle(self.now, input) {
            self.act(action);
            self.check_memory();
        }
        while let Some(lease) = self.beginning.pop() {
            self.feed(Input::Begun { lease });
        }
    }

    fn act(&mut self, action: Action) {
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
            Action::Stop { deployment, .. } => {
                let on = self.deployments.get_mut(&deployment).expect("it is there");
                assert!(on.holders.is_empty(), "somebody is on it");
                (on.up, on.trusted, on.stopping) = (false, false, true);
                self.pending.push(Pending::Stop(deployment));
            }
            Action::Grant {
                seat,
                client,
                lease,
                ticket,
                test,
                on,
                ..
            } => self.grant(seat, client, lease, ticket, &test, on),
            Action::Refuse { seat, ticket, .. } => {
                let client = self.unseat(seat);
                let open = self.open.remove(&(client, ticket));
                assert!(open.is_some(), "a wish that nobody has is refused");
            }
            Action::DropFixtures { seat, deployment } => {
                let client = self.unseat(seat);
                self.pending.push(Pending::Fixtures(client, deployment));
            }
            Action::Nothing { seat } => {
                self.unseat(seat);
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
            } => self.conclude(lease, &charges, &company, again),
        }
    }

    fn start(&mut self, no: DeploymentNo, topology: &Topology, mode: LeaseMode) {
        let at = self
            .offers
            .iter()
            .position(|offer| *offer.topology == *topology);
        let at = at.expect("nobody wished for it");
        if mode == LeaseMode::Shared {
            let same =
                |other: &&Deployment| other.topology == at && !other.is_fresh() && !other.stopping;
            let others = self.deployments.values().filter(same).count();
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

    /// The client whose seat that was.
    fn unseat(&mut self, seat: SeatNo) -> ClientNo {
        let of = self.clients.iter_mut();
        let mut of = of.filter_map(|(no, client)| client.seats.remove(&seat).then_some(*no));
        of.next().expect("an answer to a seat that nobody has")
    }

    fn grant(
        &mut self,
        seat: SeatNo,
        client: ClientNo,
        lease: LeaseNo,
        ticket: u64,
        test: &Arc<str>,
        on: Vec<(DeploymentNo, LeaseMode)>,
    ) {
        assert_eq!(self.unseat(seat), client, "somebody else's seat");
        let open = self.open.remove(&(client, ticket));
        let open = open.expect("a wish that nobody has is granted");
        assert_eq!(open.needs.len(), on.len());
        for ((at, wanted), (no, mode)) in open.needs.iter().zip(&on) {
            assert_eq!(wanted, mode);
            let deployment = self.deployments.get_mut(no).expect("it is there");
            assert_eq!(deployment.topology, *at);
            deployment.check_grant(*no, *mode);
            deployment.holders.insert(lease, *mode);
        }
        self.check_order(client, &open);
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
    fn check_order(&self, client: ClientNo, granted: &Open) {
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
            let ready = open.client == client || !self.clients[&open.client].seats.is_empty();
            let clash = mode == LeaseMode::Exclusive || wanted == LeaseMode::Exclusive;
            if other == at && !wanted.is_fresh() && clash && ready {
                assert!(
                    open.order > granted.order,
                    "{granted:?} came before {open:?}"
                );
            }
        }
    }

    fn begin(&mut self, lease: LeaseNo) {
        let now = self.now;
        let held = self.leases[&lease].clone();
        for (no, mode) in &held.on {
            let deployment = self.deployments.get_mut(no).expect("it is there");
            deployment.begin(lease, &held.test, *mode, now);
        }
        self.running.push(lease);
    }

    fn prepared(&mut self, lease: LeaseNo, go: bool) {
        if go {
            return self.begin(lease);
        }
        let client = self.leases[&lease].client;
        self.give_back(lease);
        self.clients.get_mut(&client).expect("it is there").running -= 1;
    }

    fn conclude(&mut self, lease: LeaseNo, charges: &[Charge], company: &Company, again: bool) {
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
        if failed {
            books::check_company(company, &real);
        }
        let retry = self.retries.remove(&lease).filter(|_| failed);
        let there = !self.clients[&held.client].gone;
        if charges.is_empty() {
            for (no, _) in &held.on {
                if let Some(deployment) = self.deployments.get_mut(no) {
                    deployment.holders.remove(&lease);
                }
            }
        }
        assert_eq!(again, retry.is_some());
        if let (Some((ticket, modes)), Some((_, mut open)), true) = (retry, taken, there) {
            let places = open.needs.iter().map(|(at, _)| *at);
            open.needs = places.zip(modes).collect();
            open.order = self.first;
            self.first -= 1;
            open.begins_later = true;
            self.open.insert((held.client, ticket), open);
        }
    }

    fn check_memory(&self) {
        let used: u64 = (self.deployments.values())
            .map(|deployment| self.offers[deployment.topology].memory_mib)
            .sum();
        assert!(used <= self.memory, "{used} of {} MiB", self.memory);
    }
}

fn topology(number: usize) -> Topology {
    Topology {
        system: "toy".to_owned(),
        shape: format!("shape{number}"),
        params: BTreeMap::new(),
        options: Vec::new(),
        binaries: BTreeMap::new(),
    }
}
