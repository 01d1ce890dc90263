//! Starting: a whole deployment behind its gates, and one server until it is proven ready.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::Deployment;
use super::existing_data;
use super::exits::LAST_LINES;
use super::expectations::Expectations;
use super::gates;
use super::leaders::LeadershipKeeper;
use super::membership::of_plan;
use super::observe::Observations;
use super::prove::{Proof, prove};
use super::ready_message::ReadyMessage;
use super::request::{Failure, Problem, StartError, StartRequest};
use super::status::Server;
use crate::backend::{BackEnd, BackEndError, PlaceRequest, Running};
use crate::cores::PostMortem;
use crate::deadline::Deadline;
use crate::join::try_join_all;
use crate::notice::{Notice, Notices};
use crate::poll::Poll;
use crate::process::Exit;
use crate::server::{ServerKey, Stage};
use crate::system::{ExitMeaning, Probe};
use crate::tls::{self, TLS};
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
        let leaders = LeadershipKeeper::new(&request.directory);
        let links = super::links::wanted(request.system, &request.topology);
        let site = back_end
            .place(&PlaceRequest {
                deployment: &request.id,
                plan: &plan,
                directory: &request.directory,
                secrets: request.secrets.as_deref(),
                share: request.share,
                links,
            })
            .await
            .map_err(|source| StartError::Place {
                deployment: request.id.clone(),
                source,
            })?;
        let notices = Notices::new(&request.id, notices);
        let secret = existing_data::secret(&request, &*site, &notices).await?;
        let attached = request.settings.attached(&request.topology.system);
        let tls = match (attached, request.topology.says(TLS)) {
            // Who started them has issued their certificates.
            (Some(attached), _) => attached.tls.clone(),
            (None, false) => None,
            (None, true) => {
                let used = request.system.tls(&request.topology).unwrap_or_default();
                let issued = tls::issue(&*site, used);
                Some(issued.map_err(|source| StartError::Tls {
                    deployment: request.id.clone(),
                    source,
                })?)
            }
        };
        let view = View {
            deployment: request.id.clone(),
            topology: request.topology,
            places: site.places().clone(),
            secret,
            keys: Default::default(),
            membership: of_plan(&plan),
            stand_ins: servers
                .values()
                .filter(|server| server.program().stand_in)
                .map(|server| server.plan.key.clone())
                .collect(),
            settings: request.settings,
            tls,
            held: Default::default(),
        };
        let (view, outer_view) = super::links::views(view);
        let deployment = Arc::new(Self {
            system: request.system,
            view,
            outer_view,
            back_end,
            site,
            servers,
            notices,
            board: Observations::default(),
            leaders,
            directory: request.directory,
            crashes: Mutex::default(),
            autopsies: super::autopsies::Autopsies::default(),
            spoilt: Mutex::default(),
            said_of_logs: Mutex::default(),
            loud: Mutex::default(),
            expectations: Expectations::default(),
            operations: Default::default(),
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
        let all = self.parts().map(|server| async move {
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
    pub(super) async fn first_crash(&self, before: usize) -> Failure {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let Some(crash) = self.crashes().into_iter().nth(before) {
                return Failure {
                    server: crash.server,
                    problem: Box::new(Problem::Crashed { text: crash.text }),
                    said: self.grave_line_of(&crash.log),
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
            let begun = Instant::now();
            let mut failure = self.failure(server, problem, log_from);
            if let Some(exit) = failure.problem.exit() {
                self.note_autopsies(crate::cores::AUTOPSY_LIMIT).await;
                let text = self.describe(server, exit);
                self.remember_crash(server, None, exit, text, &failure.log, begun);
                let found = self.post_mortems().into_iter().map(|(_, found)| found);
                let last = found.rev().find(|found| found.server == *key);
                failure.log.extend(last.iter().flat_map(PostMortem::lines));
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
        self.prepare(server, log_from, deadline).await?;
        let running = self.spawn(server, log_from).await?;
        server.is_served_by(server.program());
        let _attempt = Attempt(server);
        tokio::select! {
            biased;
            () = server.gone() => Err(self.ended_early(server, log_from)),
            reached = self.climb(server, running.as_ref(), deadline) => reached,
        }
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
                    let place = (self.view.place(key)).ok_or_else(|| BackEndError::Unknown {
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
                    match prove(running, &place, identity) {
                        Proof::Foreign(who) => return Err(Problem::Foreign(who)),
                        Proof::Open(reason) => reason,
                        Proof::Ours => {
                            let (now, missing) = match now {
                                Stage::Ready => self.made_ready(key, deadline).await,
                                _ => (now, missing),
                            };
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

    /// Gives a server what it still needs, and how far it is then.
    async fn made_ready(&self, key: &ServerKey, deadline: Deadline) -> (Stage, String) {
        if self.view.attached().is_some() {
            // Who started it has seen to that.
            return (Stage::Ready, String::new());
        }
        let made = self.system.make_ready(&self.view, key);
        match deadline.within(LOOK_LIMIT).bound(made).await {
            Some(Ok(())) => (Stage::Ready, String::new()),
            Some(Err(missing)) => (Stage::Answering, missing),
            None => (
                Stage::Answering,
                "preparing it for tests timed out".to_owned(),
            ),
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
        let log = self.last_words(&server.plan.key, log_from, LAST_LINES);
        // Before it has ended, what it logs says little of why.
        let has_ended = matches!(problem, Problem::Exited { .. } | Problem::Unprepared { .. });
        Failure {
            server: server.plan.key.clone(),
            said: self.grave_line_of(&log).filter(|_| has_ended),
            problem: Box::new(problem),
            log,
        }
    }
}
