//! Drives the lease core: feeds it what happens, and does what it says.

use std::rc::Rc;

use super::Daemon;
use super::grants::{Answer, Closed, Until};
use super::{budget, examine, lifecycle, repair};
use crate::event::EventKind;
use crate::leases::{Action, ClientNo, DeploymentNo, Ended, Input, LeaseNo, PollNo, uses};
use crate::needs::LeaseMode;
use crate::protocol::daemon::Next;

/// What the core is to take in next.
pub(super) enum Step {
    Input(Input),
    /// What other runs hold.
    Look,
}

/// Something happened. What the core says is done in the order in which it says it, also when doing it makes something
/// else happen.
pub(super) fn feed(daemon: &Rc<Daemon>, input: Input) {
    step(daemon, Step::Input(input));
}

pub(super) fn step(daemon: &Rc<Daemon>, step: Step) {
    daemon.inbox.borrow_mut().push_back(step);
    if daemon.feeding.replace(true) {
        return;
    }
    // A look of which nothing follows is nothing new: a daemon that nobody uses looks all the time.
    let mut is_news = false;
    loop {
        let next = daemon.inbox.borrow_mut().pop_front();
        let actions = match next {
            None => break,
            Some(Step::Look) => budget::look(daemon),
            Some(Step::Input(input)) => {
                is_news = true;
                let actions = take(daemon, input);
                budget::note(daemon);
                actions
            }
        };
        is_news |= !actions.is_empty();
        for action in actions {
            act(daemon, action);
        }
    }
    daemon.feeding.set(false);
    if is_news {
        daemon.changed.notify_waiters();
    }
}

/// The core takes this in, and says what is to be done.
pub(super) fn take(daemon: &Daemon, input: Input) -> Vec<Action> {
    let now = daemon.log.now_us();
    daemon.core.borrow_mut().handle(now, input)
}

fn act(daemon: &Rc<Daemon>, action: Action) {
    match action {
        Action::Look => step(daemon, Step::Look),
        Action::Start {
            deployment,
            topology,
            conditions,
            mode,
            reason,
        } => {
            let with = daemon.conditions(conditions);
            let start =
                lifecycle::start(daemon.clone(), deployment, (topology, with), mode, reason);
            daemon.spawn(start);
        }
        Action::Repair {
            deployment,
            why,
            guests,
        } => {
            let repair = repair::repair(daemon.clone(), deployment, why, guests);
            daemon.spawn(repair);
        }
        Action::Stop {
            deployment,
            why,
            guests,
            keep_data,
        } => {
            let stop = lifecycle::stop(daemon.clone(), deployment, why, guests, keep_data);
            daemon.spawn(stop);
        }
        Action::Grant {
            poll,
            client,
            lease,
            ticket,
            test,
            on,
            begins_later,
            quiet,
            waited_us,
        } => {
            let opened =
                daemon
                    .grants
                    .open(lease, (client, poll, ticket), &test, (waited_us, quiet));
            if let Err(error) = opened {
                let error = format!("cannot name its lease: {error}");
                answer(daemon, poll, Next::Refused { ticket, error });
                let how = Ended::default();
                feed(daemon, Input::Released { lease, how });
            } else if begins_later {
                deliver(daemon, lease, &on);
            } else {
                begin(daemon, lease, &on);
            }
        }
        Action::Refuse {
            poll,
            ticket,
            error,
        } => answer(daemon, poll, Next::Refused { ticket, error }),
        Action::DropFixtures { poll, deployment } => {
            let deployment = daemon.deployments.name(deployment);
            answer(daemon, poll, Next::DropFixtures { deployment });
        }
        Action::Plain { poll } => {
            let told = daemon.grants.answer(poll, Answer::Next(Next::Plain));
            if told.is_err() {
                free_slot(daemon, poll.client());
            }
        }
        Action::Nothing { poll } => answer(daemon, poll, Next::Nothing),
        Action::Begin { lease, go } => begun(daemon, lease, go),
        Action::Examine {
            lease,
            deployment,
            mode,
        } => {
            let examine = examine::examine(daemon.clone(), lease, deployment, mode);
            daemon.spawn(examine);
        }
        Action::Conclude {
            lease,
            charges,
            company,
            again,
            void,
        } => examine::conclude(daemon, lease, charges, (company, again, void)),
    }
}

/// A client does not need one of the shared slots any more, or was never told that it has it.
pub(super) fn free_slot(daemon: &Rc<Daemon>, client: ClientNo) {
    feed(daemon, Input::SlotFreed { client });
}

fn answer(daemon: &Daemon, poll: PollNo, next: Next) {
    // Who asked may have gone away.
    let _ = daemon.grants.answer(poll, Answer::Next(next));
}

/// The test of a lease may begin, unless a server is on its way out: whoever has seen its connections break must not be
/// followed by a test that meets them.
pub(super) fn begin(daemon: &Rc<Daemon>, lease: LeaseNo, on: &[(DeploymentNo, LeaseMode)]) {
    for (deployment, mode) in on {
        if *mode != LeaseMode::Unstarted && !daemon.deployments.is_whole(*deployment) {
            feed(
                daemon,
                Input::Doubted {
                    deployment: *deployment,
                },
            );
        }
    }
    feed(daemon, Input::Begun { lease });
}

/// The core has decided on the beginning of a test: its client is told.
fn begun(daemon: &Rc<Daemon>, lease: LeaseNo, go: bool) {
    if go {
        let on = daemon.core.borrow().uses(lease).map(<[_]>::to_vec);
        let on = on.unwrap_or_default();
        daemon.grants.begin(lease, &daemon.deployments, &on);
        if !daemon.grants.tell_beginning(lease, true) {
            deliver(daemon, lease, &on);
        }
        return;
    }
    if daemon.grants.tell_beginning(lease, false) {
        // It was granted, and ends here.
        if let Some(closed) = daemon.grants.close(lease) {
            released(daemon, &closed);
        }
        return;
    }
    // Nobody was told of the lease yet: the poll waits on.
    if let Some((client, poll, Until { wait, plain })) = daemon.grants.take_back(lease) {
        feed(
            daemon,
            Input::Polled {
                client,
                poll,
                wait,
                plain,
            },
        );
    }
}

/// A lease has ended that was said to be granted.
pub(super) fn released(daemon: &Daemon, closed: &Closed) {
    if !closed.quiet {
        let lease = closed.name.clone();
        daemon.log.emit(EventKind::LeaseReleased { lease });
    }
}

/// Hands a lease over. If who asked for it has gone away, it is given back.
fn deliver(daemon: &Rc<Daemon>, lease: LeaseNo, on: &[(DeploymentNo, LeaseMode)]) {
    let told = daemon.grants.label(lease);
    let delivered = daemon
        .grants
        .grant(lease, &daemon.deployments, on, &daemon.socket);
    if let (true, Some((lease, test, waited_us))) = (delivered, told) {
        daemon.log.emit(EventKind::LeaseGranted {
            lease,
            test: test.to_string(),
            on: uses(&daemon.deployments.names(on)),
            waited_us,
        });
    }
    if !delivered {
        for (no, _) in on {
            daemon.deployments.give_up_use(*no);
        }
        daemon.grants.close(lease);
        feed(daemon, Input::Returned { lease });
    }
}
