//! A world that drives the core: clients with tests, deployments that start, crash and are repaired, in random order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use armadillo_orchestrator::Topology;

use super::super::{ClientNo, DeploymentNo, Input, LeaseNo, Leases, Moment, Offer, PollNo, Wish};
use super::books::{Deployment, Lease};
use crate::needs::LeaseMode;
use crate::resources::Resources;
use armadillo_orchestrator::random::Random;

/// What kind of world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    clients: usize,
    topologies: usize,
    /// How many needs a test has at most.
    needs: usize,
    /// Whether memory is short.
    narrow: bool,
    /// Whether there are several copies of each topology.
    copies: bool,
    /// Whether other runs hold memory, too.
    pub(super) shares: bool,
    /// Whether all clients share their slots.
    slots: bool,
}

impl Shape {
    pub(super) const ONE: Self = Self {
        clients: 1,
        topologies: 1,
        needs: 1,
        narrow: false,
        copies: false,
        shares: false,
        slots: false,
    };
    pub(super) const SEVERAL: Self = Self {
        clients: 3,
        topologies: 3,
        needs: 1,
        narrow: false,
        copies: false,
        shares: false,
        slots: false,
    };
    pub(super) const SETS: Self = Self {
        clients: 2,
        topologies: 3,
        needs: 3,
        narrow: false,
        copies: false,
        shares: false,
        slots: false,
    };
    pub(super) const NARROW: Self = Self {
        clients: 2,
        topologies: 4,
        needs: 2,
        narrow: true,
        copies: false,
        shares: false,
        slots: false,
    };
    pub(super) const SHARED: Self = Self {
        clients: 2,
        topologies: 4,
        needs: 2,
        narrow: true,
        copies: false,
        shares: true,
        slots: false,
    };
    pub(super) const COPIES: Self = Self {
        clients: 2,
        topologies: 2,
        needs: 1,
        narrow: false,
        copies: true,
        shares: false,
        slots: false,
    };
    pub(super) const SLOTS: Self = Self {
        slots: true,
        ..Self::SEVERAL
    };

    /// Whether nothing but a deployment's own state can keep a test from it.
    pub(super) fn is_plain(self) -> bool {
        self.needs == 1 && !self.narrow && !self.slots
    }
}

/// A client of the world.
pub(super) struct Client {
    pub(super) slots: usize,
    pub(super) polls: BTreeSet<PollNo>,
    pub(super) running: usize,
    pub(super) gone: bool,
    /// Whether it needs a deployment of each topology until it leaves.
    pub(super) keeps: bool,
    /// How many tests without deployments it has yet.
    pub(super) plain: usize,
    /// How many of those run, each in one of the shared slots.
    pub(super) stints: usize,
}

/// A wish that was neither granted nor refused.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) client: ClientNo,
    pub(super) order: i64,
    pub(super) needs: Vec<(usize, LeaseMode)>,
    pub(super) begins_later: bool,
    pub(super) held: bool,
}

/// Something under way that will end by itself.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Start(DeploymentNo),
    Repair(DeploymentNo),
    Stop(DeploymentNo),
    Examine(LeaseNo, DeploymentNo),
    Prepare(LeaseNo),
    Fixtures(ClientNo, DeploymentNo),
    /// At what other runs hold.
    Look,
}

pub(super) struct World {
    pub(super) core: Leases,
    pub(super) random: Random,
    pub(super) now: Moment,
    pub(super) shape: Shape,
    pub(super) has: Resources,
    /// What all runs may hold together.
    pub(super) total: u64,
    /// What others hold now.
    pub(super) others_hold: u64,
    pub(super) offers: Vec<Offer>,
    pub(super) clients: BTreeMap<ClientNo, Client>,
    /// How many slots they have together, if they share them.
    pub(super) slots: Option<usize>,
    pub(super) open: BTreeMap<(ClientNo, u64), Open>,
    pub(super) leases: BTreeMap<LeaseNo, Lease>,
    pub(super) running: Vec<LeaseNo>,
    /// Those whose tests begin as soon as they are granted.
    pub(super) beginning: Vec<LeaseNo>,
    pub(super) pending: Vec<Pending>,
    pub(super) deployments: BTreeMap<DeploymentNo, Deployment>,
    pub(super) retries: BTreeMap<LeaseNo, (u64, Vec<LeaseMode>)>,
    pub(super) failed: BTreeSet<LeaseNo>,
    /// What each look at a deployment must come to: crashes, and the tests that were there meanwhile.
    pub(super) looks: BTreeMap<(LeaseNo, DeploymentNo), (Vec<String>, BTreeSet<String>)>,
    /// Leases whose tests began after a server had ended.
    pub(super) too_late: BTreeSet<LeaseNo>,
    /// The wish of each lease, in case it comes back.
    pub(super) taken: BTreeMap<LeaseNo, (u64, Open)>,
    pub(super) polls: u64,
    /// Those that wait for a slot for tests without deployments, too; and those that did.
    pub(super) polls_for_plain: BTreeSet<PollNo>,
    pub(super) tickets: u64,
    /// From here on nothing fails any more, so that all comes to its end.
    pub(super) calm: bool,
    /// Nobody gets anything any more.
    pub(super) closed: bool,
    pub(super) first: i64,
}

impl World {
    pub(super) fn new(mut random: Random, shape: Shape) -> Self {
        let offers: Vec<Offer> = (0..1 + random.below(shape.topologies))
            .map(|number| Offer {
                topology: Arc::new(topology(number)),
                conditions: 0,
                apart: 0,
                takes: Resources {
                    memory_mib: 1 + random.below(3) as u64,
                    cpu_percent: 10 * random.below(4) as u64,
                },
                copies: if shape.copies {
                    2 + random.below(2)
                } else {
                    1 + usize::from(random.chance(20))
                },
            })
            .collect();
        let narrow = |random: &mut Random| 2 + random.below(5) as u64;
        let has = Resources {
            memory_mib: if shape.narrow {
                narrow(&mut random)
            } else {
                100
            },
            cpu_percent: if shape.narrow {
                10 * narrow(&mut random)
            } else {
                1_000
            },
        };
        let core = Leases::new(has, random.chance(10)).lingering(random.chance(20));
        // Worlds without others play the schedules that they would play anyway.
        let others_hold = match shape.shares {
            true => random.below(5) as u64,
            false => 0,
        };
        let total = has.memory_mib + others_hold;
        let slots = shape.slots.then(|| 1 + random.below(4));
        Self {
            core: if shape.shares {
                core.sharing(total)
            } else {
                core
            },
            total,
            others_hold,
            random,
            now: 0,
            shape,
            has,
            offers,
            clients: BTreeMap::new(),
            slots,
            open: BTreeMap::new(),
            leases: BTreeMap::new(),
            running: Vec::new(),
            beginning: Vec::new(),
            pending: Vec::new(),
            deployments: BTreeMap::new(),
            retries: BTreeMap::new(),
            failed: BTreeSet::new(),
            looks: BTreeMap::new(),
            too_late: BTreeSet::new(),
            taken: BTreeMap::new(),
            polls: 0,
            polls_for_plain: BTreeSet::new(),
            tickets: 0,
            closed: false,
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
        self.others_hold = 0;
        if self.tickets.is_multiple_of(8) {
            // All is over while tests still run.
            return self.close();
        }
        let mut steps = 0;
        while !self.is_settled() {
            self.step();
            steps += 1;
            assert!(steps < 3_000, "it never ends: {}", self.describe());
        }
        self.close();
    }

    pub(super) fn is_settled(&self) -> bool {
        let idle = |client: &Client| client.gone || client.plain + client.stints == 0;
        self.open.is_empty() && self.leases.is_empty() && self.clients.values().all(idle)
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "{} wishes, {} leases, {:?} pending, {:?}",
            self.open.len(),
            self.leases.len(),
            self.pending,
            self.core.glance()
        )
    }

    pub(super) fn join(&mut self, client: ClientNo) {
        let slots = 1 + self.random.below(4);
        let plain = match self.slots {
            Some(_) => self.random.below(6),
            None => 0,
        };
        self.clients.insert(
            client,
            Client {
                slots,
                polls: BTreeSet::new(),
                running: 0,
                gone: false,
                keeps: false,
                plain,
                stints: 0,
            },
        );
        let shared = self.slots;
        self.feed(Input::Joined {
            client,
            slots,
            shared,
        });
        self.wish(client);
    }

    pub(super) fn wish(&mut self, client: ClientNo) {
        let count = 1 + self.random.below(6);
        let wishes: Vec<Wish> = (0..count).map(|_| self.random_wish(client)).collect();
        let offers = self.offers.clone();
        let keep = self.random.chance(10);
        if let Some(client) = self.clients.get_mut(&client) {
            client.keeps |= keep;
        }
        self.feed(Input::Wished {
            client,
            offers,
            wishes,
            keep,
        });
    }

    pub(super) fn random_wish(&mut self, client: ClientNo) -> Wish {
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
        let held = self.random.chance(15);
        self.open.insert(
            (client, self.tickets),
            Open {
                client,
                order: self.tickets as i64,
                needs: needs.clone(),
                begins_later,
                held,
            },
        );
        Wish {
            ticket: self.tickets,
            test: format!("t{}", self.tickets).into(),
            needs,
            expected_us: self.random.below(1_000) as u64,
            begins_later,
            held,
            quiet: false,
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.feed(Input::Closed);
        let is_prepared = |one: &Pending| matches!(one, Pending::Prepare(_));
        self.pending.retain(|one| !is_prepared(one));
        assert!(self.leases.is_empty(), "a lease did not end");
        let mut steps = 0;
        while !self.core.is_empty() {
            self.end_something();
            steps += 1;
            assert!(steps < 3_000, "it is never closed: {}", self.describe());
        }
        assert!(self.deployments.is_empty(), "something was left");
    }

    pub(super) fn feed(&mut self, input: Input) {
        for action in self.core.handle(self.now, input) {
            self.act(action);
            self.check_memory();
        }
        let used = self.used();
        assert_eq!(used, self.core.holds_mib(), "others are told otherwise");
        while let Some(lease) = self.beginning.pop() {
            self.feed(Input::Begun { lease });
        }
        self.check_slots();
        self.check_idle_copies();
    }

    pub(super) fn check_memory(&self) {
        let (used, has) = (self.used(), self.has.memory_mib);
        assert!(used <= has, "{used} of {has} MiB");
        let (all, total) = (used + self.others_hold, self.total);
        let shares = self.shape.shares;
        assert!(!shares || all <= total, "all hold {all} of {total} MiB");
    }

    /// What its deployments hold.
    pub(super) fn used(&self) -> u64 {
        let each = (self.deployments.values())
            .map(|deployment| self.offers[deployment.topology].takes.memory_mib);
        each.sum()
    }
}

pub(super) fn topology(number: usize) -> Topology {
    Topology {
        system: "toy".to_owned(),
        shape: format!("shape{number}"),
        params: BTreeMap::new(),
        words: Default::default(),
        options: Vec::new(),
        binaries: BTreeMap::new(),
        data: None,
    }
}
