//! Another certificate for a server, while it runs.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::Deployment;
use super::operate::{OperationError, Step};
use crate::http::Client;
use crate::poll::Poll;
use crate::server::ServerKey;
use crate::tls::{self, Certificate};

impl Deployment {
    /// The servers that show clients a certificate that is not valid, because a test asked for it.
    #[must_use]
    pub fn spoilt_certificates(&self) -> BTreeSet<ServerKey> {
        self.spoilt().clone()
    }

    /// Gives a server another certificate, has it read that, and waits until new connections are shown it. One that does not
    /// run shows it from its next start on.
    pub(super) async fn certify(
        &self,
        step: &Step<'_>,
        which: Certificate,
    ) -> Result<Option<String>, OperationError> {
        let server = step.key();
        let port = step.server.plan.ports.first().copied().unwrap_or_default();
        let (Some(tls), Some(address)) = (&self.view.tls, self.view.reach(&server, port)) else {
            return Err(OperationError::NoTls {
                operation: step.operation,
                server,
                deployment: self.id().to_owned(),
            });
        };
        let runs = step.server.phase().is_alive();
        // Whoever tells the server to read the new one speaks to it while it shows the old one.
        let before = match runs {
            true => tls::presented(address, step.deadline).await,
            false => Err(String::new()),
        };
        let issued = tls::renew(&*self.site, &server, which);
        let issued = issued.map_err(|error| step.no_effect(&error.to_string()))?;
        match which {
            Certificate::Valid => self.spoilt().remove(&server),
            _ => self.spoilt().insert(server.clone()),
        };
        if !runs {
            return Ok(None);
        }
        let before = before.map_err(|why| step.no_effect(&why))?;
        let client = Client::tls_with(address, &before, tls);
        let told = self
            .system
            .reload_certificates(&self.view, &server, &client);
        let told = step.deadline.bound(told).await;
        told.unwrap_or_else(|| Err("no response before the deadline".to_owned()))
            .map_err(|why| step.no_effect(&why))?;
        let mut poll = Poll::new(Duration::from_millis(2), Duration::from_millis(50));
        loop {
            let shown = tls::presented(address, step.deadline).await;
            if shown.as_ref() == Ok(&issued.der) {
                return Ok(None);
            }
            if step.deadline.passed() {
                let why = match shown {
                    Ok(_) => "it still shows the certificate before it".to_owned(),
                    Err(why) => why,
                };
                return Err(step.no_effect(&why));
            }
            poll.pause(step.deadline).await;
        }
    }

    fn spoilt(&self) -> MutexGuard<'_, BTreeSet<ServerKey>> {
        self.spoilt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
