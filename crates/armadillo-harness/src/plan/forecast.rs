//! When a run would end: the lease core, driven by recorded durations in the place of deployments and tests. The forecast
//! and the run so follow one set of rules.

#[cfg(test)]
pub(crate) mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use armadillo_orchestrator::Topology;
use armadillo_orchestrator::duration::micros;

use super::cost::Cost;
use super::{Plan, Planned};
use crate::leases::{
    Action, ClientNo, DeploymentNo, Ended, Found, Input, LeaseNo, Leases, Moment, Offer, PollNo,
    Wish,
};
use crate::needs::LeaseMode;
use crate::resources::Resources;

/// How many tests of equal needs are told apart; of more, neighbours count as one. A forecast must cost next to nothing.
const MOST: usize = 100;

/// How long a deployment takes to stop, in microseconds: only who waits for its room notices.
const STOP: Moment = 200_000;

/// The one client of a forecast.
const CLIENT: ClientNo = ClientNo(0);

/// What a test needs: places among the topologies.
type Needs = Vec<(usize, LeaseMode)>;

/// What a run has to do.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) slots: usize,
    pub(super) has: Resources,
    pub(super) topologies: Vec<(Arc<Topology>, Cost)>,
    pub(super) jobs: Vec<Job>,
}

/// A test, or several that are done one after the other.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) needs: Needs,
    pub(super) takes: Moment,
}

/// When what would end, in microseconds from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forecast {
    /// The last test.
    pub(super) end: Moment,
    /// The last test of each topology.
    pub(super) last: Vec<Moment>,
}

impl Work {
    pub(super) fn of(plan: &Plan, costs: &[Cost], slots: usize, has: Resources) -> Self {
        let topologies = plan.topologies.iter().zip(costs);
        let mut work = Self {
            slots,
            has,
            topologies: topologies
                .map(|(planned, cost)| (Arc::new(planned.topology.clone()), *cost))
                .collect(),
            jobs: Vec::new(),
        };
        let needs: Vec<Needs> = plan.tests.iter().map(|test| work.needs_of(test)).collect();
        let mut counts: BTreeMap<&Needs, usize> = BTreeMap::new();
        for needs in &needs {
            *counts.entry(needs).or_default() += 1;
        }
        let unknown = mean(&plan.tests);
        // The job that takes in more tests of these needs, and how many more.
        let mut open: BTreeMap<&Needs, (usize, usize)> = BTreeMap::new();
        for (test, needs) in plan.tests.iter().zip(&needs) {
            let takes = test.expected.map_or(unknown, super::micros);
            match open.get_mut(needs) {
                Some((job, more)) if *more > 0 => {
                    *more -= 1;
                    let between = work.between(needs);
                    work.jobs[*job].takes += between + takes;
                }
                _ => {
                    let together = counts[needs].div_ceil(MOST);
                    open.insert(needs, (work.jobs.len(), together - 1));
                    let needs = needs.clone();
                    work.jobs.push(Job { needs, takes });
                }
            }
        }
        work
    }

    fn needs_of(&self, test: &Planned) -> Needs {
        let needs = test.needs.iter().filter_map(|need| {
            let place = self.place(&need.topology)?;
            Some((place, need.mode))
        });
        needs.collect()
    }

    fn place(&self, topology: &Topology) -> Option<usize> {
        let mut known = self.topologies.iter();
        known.position(|(known, _)| **known == *topology)
    }

    /// What lies between two tests of equal needs that follow each other.
    fn between(&self, needs: &Needs) -> Moment {
        let each = needs.iter().map(|(at, mode)| match mode {
            LeaseMode::Shared | LeaseMode::Unstarted => 0,
            LeaseMode::Exclusive => self.topologies[*at].1.repair,
            LeaseMode::Fresh => self.topologies[*at].1.start,
        });
        each.max().unwrap_or(0)
    }
}

/// How long a test takes of which nothing is recorded: as long as the others on average.
fn mean(tests: &[Planned]) -> Moment {
    let recorded = tests.iter().filter_map(|test| test.expected);
    let (count, sum) = recorded.fold((0, 0), |(count, sum), took| (count + 1, sum + micros(took)));
    match count {
        0 => micros(super::UNKNOWN),
        count => sum / count,
    }
}

/// When everything would end with so many copies of each topology.
pub(super) fn forecast(work: &Work, copies: &[usize]) -> Forecast {
    let mut run = Run {
        work,
        core: Leases::new(work.has, false),
        now: 0,
        coming: BinaryHeap::new(),
        inbox: VecDeque::new(),
        plain: VecDeque::new(),
        deployments: BTreeMap::new(),
        leases: BTreeMap::new(),
        polls: 0,
        forecast: Forecast {
            end: 0,
            last: vec![0; work.topologies.len()],
        },
    };
    run.begin(copies);
    while let Some(Reverse((at, next))) = run.coming.pop() {
        run.now = at;
        run.happens(next);
    }
    run.forecast
}

/// Something that comes to its end at its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    /// A test without a deployment.
    Plain,
    /// The test of a lease.
    Test(LeaseNo),
    Start(DeploymentNo),
    Repair(DeploymentNo),
    Stop(DeploymentNo),
}

/// A run that only takes place in numbers.
struct Run<'w> {
    work: &'w Work,
    core: Leases,
    now: Moment,
    coming: BinaryHeap<Reverse<(Moment, Coming)>>,
    inbox: VecDeque<Input>,
    /// How long tests take that need no deployment and have not begun.
    plain: VecDeque<Moment>,
    /// The place of each deployment's topology.
    deployments: BTreeMap<DeploymentNo, usize>,
    /// The job of each lease.
    leases: BTreeMap<LeaseNo, usize>,
    polls: u64,
    forecast: Forecast,
}

impl Run<'_> {
    fn begin(&mut self, copies: &[usize]) {
        let work = self.work;
        let offers = work.topologies.iter().zip(copies);
        let offers = offers.map(|((topology, cost), copies)| Offer {
            topology: topology.clone(),
            conditions: 0,
            apart: 0,
            takes: cost.takes,
            copies: *copies,
        });
        let with_needs = |(_, job): &(usize, &Job)| !job.needs.is_empty();
        let wishes = work.jobs.iter().enumerate().filter(with_needs);
        let wishes = wishes.map(|(number, job)| Wish {
            ticket: number as u64,
            test: "".into(),
            needs: job.needs.clone(),
            expected_us: job.takes,
            begins_later: false,
            held: false,
            quiet: false,
        });
        let plain = work.jobs.iter().filter(|job| job.needs.is_empty());
        self.plain = plain.map(|job| job.takes).collect();
        self.inbox.push_back(Input::Joined {
            client: CLIENT,
            slots: work.slots,
            shared: None,
        });
        self.inbox.push_back(Input::Wished {
            client: CLIENT,
            offers: offers.collect(),
            wishes: wishes.collect(),
            keep: false,
        });
        for _ in 0..work.slots {
            self.take_poll();
        }
        self.drive();
    }

    /// A slot is free. A test that needs no deployment runs when no other can.
    fn take_poll(&mut self) {
        self.polls += 1;
        self.inbox.push_back(Input::Polled {
            client: CLIENT,
            poll: PollNo(self.polls),
            wait: self.plain.is_empty(),
            plain: false,
        });
    }

    fn drive(&mut self) {
        while let Some(input) = self.inbox.pop_front() {
            for action in self.core.handle(self.now, input) {
                self.act(action);
            }
        }
    }

    fn after(&mut self, time: Moment, what: Coming) {
        self.coming.push(Reverse((self.now + time, what)));
    }

    fn cost(&self, deployment: DeploymentNo) -> Option<Cost> {
        let at = self.deployments.get(&deployment)?;
        Some(self.work.topologies[*at].1)
    }

    fn happens(&mut self, what: Coming) {
        match what {
            Coming::Plain => {
                self.forecast.end = self.now;
                self.take_poll();
            }
            Coming::Test(lease) => {
                self.test_ends(lease);
                let how = Ended::default();
                self.inbox.push_back(Input::Released { lease, how });
            }
            Coming::Start(deployment) => self.inbox.push_back(Input::Started {
                deployment,
                outcome: Ok(()),
            }),
            Coming::Repair(deployment) => self.inbox.push_back(Input::Repaired {
                deployment,
                outcome: Ok(()),
            }),
            Coming::Stop(deployment) => self.inbox.push_back(Input::Stopped { deployment }),
        }
        self.drive();
    }

    fn test_ends(&mut self, lease: LeaseNo) {
        self.forecast.end = self.now;
        if let Some(job) = self.leases.get(&lease) {
            for (at, _) in &self.work.jobs[*job].needs {
                self.forecast.last[*at] = self.now;
            }
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
                let takes = self.cost(deployment).map_or(0, |cost| cost.repair);
                self.after(takes, Coming::Repair(deployment));
            }
            Action::Stop { deployment, .. } => self.after(STOP, Coming::Stop(deployment)),
            Action::Grant { lease, ticket, .. } => {
                self.leases
                    .insert(lease, usize::try_from(ticket).unwrap_or(0));
                self.inbox.push_back(Input::Begun { lease });
            }
            Action::Begin { lease, go: true } => {
                let job = self.leases.get(&lease).map(|job| &self.work.jobs[*job]);
                let takes = job.map_or(0, |job| job.takes);
                self.after(takes, Coming::Test(lease));
            }
            Action::Nothing { .. } => match self.plain.pop_front() {
                Some(takes) => self.after(takes, Coming::Plain),
                None => self.take_poll(),
            },
            Action::Examine {
                lease, deployment, ..
            } => self.inbox.push_back(Input::Examined {
                lease,
                deployment,
                found: Found {
                    ended_at: self.now,
                    ..Found::default()
                },
            }),
            Action::Begin { .. } | Action::Refuse { .. } | Action::Conclude { .. } => {
                self.take_poll();
            }
            // Nobody keeps fixtures here.
            // It has memory and slots of its own.
            Action::DropFixtures { .. } | Action::Plain { .. } | Action::Look => {}
        }
    }

    fn start(&mut self, deployment: DeploymentNo, topology: &Topology, mode: LeaseMode) {
        let Some(at) = self.work.place(topology) else {
            return;
        };
        self.deployments.insert(deployment, at);
        let takes = match mode {
            LeaseMode::Unstarted => 0,
            _ => self.work.topologies[at].1.start,
        };
        self.after(takes, Coming::Start(deployment));
    }
}
