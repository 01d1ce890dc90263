//! Changing the keys of a deployment that runs.

use super::Deployment;
use crate::backend::BackEndError;
use crate::notice::Notice;

/// Why the keys of a deployment were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nobody knows its keys.
    #[error("cannot change the keys of servers that somebody else started")]
    Attached,
    /// The deployment has been ended.
    #[error("{deployment} has been stopped")]
    Ended {
        /// The deployment's id.
        deployment: String,
    },
    /// Somebody else took a step.
    #[error("{taken} steps of the rotation have been taken, not {known}")]
    Stale {
        /// How many were taken.
        taken: u32,
        /// How many the one who asked knows of.
        known: u32,
    },
    /// A server's files cannot be written.
    #[error("cannot write the keys of a server: {0}")]
    BackEnd(#[from] BackEndError),
}

impl Deployment {
    /// Takes the next step of a rotation: from now on the system makes keys for one step more, and every server's files are
    /// written anew, also of those that do not run. To make servers read them is the caller's. `known` is the number of steps that
    /// the caller knows of, so that a request that arrives twice takes one step.
    ///
    /// Nothing starts meanwhile: it does not wait, and is called on the thread that starts processes.
    ///
    /// # Errors
    /// When that cannot be. What was written before stays.
    pub fn advance_keys(&self, known: u32) -> Result<u32, KeyError> {
        if self.view.attached().is_some() {
            return Err(KeyError::Attached);
        }
        if self.is_ended() {
            let deployment = self.id().to_owned();
            return Err(KeyError::Ended { deployment });
        }
        let (taken, next) = (self.view.keys.taken(), known.saturating_add(1));
        if taken != known && taken != next {
            return Err(KeyError::Stale { taken, known });
        }
        self.view.keys.reach(next);
        for server in self.servers.keys() {
            let launch = self.system.launch(&self.view, server);
            self.site.write_files(server, &launch.files)?;
        }
        if taken != next {
            self.notices.send(Notice::KeysChanged { steps: next });
        }
        Ok(next)
    }
}
