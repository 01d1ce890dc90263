//! Which test runs next: leases are asked for ahead of need, and a free slot takes whatever can run now.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::Topology;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::client::{DaemonClient, WITHOUT_LIMIT};
use crate::needs::{LeaseMode, Need};
use crate::plan::{Plan, Planned};
use crate::protocol::daemon::{Ask, Grant, Want};

/// How long a test is thought to take that was never seen.
const UNKNOWN: Duration = Duration::from_millis(200);

/// One attempt of one test.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The test's place in the plan.
    pub(super) test: usize,
    /// 1 for the first.
    pub(super) attempt: u32,
}

/// What a slot is to do next.
pub(super) enum Task {
    /// Run this test, with this lease if it needs one.
    Run(Job, Option<Box<Grant>>),
    /// The lease of this test could not be had.
    Refused(Job, String),
    /// Tear down the fixtures that this slot's worker keeps for a deployment.
    DropFixtures(String),
}

/// The runner's half of scheduling: the order of asking. Granting is the daemon's.
pub(super) struct Schedule {
    plan: Rc<Plan>,
    slots: usize,
    daemon: DaemonClient,
    state: RefCell<State>,
    changed: Notify,
}

struct State {
    /// Tests that need no deployment.
    plain: VecDeque<Job>,
    groups: Vec<Group>,
    /// Tests that can run now, and those whose lease was refused.
    ready: VecDeque<Task>,
    /// What each slot is to tear down.
    chores: BTreeMap<usize, VecDeque<String>>,
    /// Tests without a final verdict.
    unfinished: usize,
    /// No more tests are handed out.
    stopped: bool,
    asking: JoinSet<()>,
}

/// The tests of one topology.
struct Group {
    topology: Topology,
    waiting: VecDeque<Job>,
    /// Asked for and not yet granted, or running, or to be torn down.
    open: usize,
    asked: usize,
    /// How long its tests without a final verdict will take, as far as earlier runs tell.
    left: Duration,
    /// The slots whose workers keep fixtures, by deployment.
    keepers: BTreeMap<String, BTreeSet<usize>>,
    /// Every test is done, and the fixtures kept are being torn down.
    released: bool,
    /// The daemon was told that the topology is needed no more.
    given_back: bool,
}

impl Schedule {
    pub(super) fn new(plan: Rc<Plan>, slots: usize, daemon: DaemonClient) -> Self {
        let mut groups: Vec<Group> = plan.topologies.iter().cloned().map(Group::new).collect();
        let mut plain = VecDeque::new();
        for (test, planned) in plan.tests.iter().enumerate() {
            let job = Job { test, attempt: 1 };
            match planned.needs.first() {
                None => plain.push_back(job),
                Some(need) => {
                    if let Some(group) = groups
                        .iter_mut()
                        .find(|group| group.topology == need.topology)
                    {
                        group.waiting.push_back(job);
                        group.left += share(planned, slots);
                    }
                }
            }
        }
        let state = State {
            plain,
            groups,
            ready: VecDeque::new(),
            chores: BTreeMap::new(),
            unfinished: plan.tests.len(),
            stopped: false,
            asking: JoinSet::new(),
        };
        Self {
            plan,
            slots,
            daemon,
            state: RefCell::new(state),
            changed: Notify::new(),
        }
    }

    /// Announces every topology and asks for the first leases.
    pub(super) async fn begin(self: &Rc<Self>) -> Result<(), crate::client::AskError> {
        for topology in &self.plan.topologies {
            let leases = self.plan.tests.iter().filter(|planned| {
                (planned.needs.first())
                    .is_some_and(|need| need.topology == *topology && !need.mode.is_fresh())
            });
            let want = Want {
                topology: topology.clone(),
                leases: u32::try_from(leases.count()).unwrap_or(u32::MAX),
            };
            self.daemon
                .post::<serde_json::Value>("/v1/topologies", &want, None, WITHOUT_LIMIT)
                .await?;
        }
        self.ask_ahead();
        Ok(())
    }

    /// What `slot` does next; `None` when there is nothing left for it.
    pub(super) async fn next(&self, slot: usize) -> Option<Task> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = self.state.borrow_mut();
                if let Some(deployment) = state.chores.get_mut(&slot).and_then(VecDeque::pop_front)
                {
                    return Some(Task::DropFixtures(deployment));
                }
                if !state.stopped {
                    if let Some(task) = self.take_most_urgent(&mut state) {
                        return Some(task);
                    }
                    if let Some(job) = state.plain.pop_front() {
                        return Some(Task::Run(job, None));
                    }
                }
                if state.stopped
                    || (state.unfinished == 0 && state.groups.iter().all(|group| group.open == 0))
                {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// The test of this job has its final verdict. `keeps` names a deployment for which `slot`'s worker keeps fixtures.
    pub(super) fn finished(self: &Rc<Self>, job: &Job, slot: usize, keeps: Option<&str>) {
        {
            let mut state = self.state.borrow_mut();
            state.unfinished -= 1;
            if let Some(group) = self.group_of(job, &mut state) {
                group.keep(slot, keeps);
                group.open -= 1;
                group.left = group
                    .left
                    .saturating_sub(share(&self.plan.tests[job.test], self.slots));
            }
        }
        self.after_change();
    }

    /// The test is to be tried again.
    pub(super) fn again(self: &Rc<Self>, job: &Job, slot: usize, keeps: Option<&str>) {
        let retry = Job {
            test: job.test,
            attempt: job.attempt + 1,
        };
        {
            let mut state = self.state.borrow_mut();
            match self.group_of(job, &mut state) {
                Some(group) => {
                    group.keep(slot, keeps);
                    group.open -= 1;
                    group.waiting.push_front(retry);
                }
                None => state.plain.push_front(retry),
            }
        }
        self.after_change();
    }

    /// The fixtures that `slot` kept for a deployment are gone, torn down or lost with their worker.
    pub(super) fn fixtures_gone(self: &Rc<Self>, slot: usize, deployment: Option<&str>) {
        {
            let mut state = self.state.borrow_mut();
            for group in &mut state.groups {
                group.keepers.retain(|kept, slots| {
                    let gone = deployment.is_none_or(|deployment| deployment == kept)
                        && slots.remove(&slot);
                    // A chore already handed out is counted as open.
                    if gone && group.released {
                        group.open -= 1;
                    }
                    !slots.is_empty()
                });
            }
            if deployment.is_none() {
                state.chores.remove(&slot);
            }
        }
        self.after_change();
    }

    /// What can run now, from the group that has most left to do: it ends last, so it must not wait.
    fn take_most_urgent(&self, state: &mut State) -> Option<Task> {
        let urgency = |task: &Task| match task {
            Task::Run(job, _) => self.left_to_do(job, &state.groups),
            Task::Refused(..) | Task::DropFixtures(_) => Duration::MAX,
        };
        let most =
            (0..state.ready.len()).max_by_key(|at| (urgency(&state.ready[*at]), Reverse(*at)))?;
        state.ready.remove(most)
    }

    fn left_to_do(&self, job: &Job, groups: &[Group]) -> Duration {
        let needs = self.plan.tests[job.test].needs.first();
        let group =
            needs.and_then(|need| groups.iter().find(|group| group.topology == need.topology));
        group.map_or(Duration::ZERO, |group| group.left)
    }

    /// Hands out no more tests.
    pub(super) fn stop(&self) {
        let mut state = self.state.borrow_mut();
        state.stopped = true;
        state.asking.abort_all();
        drop(state);
        self.changed.notify_waiters();
    }

    fn group_of<'a>(&self, job: &Job, state: &'a mut State) -> Option<&'a mut Group> {
        let topology = &self.plan.tests[job.test].needs.first()?.topology;
        state
            .groups
            .iter_mut()
            .find(|group| group.topology == *topology)
    }

    fn after_change(self: &Rc<Self>) {
        self.ask_ahead();
        self.release_done_groups();
        self.changed.notify_waiters();
    }

    /// Asks for as many leases of each topology as there are slots; more would not run sooner.
    fn ask_ahead(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if state.stopped {
            return;
        }
        let State { groups, asking, .. } = &mut *state;
        for group in groups {
            while group.asked < self.slots
                && let Some(job) = group.waiting.pop_front()
            {
                group.asked += 1;
                group.open += 1;
                asking.spawn_local(self.clone().ask(job));
            }
        }
        while asking.try_join_next().is_some() {}
    }

    async fn ask(self: Rc<Self>, job: Job) {
        let planned = &self.plan.tests[job.test];
        let Some(Need { topology, mode }) = planned.needs.first().cloned() else {
            return;
        };
        let ask = Ask {
            topology,
            mode,
            test: planned.name.clone(),
        };
        let answer = self
            .daemon
            .post::<Grant>("/v1/leases", &ask, None, WITHOUT_LIMIT)
            .await;
        {
            let mut state = self.state.borrow_mut();
            if let Some(group) = self.group_of(&job, &mut state) {
                group.asked -= 1;
            }
            // Before the others of its group: a deployment that is somebody's alone stands idle until a slot is free.
            match answer {
                Ok(grant) if mode == LeaseMode::Shared => {
                    state.ready.push_back(Task::Run(job, Some(Box::new(grant))));
                }
                Ok(grant) => state
                    .ready
                    .push_front(Task::Run(job, Some(Box::new(grant)))),
                Err(error) => state
                    .ready
                    .push_front(Task::Refused(job, error.to_string())),
            }
        }
        self.after_change();
    }

    /// A topology whose tests are done: first its fixtures are torn down, then the daemon may stop its deployment.
    fn release_done_groups(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        let State {
            groups,
            chores,
            asking,
            stopped,
            ..
        } = &mut *state;
        if *stopped {
            return;
        }
        for group in groups {
            if group.open > 0 || !group.waiting.is_empty() {
                continue;
            }
            if !group.released {
                group.released = true;
                for (deployment, slots) in &group.keepers {
                    for slot in slots {
                        group.open += 1;
                        chores
                            .entry(*slot)
                            .or_default()
                            .push_back(deployment.clone());
                    }
                }
            }
            if group.open == 0 && !group.given_back {
                group.given_back = true;
                let want = Want {
                    topology: group.topology.clone(),
                    leases: 0,
                };
                let daemon = self.daemon.clone();
                // If it cannot be said, the deployment stops with the run.
                asking.spawn_local(async move {
                    let _ = daemon
                        .post::<serde_json::Value>("/v1/topologies", &want, None, WITHOUT_LIMIT)
                        .await;
                });
            }
        }
    }
}

/// How long a test keeps its group's deployment busy: alone, or beside as many others as there are slots.
fn share(planned: &Planned, slots: usize) -> Duration {
    let expected = planned.expected.unwrap_or(UNKNOWN);
    match planned.needs.first().map(|need| need.mode) {
        Some(LeaseMode::Exclusive) => expected,
        _ => expected / u32::try_from(slots).unwrap_or(1).max(1),
    }
}

impl Group {
    fn new(topology: Topology) -> Self {
        Self {
            topology,
            waiting: VecDeque::new(),
            open: 0,
            asked: 0,
            left: Duration::ZERO,
            keepers: BTreeMap::new(),
            released: false,
            given_back: false,
        }
    }

    fn keep(&mut self, slot: usize, deployment: Option<&str>) {
        if let Some(deployment) = deployment {
            self.keepers
                .entry(deployment.to_owned())
                .or_default()
                .insert(slot);
        }
    }
}
