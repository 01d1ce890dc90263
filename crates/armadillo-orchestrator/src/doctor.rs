//! Assumptions about a product, as things that can be tried out on a real deployment, one after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::deadline::Deadline;
use crate::deployment::{Deployment, Operation, Phase};
use crate::http::Request;
use crate::poll::Poll;
use crate::server::ServerKey;
use crate::settings::Settings;
use crate::system::{Fut, System, completed};
use crate::topology::Topology;
use crate::view::View;

/// A stage of the checks: deployments of these topologies are started one after the other. Stages with equal topologies in
/// a row use the same deployment.
#[derive(Clone, Copy, Debug)]
pub struct CheckStage {
    /// Its name, with which those of its assumptions begin: `single`.
    pub name: &'static str,
    /// The topology of its deployment, complete as far as its numbers go.
    pub topology: fn() -> Topology,
}

/// One assumption about a product.
#[derive(Clone, Copy, Debug)]
pub struct Assumption {
    /// Its name: the stage, a dot, and one word or several: `single.version`.
    pub name: &'static str,
    /// What is assumed, as a sentence without its point.
    pub assumes: &'static str,
    /// What does not work without it.
    pub breaks: &'static str,
    /// What to do if it does not hold.
    pub advice: &'static str,
    /// The names of those that must hold before this one can be tried.
    pub after: &'static [&'static str],
}

impl Assumption {
    /// The name of its stage.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// A deployment on which assumptions are checked. It has been placed, and its start is under way or over.
pub struct CheckedDeployment {
    deployment: Arc<Deployment>,
    started: watch::Receiver<Option<Result<(), String>>>,
    deadline: Deadline,
}

impl CheckedDeployment {
    /// A deployment, the outcome of its start, and when the present check must end.
    #[must_use]
    pub fn new(
        deployment: Arc<Deployment>,
        started: watch::Receiver<Option<Result<(), String>>>,
        deadline: Deadline,
    ) -> Self {
        Self {
            deployment,
            started,
            deadline,
        }
    }

    /// The deployment.
    #[must_use]
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// The deployment as data.
    #[must_use]
    pub fn view(&self) -> &View {
        self.deployment.view()
    }

    /// When the present check must end.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Waits until the whole deployment has been good once.
    ///
    /// # Errors
    /// Why it was not.
    pub async fn started(&self) -> Result<(), String> {
        let mut started = self.started.clone();
        match self.deadline.bound(started.wait_for(Option::is_some)).await {
            Some(Ok(outcome)) => outcome.clone().unwrap_or(Ok(())),
            Some(Err(_)) => Err("its start was given up".to_owned()),
            None => Err(format!("it is not ready after {LIMIT:.0?}")),
        }
    }

    /// Looks again and again until `look` finds something, or a server has ended, or the time is up.
    ///
    /// # Errors
    /// What the last look said, or how a server ended.
    pub async fn until<'l, T>(
        &self,
        limit: Duration,
        look: impl Fn() -> Fut<'l, Result<T, String>> + Send,
    ) -> Result<T, String> {
        let deadline = self.deadline.within(limit);
        let mut poll = Poll::new(Duration::from_millis(10), Duration::from_millis(200));
        let mut last = None;
        loop {
            let found = deadline.bound(look()).await;
            let why = match found {
                Some(Ok(found)) => return Ok(found),
                Some(Err(why)) => why,
                // Cut short, a look says less than the one before.
                None => last.unwrap_or_else(|| "no answer".to_owned()),
            };
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            if deadline.passed() {
                return Err(format!("not within {limit:.0?}: {why}"));
            }
            last = Some(why);
            poll.pause(deadline).await;
        }
    }

    /// Waits until a server answers a request for this path, whatever it answers. Nothing is said of the answer.
    ///
    /// # Errors
    /// Why there was no answer within `limit`.
    pub async fn listens(
        &self,
        address: &str,
        path: &'static str,
        limit: Duration,
    ) -> Result<String, String> {
        self.until(limit, || {
            let client = self.view().client_at(address);
            Box::pin(async move {
                match client.send(Request::get(path), ANSWER).await {
                    Ok(_) => Ok(String::new()),
                    Err(error) if error.is_refused() => {
                        Err("nothing listens on its port".to_owned())
                    }
                    Err(error) => Err(error.to_string()),
                }
            })
        })
        .await
    }

    /// How a server has ended by itself, with the last line that it printed.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        let servers = self.deployment.servers();
        let (server, status) = servers
            .iter()
            .find(|(_, status)| status.phase == Phase::Crashed)?;
        let exit = status.exit.as_deref().unwrap_or("unknown exit");
        let log = self.deployment.last_lines(server, 1);
        let said = log.first().map(|line| format!("; its last line: {line}"));
        Some(format!(
            "{server} has ended: {exit}{}",
            said.unwrap_or_default()
        ))
    }

    /// The server that an earlier check has stopped.
    ///
    /// # Errors
    /// When all run.
    pub fn stopped(&self) -> Result<ServerKey, String> {
        let servers = self.deployment.servers();
        let mut stopped = servers.iter().filter(|(_, status)| status.pid.is_none());
        let (key, _) = stopped.next().ok_or("all servers run")?;
        Ok(key.clone())
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When all run, or it does not get ready.
    pub async fn start_again(&self) -> Result<(), String> {
        let stopped = self.stopped()?;
        let started = self
            .deployment
            .operate(&stopped, Operation::Start, self.deadline);
        started.await.map(drop).map_err(|error| error.to_string())
    }

    /// Waits until the whole deployment is good.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn good(&self) -> Result<(), String> {
        let good = self.deployment.wait_good(self.deadline).await;
        good.map(drop).map_err(|error| error.to_string())
    }

    /// The servers of one role.
    #[must_use]
    pub fn servers_of(&self, role: &str) -> Vec<ServerKey> {
        let view = self.view();
        let servers = view.of_role(role).map(|(server, _)| server.clone());
        servers.collect()
    }
}

/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long one assumption may take to be tried out.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What became of one assumption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds; what was seen.
    Holds(String),
    /// It does not; what was seen instead.
    Fails(String),
    /// It was not tried, because these do not hold.
    NotReached(Vec<&'static str>),
}

/// The assumptions that keep one from being tried: those it needs that were looked at and do not hold.
#[must_use]
pub fn in_the_way(
    assumption: &Assumption,
    findings: &[(&'static str, Finding)],
) -> Vec<&'static str> {
    let holds = |name: &&str| {
        let found = findings.iter().find(|(known, _)| known == name);
        found.is_none_or(|(_, finding)| matches!(finding, Finding::Holds(_)))
    };
    assumption
        .after
        .iter()
        .copied()
        .filter(|name| !holds(name))
        .collect()
}

/// Whether a system's assumptions make sense: names that are unique and begin with a stage, and needs that come earlier.
///
/// # Errors
/// The first that makes none.
pub fn check(system: &dyn System) -> Result<(), String> {
    let stages: Vec<&str> = system.stages().iter().map(|stage| stage.name).collect();
    let mut known: Vec<&str> = Vec::new();
    for assumption in system.assumptions() {
        let name = assumption.name;
        if !stages.contains(&assumption.stage()) {
            return Err(format!("{name} belongs to no stage"));
        }
        if known.contains(&name) {
            return Err(format!("{name} is there twice"));
        }
        if let Some(later) = assumption.after.iter().find(|after| !known.contains(after)) {
            return Err(format!(
                "{name} needs {later}, which does not come before it"
            ));
        }
        known.push(name);
    }
    Ok(())
}

/// The topology of a stage with the settings of the run.
///
/// # Errors
/// When the settings do not allow it.
pub fn topology(
    system: &dyn System,
    stage: &CheckStage,
    settings: &Settings,
) -> Result<Topology, String> {
    let completed = completed(system, &(stage.topology)(), settings);
    completed.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_something_that_does_not_hold_is_not_reached() {
        let assumption = |name, after| Assumption {
            name,
            assumes: "",
            breaks: "",
            advice: "",
            after,
        };
        let last = assumption("single.c", &["single.a", "single.b"]);
        let holds = || Finding::Holds(String::new());
        let found = |b: Finding| in_the_way(&last, &[("single.a", holds()), ("single.b", b)]);
        assert!(found(holds()).is_empty());
        assert_eq!(found(Finding::Fails(String::new())), ["single.b"]);
        assert_eq!(found(Finding::NotReached(vec!["x"])), ["single.b"]);
        assert!(in_the_way(&last, &[]).is_empty(), "nobody looked");
        assert_eq!(last.stage(), "single");
    }
}
