//! After a test: finds what it left on its deployments, and charges it with what happened to them while it ran.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::cores;
use armadillo_orchestrator::deployment::LogMarks;
use armadillo_orchestrator::{Checker, Deployment, PostMortem, Scope};

use super::drive::{self, feed};
use super::grants::Begun;
use super::{Daemon, lifecycle, links, sanitizers};
use crate::checking::{CheckPolicy, LOG, Policies, Sorted};
use crate::event::Company;
use crate::leases::{Charge, DeploymentNo, Found, Input, LeaseNo};
use crate::needs::LeaseMode;
use crate::protocol::daemon::{Findings, Release, Released};

/// How long the checks after a test may take together, before the factor.
const CHECK_LIMIT: Duration = Duration::from_secs(30);

/// How long a server that is ending may take to be gone.
const EXIT_LIMIT: Duration = Duration::from_secs(5);

/// Looks at one deployment after a test, and tells the core what was found.
pub(super) async fn examine(daemon: Rc<Daemon>, lease: LeaseNo, no: DeploymentNo, mode: LeaseMode) {
    let found = match (
        daemon.grants.ended(lease, no),
        daemon.deployments.deployment(no),
    ) {
        (Some(ended), Some(deployment)) => {
            examine_one(&daemon, lease, no, mode, ended, &deployment).await
        }
        _ => Found {
            ended_at: daemon.log.now_us(),
            ..Found::default()
        },
    };
    feed(
        &daemon,
        Input::Examined {
            lease,
            deployment: no,
            found,
        },
    );
}

async fn examine_one(
    daemon: &Rc<Daemon>,
    lease: LeaseNo,
    no: DeploymentNo,
    mode: LeaseMode,
    (name, release, begun): (String, Option<Release>, Begun),
    deployment: &Deployment,
) -> Found {
    // A client that went away has not torn anything down.
    let release = release.unwrap_or_else(|| of_somebody_gone(&daemon.orders.checkers));
    links::end_faults(deployment, mode).await;
    deployment.operations_done(daemon.limit(EXIT_LIMIT)).await;
    // What is ending now ended in the test's time.
    deployment.note_exits(daemon.limit(EXIT_LIMIT)).await;
    lifecycle::tell_crashes(daemon, no);
    let unmet = deployment.take_unmet_expectations();
    let reported = daemon.deployments.end_use(no, deployment, &begun.reports);
    let reported = sanitizers::in_words(&reported);
    let ended_at = daemon.log.now_us();
    if mode == LeaseMode::Exclusive {
        // What fails by it is not what the checkers look for. If a server does not answer, the repair finds out.
        let _ = deployment.switch_off(daemon.limit(EXIT_LIMIT)).await;
    }
    let grave = grave_lines(deployment, &begun.marks, &release.checkers);
    let mut suspect = None;
    let looked = can_be_looked_at(mode, deployment);
    let mut found = if looked {
        look_for_leaks(daemon, (no, deployment), &name, &release, &mut suspect).await
    } else {
        Sorted::default()
    };
    if looked && mode == LeaseMode::Exclusive && !release.failed {
        found.add(left_by_one_alone(daemon, deployment, &release.checkers).await);
    }
    found.add(grave);
    if mode == LeaseMode::Exclusive {
        daemon
            .deployments
            .set_own_policies(no, release.checkers.clone());
    }
    if !looked && !mode.is_fresh() {
        daemon.deployments.add_unpurged(no, name);
    }
    // After a failure, what is left is a consequence of it, and the failure is what matters.
    let wrong = if release.failed {
        Vec::new()
    } else {
        found.wrong
    };
    let words = |found: Vec<(String, String)>| found.into_iter().map(|(_, what)| what).collect();
    let leaks: Vec<String> = words(wrong);
    let crashed = deployment.crashes().len() > begun.crashes;
    if crashed {
        deployment.note_autopsies(cores::AUTOPSY_LIMIT).await;
    }
    let is_wrong = !(leaks.is_empty() && unmet.is_empty() && reported.is_empty());
    if release.failed || crashed || is_wrong {
        let findings = Findings {
            server_logs: deployment.logs_since(&begun.marks),
            leaders: deployment.leadership_log(),
            post_mortems: post_mortems(daemon, deployment, &begun, ended_at),
            ..Findings::default()
        };
        daemon.grants.found(lease, no, findings);
    }
    Found {
        ended_at,
        leaks,
        sanitizers: reported,
        warnings: words(found.to_say),
        unmet,
        suspect,
    }
}

/// What is known of the crashes of a test's time.
fn post_mortems(
    daemon: &Daemon,
    deployment: &Deployment,
    begun: &Begun,
    ended_at: u64,
) -> Vec<PostMortem> {
    let found = deployment.post_mortems().into_iter();
    let own = found.filter(|(noticed, _)| {
        begun.at.is_some_and(|began| began <= *noticed) && daemon.log.us_at(*noticed) <= ended_at
    });
    own.map(|(_, found)| found).collect()
}

/// The end of a test whose process is gone, and its client too.
fn of_somebody_gone(checkers: &Policies) -> Release {
    Release {
        began_us: 0,
        torn_down: false,
        suspect: None,
        failed: true,
        checkers: checkers.clone(),
        keeps: Vec::new(),
        retry: None,
    }
}

/// A lease has ended: who waits for that is told what its test is charged with.
pub(super) fn conclude(
    daemon: &Rc<Daemon>,
    lease: LeaseNo,
    charges: Vec<Charge>,
    (company, again, void): (Company, bool, bool),
) {
    let mut on = BTreeMap::new();
    for charge in charges {
        let evidence = daemon.grants.take_found(lease, charge.deployment);
        let findings = Findings {
            leaks: charge.found.leaks,
            warnings: charge.found.warnings,
            unmet: charge.found.unmet,
            sanitizers: charge.found.sanitizers,
            crashes: charge.crashes,
            ..evidence
        };
        on.insert(daemon.deployments.name(charge.deployment), findings);
    }
    let Some(closed) = daemon.grants.close(lease) else {
        return;
    };
    drive::released(daemon, &closed);
    if let Some(waiting) = closed.waiting {
        // Who asked may have gone away.
        let _ = waiting.send(Released {
            on,
            company,
            again,
            void,
        });
    }
}

/// Whether checkers have something to ask. A fresh deployment ends with its test; one whose servers a test has stopped is
/// repaired first and then looked at as a whole.
fn can_be_looked_at(mode: LeaseMode, deployment: &Deployment) -> bool {
    let running = deployment.all_run();
    // Whoever shows no valid certificate cannot be asked, and gets one when the deployment is repaired.
    !mode.is_fresh() && running && deployment.spoilt_certificates().is_empty()
}

/// Purges what a test left that could not clean up itself, and asks the checkers whether something is still there.
async fn look_for_leaks(
    daemon: &Daemon,
    (no, deployment): (DeploymentNo, &Deployment),
    lease: &str,
    release: &Release,
    suspect: &mut Option<String>,
) -> Sorted {
    let limit = daemon.limit(CHECK_LIMIT);
    let keeps = daemon.orders.keep_on_failure && release.retry.is_none();
    if keeps && release.failed && !release.torn_down {
        // Left for a person to look at. If another deployment is kept, this one is put in order.
        leave(daemon, no, lease, suspect);
        return Sorted::default();
    }
    if !release.torn_down
        && let Err(error) = deployment.purge(lease, limit).await
    {
        *suspect = Some(format!(
            "cannot remove what a killed test left behind: {error}"
        ));
    }
    let policies = &release.checkers;
    let asked = |checker: &dyn Checker| policies.of(checker.name()) != CheckPolicy::Off;
    let found = deployment.check(Scope::Lease, lease, asked, limit).await;
    if found.is_empty() {
        return Sorted::default();
    }
    let found = policies.sort(found);
    if keeps && !found.wrong.is_empty() {
        leave(daemon, no, lease, suspect);
    } else if let Err(error) = deployment.purge(lease, limit).await {
        suspect.get_or_insert_with(|| format!("cannot remove what a test left behind: {error}"));
    }
    found
}

/// Leaves what a test has left. Whoever gets the deployment next gets it in order.
fn leave(daemon: &Daemon, no: DeploymentNo, lease: &str, suspect: &mut Option<String>) {
    daemon.deployments.add_unpurged(no, lease.to_owned());
    suspect.get_or_insert_with(|| "what a failed test left behind was not removed".to_owned());
}

/// What a test that had the deployment alone has left there that carries nobody's lease: nobody else can have. In a
/// deployment that is not well a look would say little; it is repaired first and looked at then.
async fn left_by_one_alone(
    daemon: &Daemon,
    deployment: &Deployment,
    policies: &Policies,
) -> Sorted {
    let limit = daemon.limit(CHECK_LIMIT);
    if !deployment.health(limit).await.is_good() {
        return Sorted::default();
    }
    let asked = |checker: &dyn Checker| {
        checker.is_charged() && policies.of(checker.name()) == CheckPolicy::Fail
    };
    policies.sort(deployment.check(Scope::Idle, "", asked, limit).await)
}

/// What running servers have logged meanwhile that they should not: that they crashed, or give up.
fn grave_lines(deployment: &Deployment, marks: &LogMarks, policies: &Policies) -> Sorted {
    if policies.of(LOG) == CheckPolicy::Off {
        return Sorted::default();
    }
    let lines = deployment.grave_lines_of_running(marks).into_iter();
    let found = lines.map(|(server, line)| {
        let what = format!("{server} logged: {}", line.text);
        (LOG.to_owned(), what)
    });
    policies.sort(found.collect())
}
