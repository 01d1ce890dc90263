//! A small client of etcd's JSON gateway, made for tests: it never repeats a request that may have been done, and it
//! says of every failed one whether it was surely not done.

mod connection;
pub(crate) mod error;
mod hash;
mod inspect;
mod keys;
pub(crate) mod lease_users;
mod load;
mod maintenance;
mod members;
pub(crate) mod session;
#[cfg(test)]
mod tests;
mod users;
pub(crate) mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use armadillo_orchestrator::{
    Client, ClientTls, Deadline, HttpError, Membership, Response, ServerKey, View,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use connection::EtcdConnection;
pub(crate) use connection::PREFIX_VARIABLE;
pub use error::{Code, EtcdError};
pub use hash::{StoreHash, StoreHashes};
pub use keys::{Expected, KeyValue, Swapped};
pub use maintenance::Snapshot;
pub(crate) use members::Reconfiguration;
pub use members::{Member, MemberStatus};

use crate::names;
use lease_users::LeaseUsers;
use session::Session;

/// How long one call may take, unless said otherwise. etcd itself gives a request up after about five seconds.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// A client for the members of a deployment. Every key it is given lies below its prefix. Clones share connections.
#[derive(Clone)]
pub struct EtcdClient {
    deployment: String,
    /// Every planned member.
    members: Arc<[Endpoint]>,
    /// Which of them are part of the cluster now; `None` for a client of one member only.
    membership: Option<Membership>,
    /// The member that is asked first, as an index.
    first: Arc<AtomicUsize>,
    prefix: String,
    /// The prefix of [`Self::for_deployment`].
    kept: String,
    limit: Duration,
    login: Option<Arc<Session>>,
    /// What is needed to speak TLS with them, if they do.
    tls: Option<Arc<ClientTls>>,
    /// Whether somebody else started the members.
    attached: bool,
    /// Whose it is, for the client of a test.
    lease: Option<Arc<LeaseUsers>>,
    /// Where the members' peers reach them.
    view: Arc<View>,
}

/// A member's address and the connections to it.
struct Endpoint {
    server: ServerKey,
    url: String,
    address: String,
    http: Client,
}

/// Whether asking twice does any harm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

impl EtcdClient {
    /// A client whose keys are taken as they are.
    #[must_use]
    pub fn without_prefix(view: &View) -> Self {
        let endpoint = |server: &ServerKey| {
            let address = view.reach(server, "client")?;
            Some(Endpoint {
                server: server.clone(),
                url: view.url(address),
                address: address.to_owned(),
                http: view.client_at(address),
            })
        };
        Self {
            deployment: view.deployment.clone(),
            members: view.places.keys().filter_map(endpoint).collect(),
            membership: Some(view.membership.clone()),
            first: Arc::default(),
            prefix: String::new(),
            kept: names::kept_prefix(view),
            limit: DEFAULT_LIMIT,
            login: Session::of(view),
            tls: view.tls.as_ref().map(|tls| Arc::new(tls.for_clients())),
            attached: view.attached().is_some(),
            lease: None,
            view: Arc::new(view.clone()),
        }
    }

    /// A client with the key prefix of a lease: what it writes is found, and removed, when the lease ends.
    #[must_use]
    pub fn for_lease(view: &View, lease: &str) -> Self {
        Self {
            prefix: names::lease_prefix(lease),
            ..Self::without_prefix(view)
        }
    }

    /// The same for a test: it ends with the lease, and so does every login that it hands out.
    pub(crate) fn of_lease(self, lease: &Arc<LeaseUsers>) -> Self {
        Self {
            lease: Some(lease.clone()),
            ..self
        }
    }

    /// The same with the prefix for what belongs to the whole deployment and ends with it: data loaded once for all
    /// its tests.
    #[must_use]
    pub fn for_deployment(&self) -> Self {
        Self {
            prefix: self.kept.clone(),
            lease: None,
            ..self.clone()
        }
    }

    /// The same with keys that are taken as they are: those of existing data, and of every test that uses the cluster. Nothing
    /// removes them after the test.
    #[must_use]
    pub fn for_all_keys(&self) -> Self {
        Self {
            prefix: String::new(),
            ..self.clone()
        }
    }

    /// The same with another limit for each call.
    #[must_use]
    pub fn with_limit(&self, limit: Duration) -> Self {
        Self {
            limit,
            ..self.clone()
        }
    }

    /// The same speaking to one member only.
    ///
    /// # Errors
    /// When the client has no such member.
    pub fn at(&self, server: &ServerKey) -> Result<Self, EtcdError> {
        let mut known = self.members_now().into_iter();
        let found = known.find(|known| known.server == *server);
        let endpoint = found.ok_or_else(|| self.no_such_member(server))?;
        Ok(Self {
            members: Arc::new([endpoint.clone()]),
            membership: None,
            first: Arc::default(),
            ..self.clone()
        })
    }

    /// The prefix of its keys.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The members that are part of the cluster now. One that a test adds is one of them from then on.
    fn members_now(&self) -> Vec<&Endpoint> {
        let part = |known: &&Endpoint| match &self.membership {
            Some(membership) => membership.is_part(&known.server),
            None => true,
        };
        self.members.iter().filter(part).collect()
    }

    /// Where clients reach each member: `http://127.0.0.1:4711`, or `https://` with TLS.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        let members = self.members_now().into_iter();
        members.map(|known| known.url.clone()).collect()
    }

    /// The members it speaks to.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerKey> {
        let members = self.members_now().into_iter();
        members.map(|known| known.server.clone()).collect()
    }

    /// Sends a request to one member, with a token where there is a login.
    async fn ask(
        &self,
        member: &Endpoint,
        path: &'static str,
        body: &impl Serialize,
        deadline: Deadline,
    ) -> Result<Response, HttpError> {
        match &self.login {
            Some(session) => session.send(&member.http, path, body, deadline).await,
            None => {
                let request = session::post(path, body);
                member.http.send(request, deadline).await
            }
        }
    }

    fn no_such_member(&self, server: &ServerKey) -> EtcdError {
        EtcdError::NoSuchMember {
            server: server.clone(),
            known: self
                .members_now()
                .into_iter()
                .map(|known| known.server.to_string())
                .collect(),
        }
    }

    /// Sends a request to one member after the other until one has surely got it; a read is also asked of the next one
    /// when no answer came.
    async fn call<T: DeserializeOwned>(
        &self,
        kind: Kind,
        request: String,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<T, EtcdError> {
        if self.lease.as_ref().is_some_and(|lease| lease.is_over()) {
            return Err(EtcdError::LeaseEnded { request });
        }
        let deadline = Deadline::after(self.limit);
        let first = self.first.load(Ordering::Relaxed);
        let members = self.members_now();
        let count = members.len();
        let mut failures = Vec::new();
        for step in 0..count {
            let index = (first + step) % count;
            let member = members[index];
            let share = match kind {
                Kind::Write => deadline,
                Kind::Read => deadline.within(share_of(deadline, count - step)),
            };
            let outcome = self.ask(member, path, body, share).await;
            let error = match outcome {
                Ok(response) => match member.read(&request, &response) {
                    Ok(answer) => {
                        self.first.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(error) => error,
                },
                Err(loss) => EtcdError::of_loss(&request, &member.server, &loss),
            };
            let ask_another = match kind {
                Kind::Read => error.code().is_none(),
                Kind::Write => matches!(error, EtcdError::Unreachable { .. }),
            };
            if !ask_another {
                return Err(error);
            }
            failures.push(error);
        }
        Err(EtcdError::all_of(request, failures))
    }
}

/// The part of what is left that one of so many attempts may take.
fn share_of(deadline: Deadline, attempts: usize) -> Duration {
    deadline.left() / u32::try_from(attempts).unwrap_or(u32::MAX).max(1)
}

impl Endpoint {
    fn read<T: DeserializeOwned>(
        &self,
        request: &str,
        response: &Response,
    ) -> Result<T, EtcdError> {
        if !response.is_success() {
            return Err(EtcdError::of_answer(request, &self.server, response));
        }
        wire::decode(&response.body).map_err(|why| EtcdError::Malformed {
            request: request.to_owned(),
            server: self.server.clone(),
            why,
        })
    }
}

impl Clone for Endpoint {
    fn clone(&self) -> Self {
        Self {
            server: self.server.clone(),
            url: self.url.clone(),
            address: self.address.clone(),
            http: self.http.clone(),
        }
    }
}

impl fmt::Debug for EtcdClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members_now().into_iter();
        let addresses = members.map(|known| known.address.as_str());
        f.debug_struct("EtcdClient")
            .field("deployment", &self.deployment)
            .field("members", &addresses.collect::<Vec<_>>())
            .field("prefix", &self.prefix)
            .field("limit", &self.limit)
            .finish()
    }
}
