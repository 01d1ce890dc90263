//! The users that a test hands to other clients. They end with its lease.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use armadillo_orchestrator::{Login, Secret, random};

use super::{EtcdClient, EtcdConnection, EtcdError};
use crate::names;

/// The users of one test's handle on a cluster.
#[derive(Debug)]
pub(crate) struct LeaseUsers {
    /// The prefix of their names.
    prefix: String,
    /// The names of the users added so far.
    made: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl LeaseUsers {
    pub(crate) fn new(lease: &str) -> Self {
        Self {
            prefix: names::lease_users(lease),
            made: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// Whether the test has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Ends its clients: every later request returns an error.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Removes the users that were made.
    pub(crate) async fn remove(&self, superuser: &EtcdClient) -> Result<(), EtcdError> {
        let made = std::mem::take(&mut *self.made());
        for name in made {
            superuser.remove_user(&name).await?;
        }
        Ok(())
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EtcdClient {
    /// What another client needs to reach the same members: endpoints, the key prefix, and the login of a new user with all rights.
    /// The user is removed when the test ends, and members then refuse its requests. With [`Self::for_deployment`], the user is
    /// kept as long as the deployment. On members that somebody else started, it is the login that was given; without
    /// authentication, there is none.
    ///
    /// # Errors
    /// When no member adds the user.
    pub async fn connection(&self) -> Result<EtcdConnection, EtcdError> {
        let login = match &self.login {
            None => None,
            Some(given) if self.attached => Some(given.login().clone()),
            Some(_) => Some(self.new_user().await?),
        };
        Ok(EtcdConnection {
            endpoints: self.endpoints(),
            prefix: self.prefix.clone(),
            login,
            tls: self.tls.as_deref().cloned(),
        })
    }

    async fn new_user(&self) -> Result<Login, EtcdError> {
        let prefix = match &self.lease {
            Some(lease) => &lease.prefix,
            None => names::DEPLOYMENT_USERS,
        };
        let suffix = random::hex::<4>().map_err(EtcdError::NoPassword)?;
        let password = random::hex::<32>().map_err(EtcdError::NoPassword)?;
        let login = Login {
            user: format!("{prefix}{suffix}"),
            password: Secret::new(password),
        };
        if let Some(lease) = &self.lease {
            // Before it is added: the answer may be lost.
            lease.made().push(login.user.clone());
        }
        self.add_user(&login.user, &login.password).await?;
        Ok(login)
    }
}
