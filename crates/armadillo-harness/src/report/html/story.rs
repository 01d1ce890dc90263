//! What happened in a run, on its clock: the fold that the timeline is made of. What the other reports need of a run is in
//! [`Model`](crate::report::Model); this keeps the moments.

use std::collections::{BTreeMap, HashMap};

use armadillo_orchestrator::operations::{Outcome, StepState};
use armadillo_orchestrator::{LeadershipEntry, Notice, OperationId, ServerKey, Stage, Statistics};

use super::mark::Mark;
use crate::event::{Event, EventKind, MachineSample, TestFinished};
use crate::needs::LeaseMode;

/// How many marks of a deployment are kept.
const MOST_MARKS: usize = 20_000;

/// How many samples of a deployment's statistics, and of the machine, are kept. If there are more, every second one goes.
const MOST_SAMPLES: usize = 1_200;

/// The moments of a run, in microseconds from its start.
#[derive(Clone, Debug, Default)]
pub(in crate::report) struct Story {
    pub(super) deployments: BTreeMap<String, Life>,
    pub(super) leases: Vec<LeaseSpan>,
    lease_at: HashMap<String, usize>,
    /// The attempts of a test that began.
    pub(super) begun: HashMap<String, Vec<Began>>,
    pub(super) workers: BTreeMap<u32, WorkerSpan>,
    /// What concerns no deployment.
    pub(super) marks: Marks,
    /// How busy the machine was, at each look.
    pub(super) machine: Samples<(u64, MachineSample)>,
    /// How many microseconds the run's clock is behind 1970, as far as the events tell.
    pub(super) epoch_us: Option<i64>,
}

/// An attempt of a test that began.
#[derive(Clone, Debug)]
pub(super) struct Began {
    pub(super) attempt: u32,
    pub(super) at: u64,
    pub(super) lease: Option<usize>,
}

/// A lease, from its grant to its end.
#[derive(Clone, Debug)]
pub(super) struct LeaseSpan {
    pub(super) test: String,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) waited: u64,
    pub(super) on: Vec<(String, LeaseMode)>,
}

/// A worker process.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkerSpan {
    pub(super) pid: u32,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) why: String,
}

/// What happened to a deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub(super) ready: Option<u64>,
    pub(super) stopped: Option<u64>,
    pub(super) recycled: Option<u64>,
    /// Repairs: when each ended, how long it took, what was done.
    pub(super) repairs: Vec<(u64, u64, String)>,
    pub(super) servers: BTreeMap<ServerKey, ServerLife>,
    /// Leaders by group, with the times of the looks.
    pub(super) leaders: BTreeMap<String, Vec<LeadershipEntry>>,
    pub(super) operations: Vec<OperationLife>,
    pub(super) samples: Samples<Statistics>,
    pub(super) marks: Marks,
}

/// An operation on the whole: a rolling restart, an upgrade, a change of who is part of it.
#[derive(Clone, Debug)]
pub(super) struct OperationLife {
    id: OperationId,
    pub(super) name: String,
    pub(super) from: u64,
    /// When it ended, and how.
    pub(super) ended: Option<(u64, Outcome)>,
    /// The steps that began, in their order.
    pub(super) steps: Vec<StepLife>,
}

/// A step of an operation.
#[derive(Clone, Debug)]
pub(super) struct StepLife {
    number: usize,
    pub(super) server: Option<ServerKey>,
    pub(super) what: String,
    pub(super) from: u64,
    /// When it was last heard of.
    pub(super) to: u64,
    pub(super) state: StepState,
}

/// Marks, up to a limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) kept: Vec<Mark>,
    pub(super) dropped: usize,
}

/// Samples, as many as a curve can show.
#[derive(Clone, Debug)]
pub(super) struct Samples<T> {
    pub(super) kept: Vec<T>,
    /// Of how many one is kept.
    every: u32,
    skipped: u32,
}

/// What happened to a server.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerLife {
    pub(super) processes: Vec<Process>,
    pub(super) operations: Vec<Done>,
}

/// One process of a server.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: Option<u32>,
    pub(super) from: u64,
    pub(super) stages: Vec<(u64, Stage)>,
    pub(super) exit: Option<Exit>,
}

/// The end of a process.
#[derive(Clone, Debug)]
pub(super) struct Exit {
    pub(super) at: u64,
    pub(super) how: String,
    pub(super) expected: bool,
    pub(super) log: Vec<String>,
}

/// An operation: when it was ordered, and when its effect was seen.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) what: String,
    pub(super) ordered: u64,
    pub(super) seen: u64,
    pub(super) failed: Option<String>,
}

impl<T> Default for Samples<T> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            every: 1,
            skipped: 0,
        }
    }
}

impl<T> Samples<T> {
    fn push(&mut self, sample: T) {
        self.skipped += 1;
        if self.skipped < self.every {
            return;
        }
        self.skipped = 0;
        self.kept.push(sample);
        if self.kept.len() > MOST_SAMPLES {
            let mut keep = false;
            self.kept.retain(|_| {
                keep = !keep;
                keep
            });
            self.every *= 2;
        }
    }
}

impl Marks {
    fn push(&mut self, mark: Mark) {
        if self.kept.len() < MOST_MARKS {
            self.kept.push(mark);
        } else {
            self.dropped += 1;
        }
    }
}

impl Story {
    /// Takes in the next event.
    pub(in crate::report) fn on(&mut self, event: &Event) {
        let us = event.us;
        match &event.kind {
            EventKind::TestStarted {
                test,
                attempt,
                lease,
                ..
            } => self.test_started(us, test, *attempt, lease.as_deref()),
            EventKind::TestFinished(finished) => self.test_finished(us, finished),
            EventKind::MachineSampled(sample) => self.machine.push((us, *sample)),
            EventKind::WorkerStarted { worker, pid } => {
                let span = WorkerSpan {
                    pid: *pid,
                    from: us,
                    ..WorkerSpan::default()
                };
                self.workers.insert(*worker, span);
            }
            EventKind::WorkerEnded { worker, why } => {
                let span = self.workers.entry(*worker).or_default();
                span.to = Some(us);
                span.why.clone_from(why);
            }
            EventKind::Deployment { deployment, notice } => self.notice(us, deployment, notice),
            EventKind::DeploymentReady { deployment, .. } => self.life(deployment).ready = Some(us),
            EventKind::DeploymentStopped { deployment, .. } => {
                self.life(deployment).stopped = Some(us);
            }
            EventKind::DeploymentRecycled { deployment, .. } => {
                self.life(deployment).recycled = Some(us);
            }
            EventKind::DeploymentRepaired {
                deployment,
                what,
                took_us,
            } => (self.life(deployment).repairs).push((us, *took_us, what.clone())),
            EventKind::LeaseGranted {
                lease,
                test,
                on,
                waited_us,
            } => {
                self.lease_at.insert(lease.clone(), self.leases.len());
                self.leases.push(LeaseSpan {
                    test: test.clone(),
                    from: us,
                    to: None,
                    waited: *waited_us,
                    on: (on.iter())
                        .map(|used| (used.deployment.clone(), used.mode))
                        .collect(),
                });
            }
            EventKind::LeaseReleased { lease } => {
                let at = self.lease_at.get(lease);
                if let Some(span) = at.and_then(|at| self.leases.get_mut(*at)) {
                    span.to = Some(us);
                }
            }
            // What the page shows of these comes from the model.
            EventKind::RunStarted(_)
            | EventKind::TestIgnored { .. }
            | EventKind::DeploymentStarting { .. }
            | EventKind::DeploymentFailed { .. }
            | EventKind::RunFinished { .. } => {}
            other => self.marks.push(Mark::of_event(us, other)),
        }
    }

    fn test_started(&mut self, us: u64, test: &str, attempt: u32, lease: Option<&str>) {
        let lease = lease.and_then(|lease| self.lease_at.get(lease)).copied();
        self.begun.entry(test.to_owned()).or_default().push(Began {
            attempt,
            at: us,
            lease,
        });
    }

    /// An attempt that never began, because its deployment could not be started, is a moment.
    fn test_finished(&mut self, us: u64, finished: &TestFinished) {
        let begun = self.begun.entry(finished.test.clone()).or_default();
        if begun.iter().all(|began| began.attempt != finished.attempt) {
            begun.push(Began {
                attempt: finished.attempt,
                at: us.saturating_sub(finished.times.total),
                lease: None,
            });
        }
    }

    fn life(&mut self, deployment: &str) -> &mut Life {
        self.deployments.entry(deployment.to_owned()).or_default()
    }

    /// The events tell moments of another clock soon after they came: the smallest difference is the best guess at how far
    /// the clocks are apart.
    fn told_at(&mut self, us: u64, ms: u64) {
        let (Ok(us), Ok(other)) = (i64::try_from(us), i64::try_from(ms.saturating_mul(1000)))
        else {
            return;
        };
        let behind = other.saturating_sub(us);
        self.epoch_us = Some(self.epoch_us.map_or(behind, |known| known.max(behind)));
    }

    fn notice(&mut self, us: u64, deployment: &str, notice: &Notice) {
        match notice {
            Notice::ServerStarted { server, pid } => {
                self.server(deployment, server).processes.push(Process {
                    pid: *pid,
                    from: us,
                    stages: Vec::new(),
                    exit: None,
                });
            }
            Notice::ServerReached { server, stage, .. } => {
                let process = self.process(us, deployment, server);
                process.stages.push((us, *stage));
            }
            Notice::ServerExited {
                server,
                exit,
                expected,
                log,
            } => {
                self.process(us, deployment, server).exit = Some(Exit {
                    at: us,
                    how: exit.clone(),
                    expected: *expected,
                    log: log.clone(),
                });
            }
            Notice::Operation {
                server,
                operation,
                took,
                result,
            } => {
                let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.server(deployment, server).operations.push(Done {
                    what: operation.to_string(),
                    ordered: us.saturating_sub(took),
                    seen: us,
                    failed: result.as_ref().err().cloned(),
                });
            }
            Notice::OperationBegan {
                operation, name, ..
            } => self.life(deployment).operations.push(OperationLife {
                id: *operation,
                name: name.clone(),
                from: us,
                ended: None,
                steps: Vec::new(),
            }),
            Notice::OperationStep {
                operation,
                step,
                server,
                what,
                state,
            } => {
                if let Some(known) = self.life(deployment).operation(*operation) {
                    known.step(us, *step, (server.as_ref(), what), state);
                }
            }
            Notice::OperationEnded {
                operation, outcome, ..
            } => {
                if let Some(known) = self.life(deployment).operation(*operation) {
                    known.ended = Some((us, outcome.clone()));
                }
            }
            Notice::Leader(entry) => {
                self.told_at(us, entry.seen_ms);
                let groups = &mut self.life(deployment).leaders;
                let entries = groups.entry(entry.group.clone()).or_default();
                entries.push(entry.clone());
            }
            Notice::Statistics(statistics) => {
                self.told_at(us, statistics.at_ms);
                self.life(deployment).samples.push(statistics.clone());
            }
            other => (self.life(deployment).marks).push(Mark::of_notice(us, other)),
        }
    }

    fn server(&mut self, deployment: &str, server: &ServerKey) -> &mut ServerLife {
        let servers = &mut self.life(deployment).servers;
        servers.entry(server.clone()).or_default()
    }

    /// The process that runs, or is taken to: one whose start is not in the log began when it was first heard of.
    fn process(&mut self, us: u64, deployment: &str, server: &ServerKey) -> &mut Process {
        let processes = &mut self.server(deployment, server).processes;
        let at = match processes.iter().rposition(|known| known.exit.is_none()) {
            Some(at) => at,
            None => {
                processes.push(Process {
                    pid: None,
                    from: us,
                    stages: Vec::new(),
                    exit: None,
                });
                processes.len() - 1
            }
        };
        &mut processes[at]
    }
}

impl OperationLife {
    /// A step has begun, or is as it will stay.
    fn step(
        &mut self,
        us: u64,
        number: usize,
        (server, what): (Option<&ServerKey>, &str),
        state: &StepState,
    ) {
        let known = self.steps.iter_mut().rfind(|step| step.number == number);
        match known {
            Some(known) => {
                known.to = us;
                known.state = state.clone();
            }
            None => self.steps.push(StepLife {
                number,
                server: server.cloned(),
                what: what.to_owned(),
                from: us,
                to: us,
                state: state.clone(),
            }),
        }
    }
}

impl Life {
    fn operation(&mut self, id: OperationId) -> Option<&mut OperationLife> {
        self.operations.iter_mut().rfind(|known| known.id == id)
    }
}
