//! The end of a lease: what the test left is looked for, and what befell its servers is charged to it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::deployment::{LogMarks, Phase};
use armadillo_orchestrator::{Checker, Deployment, LeadershipLog, Scope, Secret};

use super::Daemon;
use super::pools::{LeaseProblem, settle};
use crate::checking::{CheckPolicy, LOG, Policies, Sorted};
use crate::event::EventKind;
use crate::needs::LeaseMode;
use crate::protocol::daemon::{Release, Released};

/// How long the checks after a test may take together, before the factor.
const CHECK_LIMIT: Duration = Duration::from_secs(30);

/// How long a server that is ending may take to be gone.
const EXIT_LIMIT: Duration = Duration::from_secs(5);

/// A lease ends: what the test left is looked for, then others may come.
pub(super) async fn release(
    daemon: &Rc<Daemon>,
    lease: &str,
    token: &Secret,
    release: Release,
) -> Result<Released, LeaseProblem> {
    let (id, deployment) = daemon.pools.find(lease, token)?;
    let before = daemon.pools.with(id, |pool| {
        let held = pool.leases.get_mut(lease)?;
        held.ending = true;
        pool.fixtures.lease_ended(lease);
        Some((held.mode, held.crashes, held.marks.clone()))
    });
    daemon.pools.fixtures_changed.notify_waiters();
    let (mode, crashes_before, marks) = before
        .flatten()
        .ok_or_else(|| LeaseProblem::Gone(lease.to_owned()))?;
    deployment.note_exits(daemon.limit(EXIT_LIMIT)).await;
    let mut suspect = release.suspect.clone();
    let looked = can_be_looked_at(mode, &deployment);
    let mut found = if looked {
        look_for_leaks(daemon, &deployment, lease, &release, &mut suspect).await
    } else {
        Sorted::default()
    };
    if looked && mode == LeaseMode::Exclusive && !release.failed {
        found.add(left_by_one_alone(daemon, &deployment, &release.checkers).await);
    }
    found.add(grave_lines(&deployment, &marks, &release.checkers));
    // After a failure, what is left is a consequence of it, and the failure is what matters.
    let wrong = if release.failed {
        Vec::new()
    } else {
        found.wrong
    };
    let words = |found: Vec<(String, String)>| found.into_iter().map(|(_, what)| what);
    let (leaks, warnings): (Vec<_>, Vec<_>) =
        (words(wrong).collect(), words(found.to_say).collect());
    let crashes: Vec<String> = deployment
        .crashes()
        .iter()
        .skip(crashes_before)
        .map(|crash| {
            let said = deployment.grave_line_of(crash);
            let said = said.map(|line| format!("; it logged: {}", line.text));
            let said = said.unwrap_or_default();
            format!("{}: {}{said}", crash.server, crash.text)
        })
        .collect();
    let unmet = deployment.take_unmet_expectations();
    if let Some(crash) = crashes.first() {
        suspect.get_or_insert_with(|| crash.clone());
    }
    let failed = release.failed || !leaks.is_empty() || !crashes.is_empty() || !unmet.is_empty();
    let server_logs = if failed {
        deployment.logs_since(&marks)
    } else {
        BTreeMap::new()
    };
    let leaders = if failed {
        deployment.leadership_log()
    } else {
        LeadershipLog::default()
    };
    let co_tenants = daemon.pools.with(id, |pool| {
        pool.failed_somebody |= failed;
        let held = pool.leases.remove(lease)?;
        if held.mode == LeaseMode::Exclusive {
            suspect.get_or_insert_with(|| "a test had it alone".to_owned());
            pool.own_policies = Some(release.checkers.clone());
        }
        pool.suspect = pool.suspect.take().or(suspect);
        if !looked {
            pool.unpurged.push(lease.to_owned());
        }
        Some(held.tenants.into_iter().collect::<Vec<_>>())
    });
    daemon.log.emit(EventKind::LeaseReleased {
        lease: lease.to_owned(),
    });
    settle(daemon, id);
    Ok(Released {
        leaks,
        warnings,
        crashes,
        unmet,
        co_tenants: co_tenants.flatten().unwrap_or_default(),
        server_logs,
        leaders,
    })
}

/// Whether checkers have something to ask. A fresh deployment ends with its test; one whose servers a test has stopped is
/// repaired first and then looked at as a whole.
fn can_be_looked_at(mode: LeaseMode, deployment: &Deployment) -> bool {
    let running = deployment
        .servers()
        .values()
        .all(|status| status.phase == Phase::Running);
    !mode.is_fresh() && running
}

/// Purges what a test left that could not clean up itself, and asks the checkers whether something is still there.
async fn look_for_leaks(
    daemon: &Daemon,
    deployment: &Deployment,
    lease: &str,
    release: &Release,
    suspect: &mut Option<String>,
) -> Sorted {
    let limit = daemon.limit(CHECK_LIMIT);
    if !release.torn_down
        && let Err(error) = deployment.purge(lease, limit).await
    {
        *suspect = Some(format!("what a dead test left cannot be removed: {error}"));
    }
    let policies = &release.checkers;
    let asked = |checker: &dyn Checker| policies.of(checker.name()) != CheckPolicy::Off;
    let found = deployment.check(Scope::Lease, lease, asked, limit).await;
    if found.is_empty() {
        return Sorted::default();
    }
    if let Err(error) = deployment.purge(lease, limit).await {
        suspect.get_or_insert_with(|| format!("what a test left cannot be removed: {error}"));
    }
    policies.sort(found)
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
