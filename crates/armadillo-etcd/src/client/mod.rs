//! A small client of etcd's JSON gateway, made for tests: it never repeats a request that may have been done, and it
//! says of every failed one whether it was surely not done.

mod connection;
mod error;
mod inspect;
mod keys;
mod members;
mod session;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use armadillo_orchestrator::{
    Client, Deadline, HttpError, Request, Response, Secret, ServerKey, View,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use connection::EtcdConnection;
pub use error::{Code, EtcdError};
pub use keys::{Expected, KeyValue, Swapped};
pub use members::{Member, MemberStatus};

use crate::names;
use session::Session;

/// How long one call may take, unless said otherwise. etcd itself gives a request up after about five seconds.
const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// A client for the members of a deployment. Every key it is given lies below its prefix. Clones share connections.
#[derive(Clone)]
pub struct EtcdClient {
    deployment: String,
    members: Arc<[Endpoint]>,
    /// The member that is asked first, as an index.
    first: Arc<AtomicUsize>,
    prefix: String,
    /// The prefix of [`Self::for_deployment`].
    kept: String,
    limit: Duration,
    login: Option<Arc<Session>>,
}

/// A member's address and the connections to it.
struct Endpoint {
    server: ServerKey,
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
                address: address.to_owned(),
                http: Client::tcp(address),
            })
        };
        Self {
            deployment: view.deployment.clone(),
            members: view.places.keys().filter_map(endpoint).collect(),
            first: Arc::default(),
            prefix: String::new(),
            kept: names::kept_prefix(view),
            limit: DEFAULT_LIMIT,
            login: Session::of(view),
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

    /// The same with the prefix for what belongs to the whole deployment and ends with it: data loaded once for all
    /// its tests.
    #[must_use]
    pub fn for_deployment(&self) -> Self {
        Self {
            prefix: self.kept.clone(),
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
        let found = self.members.iter().find(|known| known.server == *server);
        let endpoint = found.ok_or_else(|| self.no_such_member(server))?;
        Ok(Self {
            members: Arc::new([endpoint.clone()]),
            first: Arc::default(),
            ..self.clone()
        })
    }

    /// The prefix of its keys.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What another client needs to reach the same members.
    #[must_use]
    pub fn connection(&self) -> EtcdConnection {
        EtcdConnection::new(
            self.members.iter().map(|known| known.address.as_str()),
            &self.prefix,
        )
    }

    /// The members it speaks to.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerKey> {
        let servers = self.members.iter().map(|known| known.server.clone());
        servers.collect()
    }

    /// Sends a request to one member, with a token where there is a login. A token that has run out is replaced: who shows one
    /// is refused before anything is done.
    async fn ask(
        &self,
        member: &Endpoint,
        path: &'static str,
        body: &impl Serialize,
        deadline: Deadline,
    ) -> Result<Response, HttpError> {
        let Some(session) = &self.login else {
            return member
                .http
                .send(Request::post(path).json(body), deadline)
                .await;
        };
        let send = async |token: &Secret| {
            let request = Request::post(path).json(body);
            let request = request.header("authorization", token.reveal());
            member.http.send(request, deadline).await
        };
        let token = session.token(&member.http, deadline).await?;
        let response = send(&token).await?;
        if response.is_success() || !response.text().contains("invalid auth token") {
            return Ok(response);
        }
        send(&session.token_after(&token, &member.http, deadline).await?).await
    }

    fn no_such_member(&self, server: &ServerKey) -> EtcdError {
        EtcdError::NoSuchMember {
            server: server.clone(),
            known: self
                .members
                .iter()
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
        let deadline = Deadline::after(self.limit);
        let first = self.first.load(Ordering::Relaxed);
        let count = self.members.len();
        let mut failures = Vec::new();
        for step in 0..count {
            let index = (first + step) % count;
            let member = &self.members[index];
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
            address: self.address.clone(),
            http: self.http.clone(),
        }
    }
}

impl fmt::Debug for EtcdClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.members.iter().map(|known| known.address.as_str());
        f.debug_struct("EtcdClient")
            .field("deployment", &self.deployment)
            .field("members", &addresses.collect::<Vec<_>>())
            .field("prefix", &self.prefix)
            .field("limit", &self.limit)
            .finish()
    }
}
