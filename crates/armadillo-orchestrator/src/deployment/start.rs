//! Starting: a whole deployment behind its gates, and one server until it is proven ready.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::Deployment;
use super::exits::LAST_LINES;
use super::expectations::Expectations;
use super::gates;
use super::leaders::LeadershipKeeper;
use super::observe::Observations;
use super::prove::{Proof, prove};
use super::ready_message::ReadyMessage;
use super::request::{Failure, Problem, StartError, StartRequest};
use super::status::Server;
use crate::backend::{BackEnd, BackEndError, PlaceRequest, Running};
use crate::deadline::Deadline;
use crate::join::try_join_all;
use crate::notice::{Notice, Notices};
use crate::poll::Poll;
use crate::process::Exit;
use crate::random;
use crate::secret::Secret;
use crate::server::{ServerKey, Stage};
use crate::system::{ExitMeaning, Probe};
use crate::view::View;

/// How often a server is started when it ends for a reason that may pass.
const ATTEMPTS: u32 = 3;

/// How long one look at a server may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// How long it may take to end what was started of a deployment that failed to start.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(10);

/// An attempt to start a server. However it ends, also when it is given up: a process that still runs is no longer
/// starting, and its end is a crash.
pub(super) struct Attempt<'a>(pub(super) &'a Server);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.attempt_is_over();
    }
}

impl Deployment {
    /// Starts every server when its gates open, waits until each is ready and proven to be ours, and until the whole
    /// was good once.
    ///
    /// # Errors
    /// When that cannot be, or is not by the deadline. Whatever was started is ended before.
    pub async fn start(
        back_end: Arc<dyn BackEnd>,
        request: StartRequest,
        notices: UnboundedSender<(String, Notice)>,
    ) -> Result<Arc<Self>, StartError> {
        let deadline = request.deadline;
        let deployment = Self::place(back_end, request, notices).await?;
        match deployment.start_all(deadline).await {
            Ok(()) => Ok(deployment),
            Err(error) => {
                deployment.end(Deadline::after(CLEAN_UP_LIMIT)).await;
                Err(error)
            }
        }
    }

    /// Gives every server its place, ports and directory, and the deployment its secret, and starts nothing.
    ///
    /// # Errors
    /// When that cannot be.
    pub async fn place(
        back_end: Arc<dyn BackEnd>,
        request: StartRequest,
        notices: UnboundedSender<(String, Notice)>,
    ) -> Result<Arc<Self>, StartError> {
        let plan = request.system.plan(&request.topology);
        gates::check_plan(&plan).map_err(|source| StartError::Plan {
            topology: request.topology.to_string(),
            source,
        })?;
        let mut servers = BTreeMap::new();
        for server in &plan {
            let program = request.programs.get(&request.topology, server.role);
            let program = program.ok_or_else(|| StartError::Program {
                deployment: request.id.clone(),
                role: server.role,
            })?;
            let known = Server::new(server.clone(), program.clone());
            servers.insert(server.key.clone(), known);
        }
        let secret = random::hex::<32>().map_err(|source| StartError::Secret {
            deployment: request.id.clone(),
            source,
        })?;
        let leaders = LeadershipKeeper::new(&request.directory);
        let site = back_end
            .place(&PlaceRequest {
                deployment: &request.id,
                plan: &plan,
                directory: &request.directory,
                secrets: request.secrets.as_deref(),
                share: request.share,
            })
            .await
            .map_err(|source| StartError::Place {
                deployment: request.id.clone(),
                source,
            })?;
        let view = View {
            deployment: request.id.clone(),
            topology: request.topology,
            places: site.places().clone(),
            secret: Secret::new(secret),
            stand_ins: servers
                .values()
                .filter(|server| server.program.stand_in)
                .map(|server| server.plan.key.clone())
                .collect(),
            settings: request.settings,
        };
        let deployment = Arc::new(Self {
            system: request.system,
            view,
            back_end,
            site,
            servers,
            notices: Notices::new(&request.id, notices),
            board: Observations::default(),
            leaders,
            directory: request.directory,
            crashes: Mutex::default(),
            said_of_logs: Mutex::default(),
            expectations: Expectations::default(),
            changes: watch::Sender::new(0),
            ended: AtomicBool::new(false),
        });
        deployment.keep_logs_short();
        Ok(deployment)
    }

    /// Starts every server that does not run when its gates open, waits until each is ready and proven to be ours, and until
    /// the whole was good once. What was started runs on if that fails.
    ///
    /// # Errors
    /// When that cannot be, or is not by the deadline.
    pub async fn start_all(
        self: &Arc<Self>,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<(), StartError> {
        let deadline = deadline.into();
        let crashes_before = self.crashes().len();
        let all = self.servers.values().map(|server| async move {
            self.wait_for_gates(server, deadline).await?;
            // Nobody else starts it meanwhile.
            let Some(Ok(_turn)) = deadline.bound(server.turn.acquire()).await else {
                return Err(self.failure(server, Problem::Busy, server.log_from()));
            };
            if server.phase().is_alive() {
                return Ok(());
            }
            self.bring_up(server, deadline).await
        });
        let good = async {
            try_join_all(all).await?;
            self.wait_good(deadline)
                .await
                .map_err(|source| StartError::NotGood {
                    deployment: self.id().to_owned(),
                    source,
                })
        };
        tokio::select! {
            done = good => done.map(|_| ())?,
            failure = self.first_crash(crashes_before) => return Err(failure.into()),
        }
        self.keep_leadership_log();
        Ok(())
    }

    /// Waits until the gates of a server have opened.
    async fn wait_for_gates(&self, server: &Server, deadline: Deadline) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let reached = |key: &ServerKey| self.servers.get(key)?.status.borrow().stage;
            let shut = gates::shut(&server.plan, reached);
            let Some((key, stage)) = shut.first() else {
                return Ok(());
            };
            if deadline.bound(changes.changed()).await.is_none() {
                let why = self.servers.get(key).map(Server::missing);
                let why = why.filter(|why| !why.is_empty());
                let why = why.map_or(String::new(), |why| format!(": {why}"));
                let problem = Problem::Late {
                    waited: begun.elapsed(),
                    missing: format!("waiting for {key} to be {stage}{why}"),
                };
                return Err(self.failure(server, problem, 0));
            }
        }
    }

    /// Waits for a server that was ready to end by itself, after so many had.
    async fn first_crash(&self, before: usize) -> Failure {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let Some(crash) = self.crashes().into_iter().nth(before) {
                return Failure {
                    server: crash.server,
                    problem: Problem::Exited {
                        exit: crash.exit,
                        text: crash.text,
                        may_pass: false,
                    },
                    log: crash.log,
                };
            }
            // The sender lives in `self`.
            let _ = changes.changed().await;
        }
    }

    /// Starts one server and waits until it is ready; starts it again, without its reserved ports, when it ended for a
    /// reason that may pass.
    pub(super) async fn bring_up(
        self: &Arc<Self>,
        server: &Server,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let key = &server.plan.key;
        let mut attempt = 1;
        let mut pauses = Poll::new(Duration::from_millis(20), Duration::from_millis(500));
        loop {
            let log_from = self.site.log_size(key);
            let problem = match self.start_once(server, log_from, deadline).await {
                Ok(()) => return Ok(()),
                Err(problem) => problem,
            };
            if let Problem::Exited { text, may_pass, .. } = &problem
                && *may_pass
                && attempt < ATTEMPTS
                && !deadline.passed()
                && !self.ended.load(Ordering::SeqCst)
            {
                attempt += 1;
                let released = if self.site.release_ports(key) {
                    ", with its ports released"
                } else {
                    ""
                };
                self.notices.warn(format!(
                    "{key} exited during start-up ({text}); restarting it{released} (attempt {attempt} of {ATTEMPTS})"
                ));
                pauses.pause(deadline).await;
                continue;
            }
            let failure = self.failure(server, problem, log_from);
            if let Problem::Exited { exit, .. } = failure.problem {
                let text = self.describe(server, exit);
                self.remember_crash(server, None, exit, text, &failure.log, Instant::now());
            }
            return Err(failure);
        }
    }

    /// Starts one server, once, and waits until it is ready.
    async fn start_once(
        self: &Arc<Self>,
        server: &Server,
        log_from: u64,
        deadline: Deadline,
    ) -> Result<(), Problem> {
        let running = self.spawn(server, log_from).await?;
        let _attempt = Attempt(server);
        tokio::select! {
            biased;
            () = server.gone() => Err(self.ended_early(server, log_from)),
            reached = self.climb(server, running.as_ref(), deadline) => reached,
        }
    }

    /// Starts the process of a server.
    pub(super) async fn spawn(
        self: &Arc<Self>,
        server: &Server,
        log_from: u64,
    ) -> Result<Arc<dyn Running>, Problem> {
        let key = &server.plan.key;
        if self.ended.load(Ordering::SeqCst) {
            return Err(Problem::Ended);
        }
        let mut launch = self.system.launch(&self.view, key);
        for name in self.system.passed_on() {
            if let Ok(value) = std::env::var(name) {
                launch.env.entry((*name).to_owned()).or_insert(value);
            }
        }
        let running: Arc<dyn Running> =
            Arc::from(self.site.start(key, &server.program, &launch).await?);
        server.started(Arc::clone(&running), launch.stop, log_from);
        self.notices.send(Notice::ServerStarted {
            server: key.clone(),
            pid: running.pid(),
        });
        self.watch(server, Arc::clone(&running));
        self.changed();
        Ok(running)
    }

    /// Looks at a server again and again until it is ready.
    pub(super) async fn climb(
        &self,
        server: &Server,
        running: &dyn Running,
        deadline: Deadline,
    ) -> Result<(), Problem> {
        let key = &server.plan.key;
        let begun = Instant::now();
        let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(50));
        let mut stage = Stage::Started;
        let mut ready_message = self
            .system
            .ready_message(&self.view, key)
            // The logs of servers that somebody else started cannot be read.
            .filter(|_| self.view.attached().is_none())
            .map(|id| ReadyMessage::new(id, server.log_from()));
        let mut missing = "it has not responded yet".to_owned();
        loop {
            let look = deadline
                .within(LOOK_LIMIT)
                .bound(self.system.probe(&self.view, key));
            missing = match look.await {
                // Cut short by the deadline, a look says less than the one before.
                None if deadline.passed() => missing,
                None => "the health check timed out".to_owned(),
                Some(Probe::NotYet(reason)) => reason,
                Some(Probe::Hopeless(reason)) => return Err(Problem::Hopeless(reason)),
                // Who answers is known since it reached the stage.
                Some(Probe::At {
                    stage: now,
                    missing,
                    ..
                }) if now <= stage && stage > Stage::Started => format!("it is {stage}: {missing}"),
                Some(Probe::At {
                    stage: now,
                    identity,
                    missing,
                }) => {
                    let place = self
                        .view
                        .places
                        .get(key)
                        .ok_or_else(|| BackEndError::Unknown {
                            server: key.clone(),
                        })?;
                    let unlogged = ready_message
                        .as_mut()
                        .filter(|_| now == Stage::Ready)
                        .and_then(|message| message.missing(self, key));
                    let (now, missing) = match unlogged {
                        Some(unlogged) => (Stage::Answering, unlogged),
                        None => (now, missing),
                    };
                    match prove(running, place, identity) {
                        Proof::Foreign(who) => return Err(Problem::Foreign(who)),
                        Proof::Open(reason) => reason,
                        Proof::Ours => {
                            if now > stage {
                                stage = now;
                                self.has_reached(server, now, begun.elapsed());
                                poll.reset();
                            }
                            if now == Stage::Ready {
                                return Ok(());
                            }
                            format!("it is {stage}: {missing}")
                        }
                    }
                }
            };
            server.note_missing(&missing);
            if deadline.passed() {
                return Err(Problem::Late {
                    waited: begun.elapsed(),
                    missing,
                });
            }
            poll.pause(deadline).await;
        }
    }

    /// Notes that a server has come this far.
    fn has_reached(&self, server: &Server, stage: Stage, after: Duration) {
        if server.reached(stage) {
            self.notices.send(Notice::ServerReached {
                server: server.plan.key.clone(),
                stage,
                after,
            });
            self.changed();
        }
    }

    /// What an exit before readiness means for another attempt.
    pub(super) fn ended_early(&self, server: &Server, log_from: u64) -> Problem {
        let exit = server.last_exit().unwrap_or(Exit {
            code: None,
            signal: None,
            core: false,
        });
        let may_pass = match self.meaning(server, exit) {
            ExitMeaning::Transient(_) => true,
            ExitMeaning::Config(_) => false,
            // The words of the operating system, in whatever language the server is written.
            ExitMeaning::Unknown | ExitMeaning::Failure(_) | ExitMeaning::Clean => self
                .lines_since(&server.plan.key, log_from, LAST_LINES)
                .iter()
                .any(|line| line.to_ascii_lowercase().contains("address already in use")),
        };
        Problem::Exited {
            exit,
            text: self.describe(server, exit),
            may_pass,
        }
    }

    pub(super) fn failure(&self, server: &Server, problem: Problem, log_from: u64) -> Failure {
        Failure {
            server: server.plan.key.clone(),
            problem,
            log: self.lines_since(&server.plan.key, log_from, LAST_LINES),
        }
    }
}
