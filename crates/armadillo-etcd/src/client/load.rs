//! Writers that go on whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use armadillo_harness::load::{Load, Unwritten};

use super::{EtcdClient, EtcdError};

/// How long a writer waits for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where one writer writes.
struct Route {
    own: EtcdClient,
    /// Whether its own member has failed it once.
    has_left: AtomicBool,
}

impl EtcdClient {
    /// Starts so many writers, each of which puts keys of its own, with their names as values, one after the other. They begin at
    /// the members in turn; one whose member fails goes to whichever answers. [`Load::stop`] says what became of the writes.
    #[must_use]
    pub fn load(&self, writers: usize) -> Load {
        let others = self.with_limit(PATIENCE);
        let members = self.servers();
        let routes = (0..writers).map(|writer| {
            let own = members.iter().cycle().nth(writer);
            let own = own.and_then(|member| self.at(member).ok());
            Route {
                own: own.map_or_else(|| others.clone(), |own| own.with_limit(PATIENCE)),
                has_left: AtomicBool::new(false),
            }
        });
        let routes: Arc<[Route]> = routes.collect();
        Load::start(writers, move |writer, key| {
            let (routes, others) = (routes.clone(), others.clone());
            async move {
                let route = routes.get(writer);
                let own = route.filter(|route| !route.has_left.load(Ordering::Relaxed));
                let client = own.map_or(&others, |route| &route.own);
                let written = client.put(&key, key.as_str()).await;
                if let Some(route) = route
                    && written.is_err()
                {
                    route.has_left.store(true, Ordering::Relaxed);
                }
                written
            }
        })
    }
}

impl From<EtcdError> for Unwritten {
    fn from(error: EtcdError) -> Self {
        let kind = match &error {
            EtcdError::Refused { code, .. } => code.name(),
            EtcdError::Unknown { .. } => "outcome unknown",
            EtcdError::Unreachable { .. } => "no member could be reached",
            EtcdError::Malformed { .. } => "invalid response",
            EtcdError::NoLeader { .. } => "no leader",
            EtcdError::LeaseEnded { .. } => "the test has ended",
            EtcdError::NoSuchMember { .. } | EtcdError::NoPassword(_) | EtcdError::File { .. } => {
                "not sent"
            }
        };
        Self {
            kind: kind.to_owned(),
            may_be_done: error.is_unknown(),
        }
    }
}
