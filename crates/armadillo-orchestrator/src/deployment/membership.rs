//! Servers that join a deployment while it runs, and servers that leave it.

use std::sync::Arc;
use std::time::Duration;

use super::Deployment;
use super::operate::OperationError;
use super::status::{Phase, Server};
use crate::backend::BackEndError;
use crate::deadline::Deadline;
use crate::membership::{Membership, MembershipChange, MembershipError, Roll};
use crate::notice::Notice;
use crate::server::{ServerKey, ServerPlan};

/// Why it was not changed who is part of a deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipFailure {
    /// There is no such server, or the deployment has been ended.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The change makes no sense.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// Nobody but who started them can change them.
    #[error("cannot add or remove servers that somebody else started")]
    Attached,
    /// It must not run.
    #[error("cannot remove the data of {server}: it is {phase}")]
    Runs {
        /// The server.
        server: ServerKey,
        /// How it is.
        phase: Phase,
    },
    /// Its process did not end.
    #[error("{server} still runs after it was removed and stopped")]
    StillRuns {
        /// The server.
        server: ServerKey,
    },
    /// Another operation on it did not end in time.
    #[error("cannot change {server}: another operation on it is in progress")]
    Busy {
        /// The server.
        server: ServerKey,
    },
    /// Its data could not be removed.
    #[error("cannot remove the data of {server}: {source}")]
    Data {
        /// The server.
        server: ServerKey,
        /// Why.
        source: BackEndError,
    },
}

/// Who is part of a deployment that was just planned: everybody but the spares.
pub(super) fn of_plan(plan: &[ServerPlan]) -> Membership {
    let spares = plan.iter().filter(|server| server.spare);
    Membership::new(Roll::without(spares.map(|server| server.key.clone())))
}

impl Deployment {
    /// Whether a server is part of it now.
    pub(super) fn is_part(&self, server: &ServerKey) -> bool {
        self.view.membership.is_part(server)
    }

    /// The servers that are part of it now.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Server> {
        let roll = self.view.membership.roll();
        let servers = self.servers.values();
        servers.filter(move |server| roll.is_part(&server.plan.key))
    }

    /// Whether a test has changed who is part of it, or where a server is: it is not what its topology says any more.
    #[must_use]
    pub fn membership_was_changed(&self) -> bool {
        self.view.membership.roll().was_changed()
    }

    /// Changes who is part of it, and says who is then. Nothing is started or stopped by this: to the product, the system's
    /// front end speaks.
    ///
    /// # Errors
    /// When there is no such server, or the change makes no sense.
    pub fn change_membership(&self, change: MembershipChange) -> Result<Roll, MembershipFailure> {
        let target = self.changeable(change.server())?;
        if let MembershipChange::Move { to, .. } = &change {
            self.target(to)?;
        }
        let next = self.view.membership.roll().after(&change)?;
        match change {
            MembershipChange::Leave { .. } => target.expect_exit(true),
            MembershipChange::Join { .. } => target.expect_exit(false),
            MembershipChange::Move { .. } => {}
        }
        self.view.membership.reach(next.clone());
        self.notices.send(Notice::MembershipChanged { change });
        self.changed();
        Ok(next)
    }

    /// Ends a server that has left, and removes its data: it could join again, as a new one. If it ends by itself within
    /// `grace`, because the others told it to, that is awaited; else it is stopped.
    ///
    /// # Errors
    /// When it is part of the deployment, or does not end.
    pub async fn dismiss(
        self: &Arc<Self>,
        server: &ServerKey,
        grace: Duration,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<Roll, MembershipFailure> {
        let deadline = deadline.into();
        let target = self.changeable(server)?;
        if self.is_part(server) {
            let server = server.clone();
            return Err(MembershipError::Inside { server }.into());
        }
        let Some(Ok(_turn)) = deadline.bound(target.turn.acquire()).await else {
            let server = server.clone();
            return Err(MembershipFailure::Busy { server });
        };
        if target.phase().is_alive() {
            let by_itself = deadline.within(grace).bound(target.gone()).await;
            if by_itself.is_none() {
                self.stop_one(target, target.stop(), deadline).await;
            }
        }
        if target.phase().is_alive() {
            let server = server.clone();
            return Err(MembershipFailure::StillRuns { server });
        }
        self.remove_data_of(target)?;
        self.changed();
        Ok(self.view.membership.roll())
    }

    /// Removes what a server has stored that does not run: it starts from nothing the next time. What it has logged stays.
    ///
    /// # Errors
    /// When it runs, or its files cannot be removed.
    pub async fn wipe(
        &self,
        server: &ServerKey,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<(), MembershipFailure> {
        let target = self.changeable(server)?;
        let Some(Ok(_turn)) = deadline.into().bound(target.turn.acquire()).await else {
            let server = server.clone();
            return Err(MembershipFailure::Busy { server });
        };
        let phase = target.phase();
        if phase.is_alive() {
            let server = server.clone();
            return Err(MembershipFailure::Runs { server, phase });
        }
        let roll = self.view.membership.roll();
        self.view.membership.reach(roll.wiped());
        self.remove_data_of(target)
    }

    /// Whether a test has removed what a server had stored.
    #[must_use]
    pub fn was_wiped(&self) -> bool {
        self.view.membership.wipes() > 0
    }

    fn changeable(&self, server: &ServerKey) -> Result<&Server, MembershipFailure> {
        if self.view.attached().is_some() {
            return Err(MembershipFailure::Attached);
        }
        let target = self.target(server)?;
        if self.is_ended() {
            let deployment = self.id().to_owned();
            return Err(OperationError::Ended { deployment }.into());
        }
        Ok(target)
    }

    fn remove_data_of(&self, server: &Server) -> Result<(), MembershipFailure> {
        let key = &server.plan.key;
        let removed = self.site.remove_data_of(key);
        removed.map_err(|source| MembershipFailure::Data {
            server: key.clone(),
            source,
        })
    }
}
