//! What the proof does to servers, through the harness' own handles.

use armadillo_harness::fixture::{
    DeploymentHandle, Exclusive, Failed, Faults, Fresh, ServerControl, healthy,
};
use armadillo_orchestrator::ServerKey;

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
}

impl Act {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// The servers of a deployment of one's own: [`Exclusive`] and [`Fresh`] handles of any system.
pub trait Servers: Sync {
    /// Does it, and returns when it was seen to have taken effect.
    fn act(&self, server: &ServerKey, act: Act) -> impl Future<Output = Result<(), Failed>> + Send;

    /// Waits until the deployment as a whole is healthy.
    fn wait_healthy(&self) -> impl Future<Output = Result<(), Failed>> + Send;
}

async fn act(server: ServerControl, act: Act) -> Result<(), Failed> {
    match act {
        Act::Kill => server.kill().await?,
        Act::Start => server.start().await?,
        Act::Pause => server.pause().await?,
        Act::Resume => server.resume().await?,
    }
    Ok(())
}

macro_rules! owned {
    ($Handle:ident) => {
        impl<T: DeploymentHandle> Servers for $Handle<T> {
            async fn act(&self, server: &ServerKey, what: Act) -> Result<(), Failed> {
                act(self.server(server), what).await
            }

            async fn wait_healthy(&self) -> Result<(), Failed> {
                T::orchestrator(self).wait_until(healthy()).await?;
                Ok(())
            }
        }
    };
}

owned!(Exclusive);
owned!(Fresh);
