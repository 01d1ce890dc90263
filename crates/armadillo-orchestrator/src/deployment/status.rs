//! What is known of each server's process, and its changes.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use crate::backend::Running;
use crate::process::Exit;
use crate::program::Program;
use crate::server::{ServerPlan, Stage, Stop};
use crate::view::View;

/// How a server's process is, as the orchestrator knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It has not been started yet.
    Planned,
    /// It runs, and somebody waits for it to be ready.
    Starting,
    /// It runs.
    Running,
    /// It was frozen by an operation.
    Paused,
    /// It ended as it was told to, or as it was expected to.
    Stopped,
    /// It ended by itself.
    Crashed,
}

impl Phase {
    /// Whether the server will not do its part until somebody starts it, or lets it go on.
    #[must_use]
    pub fn is_down(self) -> bool {
        matches!(self, Self::Paused | Self::Stopped | Self::Crashed)
    }
}

/// One server's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// How it is.
    pub phase: Phase,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// How far it has come since its last start.
    pub stage: Option<Stage>,
    /// How it ended last, in words.
    pub exit: Option<String>,
}

/// What the operating system says of a server's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerProcess {
    /// How it is.
    pub phase: Phase,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// How long its process has run.
    pub up_for: Option<Duration>,
    /// The version of the program that it runs, or ran last, if that has said one.
    #[serde(default)]
    pub version: Option<String>,
}

/// A server of a deployment: its plan, and what became of it.
pub(super) struct Server {
    pub(super) plan: ServerPlan,
    /// What it runs each time it is started, unless a test has said otherwise.
    planned: Program,
    /// What it runs from its next start on, because a test has said so.
    other: Mutex<Option<Program>>,
    /// Options of its command line from its next start on, in the place of those of the topology.
    options: Mutex<Vec<(String, String)>>,
    pub(super) status: watch::Sender<ServerStatus>,
    /// Whoever operates on the server has the permit: one at a time.
    pub(super) turn: Semaphore,
    process: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    running: Option<Arc<dyn Running>>,
    stop: Stop,
    /// Whether the next exit is one that was asked for.
    expected: bool,
    exit: Option<Exit>,
    /// Whether a test had declared that exit.
    meant: bool,
    /// The program that has served its data last.
    served_by: Option<Program>,
    /// Where its log ended when it was started last.
    log_from: u64,
    /// What it lacked at the last look to be ready.
    missing: String,
    watcher: Option<AbortHandle>,
    /// Whether it has been ready since the deployment was placed.
    was_ready: bool,
}

impl Server {
    pub(super) fn new(plan: ServerPlan, program: Program) -> Self {
        Self {
            plan,
            planned: program,
            other: Mutex::default(),
            options: Mutex::default(),
            status: watch::Sender::new(ServerStatus {
                phase: Phase::Planned,
                pid: None,
                stage: None,
                exit: None,
            }),
            turn: Semaphore::new(1),
            process: Mutex::new(Held::default()),
        }
    }

    /// What its next start runs.
    pub(super) fn program(&self) -> Program {
        let other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        other.as_ref().unwrap_or(&self.planned).clone()
    }

    /// From its next start on it runs another program.
    pub(super) fn use_program(&self, program: Program) {
        *self.other.lock().unwrap_or_else(PoisonError::into_inner) = Some(program);
    }

    /// From its next start on it has these options, too, in the place of those of the same name.
    pub(super) fn use_options(&self, options: &[(String, String)]) {
        let mut known = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(name, _)| options.iter().all(|(other, _)| other != name));
        known.extend_from_slice(options);
    }

    /// The options that it has been given so far.
    pub(super) fn own_options(&self) -> Vec<(String, String)> {
        let known = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// From its next start on it has these options and no others that it was given.
    pub(super) fn set_options(&self, options: Vec<(String, String)>) {
        *self.options.lock().unwrap_or_else(PoisonError::into_inner) = options;
    }

    /// Whether a test has given it another program, or other options.
    pub(super) fn is_changed(&self) -> bool {
        let other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
        let options = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        other.is_some() || !options.is_empty()
    }

    /// The program it was planned with.
    pub(super) fn planned_program(&self) -> &Program {
        &self.planned
    }

    /// The deployment as its next launch is to see it: with the options of its own.
    pub(super) fn seen_in<'a>(&self, view: &'a View) -> Cow<'a, View> {
        let own = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_empty() {
            return Cow::Borrowed(view);
        }
        let mut view = view.clone();
        let options = &mut view.topology.options;
        options.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        options.extend_from_slice(&own);
        Cow::Owned(view)
    }

    /// The program that has served its data last; `None` before its first start.
    pub(super) fn served_by(&self) -> Option<Program> {
        self.held(|held| held.served_by.clone())
    }

    /// From now on its data is what this program makes of it.
    pub(super) fn is_served_by(&self, program: Program) {
        self.held(|held| held.served_by = Some(program));
    }

    pub(super) fn phase(&self) -> Phase {
        self.status.borrow().phase
    }

    /// Its process, if that has not ended.
    pub(super) fn running(&self) -> Option<Arc<dyn Running>> {
        self.held(|held| held.running.clone())
    }

    /// How it is to be stopped, as its last launch said.
    pub(super) fn stop(&self) -> Stop {
        self.held(|held| held.stop.clone())
    }

    /// From now on its exit is one that was asked for, or not.
    pub(super) fn expect_exit(&self, expected: bool) {
        self.held(|held| held.expected = expected);
    }

    /// Whether its next exit is one that was asked for.
    pub(super) fn will_end_expectedly(&self) -> bool {
        self.held(|held| held.expected)
    }

    /// Whether its last exit was one that a test had declared.
    pub(super) fn exit_was_meant(&self) -> bool {
        self.held(|held| held.meant)
    }

    /// How its process ended last.
    pub(super) fn last_exit(&self) -> Option<Exit> {
        self.held(|held| held.exit)
    }

    /// Takes note of what it lacks to be ready.
    pub(super) fn note_missing(&self, missing: &str) {
        self.held(|held| missing.clone_into(&mut held.missing));
    }

    /// What it lacked at the last look to be ready; nothing if nobody has looked.
    pub(super) fn missing(&self) -> String {
        self.held(|held| held.missing.clone())
    }

    /// Where its log ended when it was started last.
    pub(super) fn log_from(&self) -> u64 {
        self.held(|held| held.log_from)
    }

    /// Takes note of a start.
    pub(super) fn started(&self, running: Arc<dyn Running>, stop: Stop, log_from: u64) {
        let pid = running.pid();
        self.held(|held| {
            held.running = Some(running);
            held.stop = stop;
            held.log_from = log_from;
            held.expected = false;
            held.exit = None;
            held.meant = false;
        });
        self.status.send_replace(ServerStatus {
            phase: Phase::Starting,
            pid,
            stage: Some(Stage::Started),
            exit: None,
        });
    }

    /// Sets the task that waits for the exit of its process; it ends with the server.
    pub(super) fn watched_by(&self, watcher: AbortHandle) {
        self.held(|held| held.watcher = Some(watcher));
    }

    /// Takes note of an exit, and whether a test had declared it.
    pub(super) fn ended(&self, exit: Exit, text: &str, meant: bool) {
        let expected = self.held(|held| {
            held.running = None;
            held.exit = Some(exit);
            held.meant = meant;
            held.expected || meant
        });
        self.status.send_replace(ServerStatus {
            phase: if expected {
                Phase::Stopped
            } else {
                Phase::Crashed
            },
            pid: None,
            stage: None,
            exit: Some(text.to_owned()),
        });
    }

    /// Takes note of a stage; returns whether it is news.
    pub(super) fn reached(&self, stage: Stage) -> bool {
        self.held(|held| held.was_ready |= stage == Stage::Ready);
        self.status.send_if_modified(|status| {
            let news = status.phase.is_alive() && status.stage < Some(stage);
            if news {
                status.stage = Some(stage);
                if stage == Stage::Ready && status.phase == Phase::Starting {
                    status.phase = Phase::Running;
                }
            }
            news
        })
    }

    /// Whether it has been ready once.
    pub(super) fn was_ready(&self) -> bool {
        self.held(|held| held.was_ready)
    }

    /// Takes note of a pause or a resumption, unless it has ended meanwhile.
    pub(super) fn paused(&self, is_paused: bool) {
        let phase = if is_paused {
            Phase::Paused
        } else {
            Phase::Running
        };
        self.status.send_if_modified(|status| {
            let changes = status.phase.is_alive() && status.phase != phase;
            if changes {
                status.phase = phase;
            }
            changes
        });
    }

    /// From now on nobody waits for it to get ready.
    pub(super) fn attempt_is_over(&self) {
        self.status.send_if_modified(|status| {
            let changes = status.phase == Phase::Starting;
            if changes {
                status.phase = Phase::Running;
            }
            changes
        });
    }

    /// Waits until its process has ended and that has been taken note of.
    pub(super) async fn gone(&self) {
        // The sender is borrowed here: it is not dropped meanwhile.
        let _ = self
            .status
            .subscribe()
            .wait_for(|status| !status.phase.is_alive())
            .await;
    }

    fn held<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

impl Phase {
    /// Whether there is a process.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Planned => "not started",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        })
    }
}
