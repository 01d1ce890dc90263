//! What the proof does to servers, through the harness' own handles.

use std::time::Duration;

use armadillo_harness::failure::TestError;
use armadillo_harness::fixture::{
    DeploymentHandle, Exclusive, Faults, Fresh, LinkFaults, Links, ServerControl, WaitError,
    healthy,
};
use armadillo_orchestrator::ServerKey;
use armadillo_orchestrator::links::LINKS;

use crate::fault::Fault;

/// What is done to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is ended at once.
    Kill,
    /// It is started after that, and ready.
    Start,
    /// It is frozen.
    Pause,
    /// It goes on after that.
    Resume,
    /// It and the other servers reach each other no more.
    CutOff,
    /// What it and the other servers send each other arrives so much later.
    Delay(Duration),
    /// What they send each other arrives, and in time, after either.
    Rejoin,
}

impl Act {
    /// What it does, in words.
    pub(crate) fn to(self, servers: &str) -> String {
        let word = match self {
            Self::Kill => "kill",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::CutOff => "cut off",
            Self::Delay(by) => return format!("delay {servers} by {by:.0?}"),
            Self::Rejoin => "connect",
        };
        format!("{word} {servers}")
    }
}

/// The servers of a deployment of one's own: [`Exclusive`] and [`Fresh`] handles of any system.
pub trait Servers: Sync {
    /// Whether this can be done to them. Kills and pauses can always be.
    fn offers(&self, fault: Fault) -> bool {
        !fault.is_of_links() && !fault.is_operation()
    }

    /// Loses what the first of these sends to the other, and returns when something was lost.
    fn cut(
        &self,
        _from: &ServerKey,
        _to: &ServerKey,
    ) -> impl Future<Output = Result<(), TestError>> + Send {
        async { Err("these servers have no links".into()) }
    }

    /// Loses nothing any more after that. They may have nothing to say to each other.
    fn mend(
        &self,
        _from: &ServerKey,
        _to: &ServerKey,
    ) -> impl Future<Output = Result<(), TestError>> + Send {
        async { Err("these servers have no links".into()) }
    }

    /// Restarts one after the other, as one would a system in use.
    fn rolling_restart(&self) -> impl Future<Output = Result<(), TestError>> + Send {
        async { Err("these servers cannot be restarted one after the other".into()) }
    }

    /// Upgrades one after the other along a path of versions.
    fn rolling_upgrade(
        &self,
        _path: &[String],
    ) -> impl Future<Output = Result<(), TestError>> + Send {
        async { Err("these servers cannot be upgraded".into()) }
    }

    /// Adds a server that is in reserve, and then removes this one, which is in reserve afterwards.
    fn replace(&self, _leaving: &ServerKey) -> impl Future<Output = Result<(), TestError>> + Send {
        async { Err("none of these servers is in reserve".into()) }
    }

    /// Does it, and returns when it was seen to have taken effect.
    fn act(
        &self,
        server: &ServerKey,
        act: Act,
    ) -> impl Future<Output = Result<(), TestError>> + Send;

    /// Waits until the deployment as a whole is healthy, at most for this time. Returns what keeps it from being so: nothing if it is
    /// healthy.
    fn wait_healthy(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<String>, TestError>> + Send;
}

async fn act(server: ServerControl, links: Links, act: Act) -> Result<(), TestError> {
    match act {
        Act::Kill => server.kill().await?,
        Act::Start => server.start().await?,
        Act::Pause => server.pause().await?,
        Act::Resume => server.resume().await?,
        Act::CutOff => drop(links.cut_off(server).await?),
        Act::Delay(by) => drop(links.of(server).delay(by).await?),
        Act::Rejoin => drop(links.heal().await?),
    }
    Ok(())
}

macro_rules! owned {
    ($Handle:ident) => {
        impl<T: DeploymentHandle> Servers for $Handle<T> {
            fn offers(&self, fault: Fault) -> bool {
                match fault {
                    Fault::ReplaceLeader => T::has_spare(self),
                    _ if fault.is_of_links() => T::orchestrator(self).view().topology.says(LINKS),
                    _ => true,
                }
            }

            async fn rolling_upgrade(&self, path: &[String]) -> Result<(), TestError> {
                $Handle::rolling_upgrade(self, path.iter().cloned()).await?;
                let Some(last) = path.last() else {
                    return Ok(());
                };
                // Those that join later must not be older than those that are there.
                let roll = T::orchestrator(self).view().membership.roll();
                for spare in roll.spares() {
                    self.server(spare).use_program(last).await?;
                }
                Ok(())
            }

            async fn replace(&self, leaving: &ServerKey) -> Result<(), TestError> {
                T::replace(self, leaving).await.map(drop)
            }

            async fn cut(&self, from: &ServerKey, to: &ServerKey) -> Result<(), TestError> {
                self.links().from(from).to(to).cut().await?;
                Ok(())
            }

            async fn mend(&self, from: &ServerKey, to: &ServerKey) -> Result<(), TestError> {
                self.links().from(from).to(to).at_once().heal().await?;
                Ok(())
            }

            async fn rolling_restart(&self) -> Result<(), TestError> {
                $Handle::rolling_restart(self).await?;
                Ok(())
            }

            async fn act(&self, server: &ServerKey, what: Act) -> Result<(), TestError> {
                act(self.server(server), self.links(), what).await
            }

            async fn wait_healthy(&self, limit: Duration) -> Result<Vec<String>, TestError> {
                let orchestrator = T::orchestrator(self);
                match orchestrator.wait_until_within(limit, healthy()).await {
                    Ok(_) => Ok(Vec::new()),
                    Err(WaitError::Missing { missing, .. }) => Ok(missing),
                    Err(error) => Err(error.into()),
                }
            }
        }
    };
}

owned!(Exclusive);
owned!(Fresh);
