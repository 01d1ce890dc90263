//! A look at a deployment that nobody uses, and who may have left what is found.

use std::collections::BTreeSet;
use std::time::Duration;

use armadillo_orchestrator::deployment::Phase;
use armadillo_orchestrator::{Checker, Deployment, Scope};

use super::Daemon;
use super::pool::PoolId;
use crate::checking::{CheckPolicy, Policies, Sorted};
use crate::event::EventKind;

/// How long the checkers may take before a test has the deployment alone, and after it, before the factor.
const LIMIT: Duration = Duration::from_secs(30);

/// How long they may hold up the end of a deployment, before the factor.
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// How many tests are named; of many, the rest are counted.
const NAMED: usize = 10;

/// Asks the checkers of scope *idle*, as strict as the test that had it alone last says, or the run; what is only to be
/// said is said. The error names what was found, and the tests that shared the deployment meanwhile.
pub(super) async fn look(
    daemon: &Daemon,
    id: PoolId,
    deployment: &Deployment,
) -> Result<(), String> {
    let taken = daemon
        .pools
        .with(id, |pool| (pool.own_policies.take(), pool.unseen.clone()));
    let (policies, tests) = taken.unwrap_or_default();
    let policies = policies.as_ref().unwrap_or(&daemon.orders.checkers);
    let found = ask(deployment, policies, daemon.limit(LIMIT)).await;
    say(daemon, deployment, found.to_say, &tests);
    if found.wrong.is_empty() {
        daemon.pools.with(id, |pool| pool.unseen.clear());
        return Ok(());
    }
    let wrong = found.wrong.into_iter();
    let wrong: Vec<String> = wrong
        .map(|(checker, what)| format!("{checker}: {what}"))
        .collect();
    Err(format!("{}{}", wrong.join("; "), since(&tests)))
}

/// The look before a deployment stops: there is nothing to replace any more, so what is found is said. One whose servers
/// do not all run is not looked at: who stopped them, or saw them end, has been told.
pub(super) async fn last(daemon: &Daemon, id: PoolId, deployment: &Deployment) {
    let tests = daemon.pools.with(id, |pool| {
        let trusted = !pool.fresh && pool.suspect.is_none();
        trusted.then(|| std::mem::take(&mut pool.unseen))
    });
    let tests = tests.flatten().unwrap_or_default();
    let servers = deployment.servers();
    if tests.is_empty()
        || servers
            .values()
            .any(|status| status.phase != Phase::Running)
    {
        return;
    }
    let limit = daemon.limit(LAST_LIMIT);
    let found = ask(deployment, &daemon.orders.checkers, limit).await;
    say(daemon, deployment, found.wrong, &tests);
    say(daemon, deployment, found.to_say, &tests);
}

async fn ask(deployment: &Deployment, policies: &Policies, limit: Duration) -> Sorted {
    let asked = |checker: &dyn Checker| policies.of(checker.name()) != CheckPolicy::Off;
    policies.sort(deployment.check(Scope::Idle, "", asked, limit).await)
}

fn say(
    daemon: &Daemon,
    deployment: &Deployment,
    found: Vec<(String, String)>,
    tests: &BTreeSet<String>,
) {
    for (checker, what) in found {
        let text = format!("{}: {checker}: {what}{}", deployment.id(), since(tests));
        daemon.log.emit(EventKind::Warning { text });
    }
}

/// Who shared the deployment since it was last seen to be clean, in words.
fn since(tests: &BTreeSet<String>) -> String {
    if tests.is_empty() {
        return String::new();
    }
    let named: Vec<&str> = tests.iter().take(NAMED).map(String::as_str).collect();
    let more = tests.len() - named.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    let named = named.join(", ");
    format!("; since the last clean look it was shared by {named}{more}")
}
