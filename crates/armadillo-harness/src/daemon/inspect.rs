//! A look at a deployment that nobody uses, and who may have left what is found.

use std::time::Duration;

use armadillo_orchestrator::{Checker, Deployment, Scope};

use super::Daemon;
use crate::checking::{CheckPolicy, Policies, Sorted};
use crate::event::{EventKind, Names};
use crate::leases::DeploymentNo;

/// How long the checkers may take before a test has the deployment alone, and after it, before the factor.
const LIMIT: Duration = Duration::from_secs(30);

/// How long they may hold up the end of a deployment, before the factor.
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// Asks the checkers of scope *idle*, as strict as the test that had it alone last says, or the run; what is only to be
/// said is said. The error names what was found, and the tests that shared the deployment meanwhile.
pub(super) async fn inspect(
    daemon: &Daemon,
    no: DeploymentNo,
    deployment: &Deployment,
    guests: &Names,
) -> Result<(), String> {
    let own = daemon.deployments.take_own_policies(no);
    let policies = own.as_ref().unwrap_or(&daemon.orders.checkers);
    let found = ask(deployment, policies, daemon.limit(LIMIT)).await;
    say(daemon, deployment, found.to_say, guests);
    if found.wrong.is_empty() {
        return Ok(());
    }
    let wrong = found.wrong.into_iter();
    let wrong: Vec<String> = wrong
        .map(|(checker, what)| format!("{checker}: {what}"))
        .collect();
    Err(format!("{}{}", wrong.join("; "), since(guests)))
}

/// The look before a deployment stops: there is nothing to replace any more, so what is found is said. One whose servers
/// do not all run is not looked at: who stopped them, or saw them end, has been told.
pub(super) async fn last(daemon: &Daemon, deployment: &Deployment, guests: &Names) {
    if guests.is_empty() || !deployment.is_whole() {
        return;
    }
    let limit = daemon.limit(LAST_LIMIT);
    let found = ask(deployment, &daemon.orders.checkers, limit).await;
    say(daemon, deployment, found.wrong, guests);
    say(daemon, deployment, found.to_say, guests);
}

async fn ask(deployment: &Deployment, policies: &Policies, limit: Duration) -> Sorted {
    let asked = |checker: &dyn Checker| policies.of(checker.name()) != CheckPolicy::Off;
    let mut found = policies.sort(deployment.check(Scope::Idle, "", asked, limit).await);
    if deployment.view().attached().is_some() {
        // Others use these servers, too, and there are none to replace them with.
        found.to_say.append(&mut found.wrong);
    }
    found
}

fn say(daemon: &Daemon, deployment: &Deployment, found: Vec<(String, String)>, guests: &Names) {
    for (checker, what) in found {
        let text = format!("{}: {checker}: {what}{}", deployment.id(), since(guests));
        daemon.log.emit(EventKind::Warning { text });
    }
}

/// Who shared the deployment since it was last seen to be clean, in words.
fn since(guests: &Names) -> String {
    if guests.is_empty() {
        return String::new();
    }
    format!("; tests on it since the last clean check: {guests}")
}
