//! Which test a slot runs next: one that the daemon grants a lease for, or one that needs none.
//!
//! The runner tells the daemon which tests it wants to run, and asks at the moment when a slot is free. It never holds a
//! lease that nobody is ready to use.

mod asks;
mod fixtures;
mod jobs;
mod plain;
mod repeated;
mod scripted;
mod shared_slots;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::Topology;
use armadillo_orchestrator::duration::millis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::client::{AskError, DaemonClient};
use crate::event::Event;
use crate::needs::LeaseMode;
use crate::plan::Plan;
use crate::protocol::daemon::{Conditions, Grant, Join, Joined, Offer, Retry, Wish, Wishes};
use crate::protocol::endpoints::{self, Done, Endpoint};
use crate::script::Player;

use shared_slots::Stints;

/// How long the daemon may take to note something.
const NOTE_LIMIT: Duration = Duration::from_secs(60);

/// How long the daemon may take to hear that this process leaves.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// One attempt of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The test's place in the plan.
    pub(super) test: usize,
    /// 1 for the first.
    pub(super) attempt: u32,
    /// What it needs of leases, in the order of the test's needs.
    pub(super) modes: Vec<LeaseMode>,
    /// Whether its test ran before in this run, and will be told of once.
    pub(super) again: bool,
    /// The number by which the daemon knows it.
    ticket: u64,
}

/// What a slot is to do next.
pub(super) enum Task {
    /// Run this test, with its lease on each of its deployments.
    Run(Job, Vec<Grant>),
    /// The deployments of this test cannot be had.
    Refused(Job, String),
    /// Tear down the fixtures that this slot keeps for a deployment.
    DropFixtures(String),
}

/// The queue of a run.
pub(super) struct Queue {
    plan: Arc<Plan>,
    slots: u32,
    daemon: Option<DaemonClient>,
    /// What servers are started with, if the daemon serves others, too.
    conditions: Option<Conditions>,
    /// How long the daemon is to stay up after this run, if it does.
    stays: Option<Duration>,
    /// How many slots this run has together with others, if it shares them.
    shared_slots: Option<u32>,
    state: RefCell<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// What the daemon said when this process came.
    joined: Option<Joined>,
    /// Tests that need no deployment.
    plain: VecDeque<Job>,
    /// What the daemon was asked for and has not granted.
    wished: BTreeMap<u64, Job>,
    /// What is to be wished for as soon as possible.
    unwished: Vec<Job>,
    /// What a script holds back until its time comes.
    held: BTreeMap<usize, Job>,
    /// How far that script is.
    player: Option<Player>,
    tickets: u64,
    polls: u32,
    /// The shared slots that run tests without deployments.
    stints: Stints,
    /// What each slot is to tear down.
    chores: BTreeMap<u32, VecDeque<String>>,
    /// The slots that keep fixtures, by deployment.
    keepers: BTreeMap<String, BTreeSet<u32>>,
    /// Deployments that have stopped: nobody is told any more to tear anything down for them.
    ended: BTreeSet<String>,
    /// Attempts that were handed out and have not ended.
    running: usize,
    /// No more tests are handed out.
    stopped: bool,
    /// Why the daemon cannot be asked any more.
    broken: Option<String>,
}

impl Queue {
    pub(super) fn new(
        plan: Arc<Plan>,
        slots: usize,
        daemon: Option<DaemonClient>,
        conditions: Option<Conditions>,
    ) -> Self {
        Self {
            conditions,
            stays: None,
            shared_slots: None,
            plan,
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            daemon,
            state: RefCell::default(),
            changed: Notify::new(),
        }
    }

    /// The same for a daemon that stays up so long after this run, with its deployments.
    pub(super) fn of_daemon_that_stays(self, stays: Option<Duration>) -> Self {
        Self { stays, ..self }
    }

    /// The same for a run that shares so many slots with others.
    pub(super) fn with_shared_slots(self, shared_slots: Option<u32>) -> Self {
        Self {
            shared_slots,
            ..self
        }
    }

    /// Tells the daemon who is here and what it wants to run.
    pub(super) async fn begin(&self, repeats: bool) -> Result<(), AskError> {
        self.join().await?;
        let jobs: Vec<Job> = (0..self.plan.tests.len())
            .map(|test| self.first_attempt(test))
            .collect();
        let jobs = self.hold(jobs);
        let (plain, wished): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.modes.is_empty());
        self.state.borrow_mut().plain.extend(plain);
        self.wish(wished, false).await?;
        if repeats {
            self.keep_shared().await?;
        }
        Ok(())
    }

    /// Tells the daemon who is here, and which deployments will be needed.
    pub(super) async fn begin_without_tests(&self) -> Result<(), AskError> {
        self.join().await?;
        self.wish(Vec::new(), true).await
    }

    async fn join(&self) -> Result<(), AskError> {
        if let Some(daemon) = &self.daemon {
            let join = Join {
                slots: self.slots,
                // What is there is everybody's if the slots are.
                stays_ms: (self.stays.map(millis)).filter(|_| self.shared_slots.is_none()),
                shared_slots: self.shared_slots,
            };
            let joined = daemon.ask::<endpoints::Join>(&[], &join, None, NOTE_LIMIT);
            let joined = joined.await?;
            self.state.borrow_mut().joined = Some(joined);
            self.changed.notify_waiters();
        }
        Ok(())
    }

    /// Tells a daemon that outlives this run that nobody comes any more; it takes back what tests that were cut off hold.
    pub(super) async fn leave(&self) {
        if let Some(daemon) = &self.daemon {
            // If it cannot be said, the end of this process says it.
            _ = self
                .tell::<endpoints::Leave>(daemon, &(), LEAVE_LIMIT)
                .await;
        }
    }

    /// Waits until the daemon knows this process: how many events there were, and those of the deployments there are.
    pub(super) async fn joined(&self) -> (usize, Vec<Event>) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(joined) = &mut self.state.borrow_mut().joined {
                return (joined.events, std::mem::take(&mut joined.deployments));
            }
            changed.await;
        }
    }

    /// Asks for leases for these. With `keep` every topology of the plan is needed until the end.
    pub(super) async fn wish(&self, jobs: Vec<Job>, keep: bool) -> Result<(), AskError> {
        let Some(daemon) = &self.daemon else {
            return Ok(());
        };
        if jobs.is_empty() && !keep {
            return Ok(());
        }
        let place = |topology: &Topology, apart: u32| {
            let mut all = self.plan.topologies.iter();
            all.position(|known| known.topology == *topology && known.apart == apart)
        };
        let wish = |job: &Job| {
            let planned = &self.plan.tests[job.test];
            let needs = planned.needs.iter().zip(&job.modes).enumerate();
            let needs = needs.filter_map(|(number, (need, mode))| {
                let apart = self.plan.apart(job.test, number);
                Some((place(&need.topology, apart)?, *mode))
            });
            Wish {
                ticket: job.ticket,
                test: planned.name.clone(),
                needs: needs.collect(),
                expected_us: planned.expected_us(),
                begins_later: job.begins_later(planned) || self.shared_slots.is_some(),
                quiet: job.again,
                held: self.state.borrow().held.contains_key(&job.test),
            }
        };
        let wishes = Wishes {
            topologies: (self.plan.topologies.iter())
                .map(|planned| Offer {
                    topology: planned.topology.clone(),
                    copies: planned.copies,
                    apart: planned.apart,
                })
                .collect(),
            tests: jobs.iter().map(wish).collect(),
            keep,
            conditions: self.conditions.clone(),
        };
        {
            let mut state = self.state.borrow_mut();
            state
                .wished
                .extend(jobs.into_iter().map(|job| (job.ticket, job)));
        }
        let Done {} = self
            .tell::<endpoints::Wish>(daemon, &wishes, NOTE_LIMIT)
            .await?;
        Ok(())
    }

    /// What `slot` does next; `None` when there is nothing left for it.
    pub(super) async fn next(&self, slot: u32) -> Option<Task> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.look(slot) {
                Look::Task(task) => return Some(task),
                Look::Over => return None,
                Look::Wait => changed.await,
                Look::FreeSlot => self.free_slot().await,
                Look::Ask { wait } => {
                    let asked = self.ask(slot, wait, changed).await;
                    if let Some(task) = asked {
                        return Some(task);
                    }
                    if !wait && let Some(task) = self.take_plain() {
                        return Some(task);
                    }
                }
            }
        }
    }

    /// What there is for a slot at this moment.
    fn look(&self, slot: u32) -> Look {
        let mut state = self.state.borrow_mut();
        let chore = state.chores.get_mut(&slot).and_then(VecDeque::pop_front);
        if let Some(deployment) = chore {
            return Look::Task(Task::DropFixtures(deployment));
        }
        if state.stopped || state.broken.is_some() {
            return Look::Over;
        }
        if let Some(look) = state.look_at_stint(slot) {
            return look;
        }
        if self.shared_slots.is_some() && !state.plain.is_empty() {
            return Look::Ask { wait: true };
        }
        if !state.wished.is_empty() {
            // A test that needs no deployment runs when no other can.
            return Look::Ask {
                wait: state.plain.is_empty(),
            };
        }
        if let Some(task) = state.take_plain() {
            return Look::Task(task);
        }
        if !state.held.is_empty() {
            return Look::Wait;
        }
        match (state.running, state.keepers.first_key_value()) {
            (0, None) => Look::Over,
            // The deployment stays, and what is kept for it goes with this run.
            (0, Some((deployment, slots))) if self.stays.is_some() => {
                let here = slots.contains(&slot);
                let deployment = deployment.clone();
                if here {
                    Look::Task(Task::DropFixtures(deployment))
                } else {
                    Look::Wait
                }
            }
            (0, Some(_)) => Look::Ask { wait: true },
            _ => Look::Wait,
        }
    }

    /// Another attempt that the daemon may grant as soon as it knows that it is needed.
    pub(super) fn expect(&self, retry: &Job) -> Retry {
        let mut state = self.state.borrow_mut();
        state.wished.insert(retry.ticket, retry.clone());
        Retry {
            ticket: retry.ticket,
            modes: retry.modes.clone(),
        }
    }

    /// The attempt is not needed.
    pub(super) fn forget(&self, retry: &Job) {
        self.state.borrow_mut().wished.remove(&retry.ticket);
        self.changed.notify_waiters();
    }

    /// The daemon is asked whether a test may begin: if not, it may grant another lease for it at once.
    pub(super) fn prepare_to_wait(&self, job: &Job) {
        self.expect(job);
    }

    /// The daemon has taken the lease back before the test began.
    pub(super) fn put_back(&self) {
        self.state.borrow_mut().running -= 1;
        self.changed.notify_waiters();
    }

    /// An attempt has ended.
    pub(super) fn finished(&self, job: &Job) {
        let mut state = self.state.borrow_mut();
        state.running -= 1;
        if let Some(player) = &mut state.player {
            player.ended(job.test);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The test begins.
    pub(super) fn begins(&self, job: &Job) {
        self.forget(job);
    }

    /// Hands out no more tests.
    pub(super) fn stop(&self) {
        self.state.borrow_mut().stopped = true;
        self.changed.notify_waiters();
    }

    /// Whether no more tests are handed out.
    pub(super) fn is_stopped(&self) -> bool {
        self.state.borrow().stopped
    }

    /// Why the daemon cannot be asked any more.
    pub(super) fn broken(&self) -> Option<String> {
        self.state.borrow().broken.clone()
    }

    /// Sends a request of this client.
    async fn tell<E>(
        &self,
        daemon: &DaemonClient,
        body: &E::Body,
        limit: Duration,
    ) -> Result<E::Answer, AskError>
    where
        E: Endpoint<Body: Serialize, Answer: DeserializeOwned>,
    {
        let joined = self
            .state
            .borrow()
            .joined
            .as_ref()
            .map(|joined| joined.client);
        let client = joined.unwrap_or(0).to_string();
        daemon.ask::<E>(&[&client], body, None, limit).await
    }
}

/// What there is for a slot.
enum Look {
    Task(Task),
    /// The daemon may have something.
    Ask {
        wait: bool,
    },
    /// The slot is not needed for tests without deployments any more.
    FreeSlot,
    /// Something may come of tests that run.
    Wait,
    /// Nothing any more.
    Over,
}
