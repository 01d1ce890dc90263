//! Clients: what they wish, and the polls with which they wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::duration::micros;
use armadillo_orchestrator::local::write_private;
use armadillo_orchestrator::process::proc_fs;
use tokio::sync::oneshot;

use super::Daemon;
use super::drive::{feed, free_slot, released};
use super::grants::{Answer, Until};
use crate::event::EventKind;
use crate::leases::{ClientNo, Input, Offer, PollNo, Wish};
use crate::process_end;
use crate::protocol::daemon::{
    Conditions, DeploymentStatus, DropPoll, FixturesGone, Free, Join, Joined, Kept, KeptServer,
    Next, Ready, Status, Wishes,
};
use crate::protocol::start::Lifeline;
use crate::resources::Resources;

/// More copies of one deployment than any machine has room for.
const MOST_COPIES: u32 = 1000;

/// A client is there: the process with this id, if that is known.
pub(super) fn join(daemon: &Rc<Daemon>, request: &Join, process: Option<u32>) -> Joined {
    let client = daemon.clients.get() + 1;
    daemon.clients.set(client);
    daemon.present.borrow_mut().insert(ClientNo(client));
    if let Some(stays) = request.stays_ms {
        renew(daemon, Duration::from_millis(stays));
    }
    feed(
        daemon,
        Input::Joined {
            client: ClientNo(client),
            slots: request.slots as usize,
            shared: request.shared_slots.map(|slots| slots as usize),
        },
    );
    if let Some(process) = process {
        daemon.spawn(leave_with(daemon.clone(), ClientNo(client), process));
    }
    Joined {
        client,
        events: daemon.log.count(),
        deployments: daemon.log.of_deployments(&daemon.deployments.living()),
    }
}

/// What is there was another run's.
fn renew(daemon: &Rc<Daemon>, stays: Duration) {
    daemon.stays.set(stays);
    daemon.deployments.forget_fixtures();
    for (no, deployment) in daemon.deployments.all() {
        // What fixtures have kept there.
        let mark = deployment.view().mark().to_owned();
        daemon.deployments.set_old(no, mark);
        if let Some(lost) = deployment.lost_files() {
            daemon.deployments.set_lost(no, lost);
        }
    }
    daemon.log.forget_all_but(&daemon.deployments.living());
    let stays_us = micros(stays);
    feed(daemon, Input::Renewed { stays_us });
}

/// Whatever a client holds ends with its process.
async fn leave_with(daemon: Rc<Daemon>, client: ClientNo, process: u32) {
    let Some(start_time) = proc_fs::start_time(process) else {
        // Gone, or nothing can be known of it: then it leaves when it says so.
        if proc_fs::stat(std::process::id()).is_some() && process > 0 {
            leave(&daemon, client);
        }
        return;
    };
    match process_end::gone(process, start_time).await {
        Ok(()) => leave(&daemon, client),
        // It keeps what it holds until it says that it leaves.
        Err(error) => tracing::warn!(%error, process, "cannot watch the process of a client"),
    }
}

/// The client of this number, if one was ever given it.
pub(super) fn known(daemon: &Daemon, number: u64) -> Result<ClientNo, String> {
    if (1..=daemon.clients.get()).contains(&number) {
        Ok(ClientNo(number))
    } else {
        Err(format!("there is no client {number}"))
    }
}

/// It wants to run these tests. The error says what there is not, or what makes no sense.
pub(super) fn wish(daemon: &Rc<Daemon>, client: ClientNo, request: Wishes) -> Result<(), String> {
    let conditions = request.conditions.as_ref();
    let offers = request.topologies.into_iter().map(|offer| {
        let system = armadillo_orchestrator::system(&offer.topology.system).ok_or_else(|| {
            let name = &offer.topology.system;
            format!("this executable has no system named `{name}`")
        })?;
        Ok(Offer {
            conditions: conditions.map_or(0, |all| {
                let programs = all.programs.of(&offer.topology.system);
                let programs = programs.at_home(&all.builds);
                let paths: Vec<&Path> = programs.paths().collect();
                let contents = all.contents.iter();
                let contents = contents.filter(|(path, _)| paths.contains(&&***path));
                let contents = contents.map(|(path, content)| (path.clone(), content.clone()));
                daemon.conditions_no(Conditions {
                    settings: all.settings.clone(),
                    contents: contents.collect(),
                    programs,
                    // The programs say by now which are the daemon's own.
                    builds: BTreeMap::new(),
                })
            }),
            takes: Resources::of_deployment(system, &offer.topology),
            topology: Arc::new(offer.topology),
            copies: offer.copies.min(MOST_COPIES) as usize,
            apart: offer.apart,
        })
    });
    let offers: Vec<Offer> = offers.collect::<Result<_, String>>()?;
    if matches!(daemon.orders.lifeline, Lifeline::Idle { .. }) {
        say_what_is_not_reused(daemon, &offers);
    }
    for test in &request.tests {
        if test.needs.is_empty() {
            return Err(format!("{}: it does not need a deployment", test.test));
        }
        if let Some((at, _)) = test.needs.iter().find(|(at, _)| *at >= offers.len()) {
            return Err(format!("{}: unknown topology number {at}", test.test));
        }
        let mut shared = BTreeSet::new();
        let mut kept = test.needs.iter().filter(|(_, mode)| !mode.is_fresh());
        if let Some((at, _)) = kept.find(|(at, _)| !shared.insert(*at)) {
            return Err(format!(
                "{}: it needs topology number {at} twice, but tests share one deployment of it",
                test.test
            ));
        }
    }
    let wishes = request.tests.into_iter().map(|test| Wish {
        ticket: test.ticket,
        test: test.test.into(),
        needs: test.needs,
        expected_us: test.expected_us,
        begins_later: test.begins_later,
        held: test.held,
        quiet: test.quiet,
    });
    feed(
        daemon,
        Input::Wished {
            client,
            offers,
            wishes: wishes.collect(),
            keep: request.keep,
        },
    );
    Ok(())
}

/// Says of which topologies there are deployments from earlier runs that nobody gets, because they differ otherwise.
fn say_what_is_not_reused(daemon: &Daemon, offers: &[Offer]) {
    let glances = daemon.core.borrow().glance();
    for offer in offers {
        let mut same = glances.iter().filter(|on| on.topology == offer.topology);
        let fits = same.clone().any(|on| on.conditions == offer.conditions);
        if !fits && same.next().is_some() {
            let text = format!(
                "a running {} is not reused: it was started with a different program or different settings",
                offer.topology
            );
            daemon.log.emit(EventKind::Warning { text });
        }
    }
}

/// It is ready to run one more test: the answer comes when something can run, or at once if it does not wait.
pub(super) async fn next(daemon: &Rc<Daemon>, client: ClientNo, request: &Ready) -> Next {
    let poll = poll_no(client, request.poll);
    if daemon.grants.was_left(poll) {
        return Next::Nothing;
    }
    let Ready { wait, plain, .. } = *request;
    let mut waiting = Waiting {
        daemon: daemon.clone(),
        poll,
        answer: Some(daemon.grants.poll(poll, Until { wait, plain })),
    };
    feed(
        daemon,
        Input::Polled {
            client,
            poll,
            wait,
            plain,
        },
    );
    waiting.answer().await
}

/// A poll whose client waits. If the client goes away, the poll is dropped, and a lease that was on its way comes back.
struct Waiting {
    daemon: Rc<Daemon>,
    poll: PollNo,
    answer: Option<oneshot::Receiver<Answer>>,
}

impl Waiting {
    async fn answer(&mut self) -> Next {
        let Some(answer) = &mut self.answer else {
            return Next::Nothing;
        };
        let told = answer.await;
        self.answer = None;
        match told {
            Ok(Answer::Next(next) | Answer::Lease(_, next)) => next,
            Err(_) => Next::Nothing,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(mut answer) = self.answer.take() else {
            return;
        };
        match answer.try_recv() {
            Ok(Answer::Lease(lease, _)) => {
                // It was said to be granted.
                if let Some(closed) = self.daemon.grants.close(lease) {
                    released(&self.daemon, &closed);
                }
                return feed(&self.daemon, Input::Returned { lease });
            }
            Ok(Answer::Next(Next::Plain)) => return free_slot(&self.daemon, self.poll.client()),
            Ok(Answer::Next(_)) | Err(_) => {}
        }
        self.daemon.grants.leave(self.poll);
        feed(&self.daemon, Input::PollDropped { poll: self.poll });
    }
}

/// It does not wait for this poll any more; its request is answered with nothing.
pub(super) fn drop_poll(daemon: &Rc<Daemon>, client: ClientNo, request: &DropPoll) {
    let poll = poll_no(client, request.poll);
    feed(daemon, Input::PollDropped { poll });
    // What was asked first need not come first.
    if daemon
        .grants
        .answer(poll, Answer::Next(Next::Nothing))
        .is_err()
    {
        daemon.grants.leave_ahead(poll);
    }
}

/// The poll that its client calls by this number.
fn poll_no(client: ClientNo, poll: u32) -> PollNo {
    PollNo(client.0 << 32 | u64::from(poll))
}

impl PollNo {
    /// Whose it is.
    pub(super) fn client(self) -> ClientNo {
        ClientNo(self.0 >> 32)
    }
}

/// What it has wished for and held may be granted from now on.
pub(super) fn free(daemon: &Rc<Daemon>, client: ClientNo, request: &Free) {
    let ticket = request.ticket;
    feed(daemon, Input::Freed { client, ticket });
}

/// It wants nothing more.
pub(super) fn withdraw(daemon: &Rc<Daemon>, client: ClientNo) {
    feed(daemon, Input::Withdrawn { client });
}

/// It is gone.
pub(super) fn leave(daemon: &Rc<Daemon>, client: ClientNo) {
    if daemon.present.borrow_mut().remove(&client) {
        feed(daemon, Input::Left { client });
    }
}

/// It keeps no fixtures for a deployment any more.
pub(super) fn fixtures_gone(daemon: &Rc<Daemon>, client: ClientNo, request: &FixturesGone) {
    if let Some(deployment) = daemon.deployments.number(&request.deployment) {
        feed(daemon, Input::FixturesGone { client, deployment });
    }
}

/// What is kept for a person to look at, and how to reach it. Writes the files with credentials that this needs.
pub(super) fn kept(daemon: &Daemon) -> Vec<Kept> {
    let glances = daemon.core.borrow().glance();
    let kept = glances.into_iter().filter(|glance| glance.kept);
    let kept = kept.filter_map(|glance| {
        let deployment = daemon.deployments.deployment(glance.deployment)?;
        let view = deployment.view();
        let system = armadillo_orchestrator::system(&view.topology.system)?;
        let file = daemon.secrets.join(&view.deployment).join("credentials");
        let written = match system.credentials(view) {
            Some(content) => write_private(&file, &content),
            None => Ok(()),
        };
        let servers = view.places.iter().map(|(server, place)| KeptServer {
            server: server.clone(),
            role: place.role.clone(),
            phase: (deployment.servers().get(server))
                .map_or_else(String::new, |status| status.phase.to_string()),
            reach: place.reach.clone(),
            lines: system.access(view, server, &file),
            directory: place.dir_outside.clone(),
        });
        Some(Kept {
            deployment: view.deployment.clone(),
            topology: view.topology.to_string(),
            servers: servers.collect(),
            problem: written.err().map(|error| error.to_string()),
        })
    });
    kept.collect()
}

/// What the daemon has.
pub(super) fn status(daemon: &Daemon) -> Status {
    let core = daemon.core.borrow();
    let deployments = core.glance().into_iter().map(|glance| {
        let deployment = daemon.deployments.deployment(glance.deployment);
        let name = match daemon.deployments.name(glance.deployment) {
            name if name.is_empty() => glance.deployment.0.to_string(),
            name => name,
        };
        let places = deployment.map(|deployment| deployment.view().places.clone());
        let places = places.unwrap_or_default().into_iter();
        let status = DeploymentStatus {
            topology: glance.topology.to_string(),
            state: glance.state,
            leases: glance.tests.iter().map(ToString::to_string).collect(),
            servers: places
                .map(|(server, place)| (server, place.reach))
                .collect(),
        };
        (name, status)
    });
    Status {
        version: crate::protocol::VERSION,
        run: daemon.orders.run.clone(),
        pid: std::process::id(),
        deployments: deployments.collect(),
        waiting: core.waiting(),
        held_ahead: core.held_ahead(),
    }
}
