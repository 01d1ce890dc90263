//! The client: endpoints, credentials, and the calls that concern a whole deployment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use armadillo_harness::fixture::ServerName;
use armadillo_orchestrator::{
    Client, Credentials as Asker, Deadline, HttpError, Request, Response, Secret, ServerKey, Tls,
    View,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::connection::Connection;
use super::database::Database;
use super::error::{ArangoError, label};
use super::login::{Credentials, LoginMethod, OwnToken, Shown, Way};
use super::path::{in_database, segment};
use super::retry::{Attempts, Effect, Next};
use crate::auth;
use crate::launch::PORT;
use crate::role::Role;

/// How long a request may take unless [`ArangoClient::with_limit`] says otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// How long to wait before a server is asked again that rejected a superuser's token.
const SECOND_TRY: Duration = Duration::from_millis(200);

/// The database that every server has.
pub(crate) const SYSTEM_DATABASE: &str = "_system";

/// A client for one deployment, with one user's rights. Clones share its connections.
#[derive(Clone)]
pub struct ArangoClient {
    inner: Arc<Inner>,
    /// How long a request may take, if somebody has said it.
    limit: Option<Duration>,
    waits: Option<WaitEnd>,
    /// The stream transaction that its requests are part of.
    transaction: Option<Arc<str>>,
}

/// When a wait that begins now should give up: a test's, for the clients its fixtures make.
type WaitEnd = Arc<dyn Fn() -> Deadline + Send + Sync>;

struct Inner {
    view: View,
    servers: Vec<(String, Client)>,
    credentials: Credentials,
    shown: Arc<Shown>,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// `arango`.
    pub server: String,
    /// `3.12.10`; empty from a hardened server, for all but administrators.
    #[serde(default)]
    pub version: String,
    /// `community` or `enterprise`.
    #[serde(default)]
    pub license: String,
}

impl ArangoClient {
    /// A client with all rights: it shows the servers a superuser's token, signed with the deployment's key of the moment. Its
    /// [`Self::connection`] has a superuser's token that is valid for an hour, and the user `root` for clients that know only
    /// passwords. Both outlive the test: what [`Deployment::connection`](crate::fixture::Deployment::connection) hands out does not.
    #[must_use]
    pub fn superuser(view: &View) -> Self {
        Self::superuser_of(view, for_clients(view))
    }

    /// The same for one server of any role.
    pub(crate) fn superuser_at(view: &View, server: &ServerKey) -> Self {
        let address = view.reach(server, PORT).map(str::to_owned);
        Self::superuser_of(view, address.into_iter().collect())
    }

    fn superuser_of(view: &View, addresses: Vec<String>) -> Self {
        let (user, password, token, way) = match view.attached().map(|at| at.login.clone()) {
            None => {
                let password = auth::root_password(view);
                let way = Some(Way::Superuser);
                ("root".to_owned(), password, OwnToken::Signed, way)
            }
            Some(login) => {
                let way = auth::of_superuser(view).map(Way::Header);
                let none = Secret::default;
                match login {
                    Some(Asker::Login(login)) => {
                        (login.user, login.password, OwnToken::Given(none()), way)
                    }
                    Some(Asker::Token(token)) => {
                        (String::new(), none(), OwnToken::Given(token), way)
                    }
                    None => ("root".to_owned(), none(), OwnToken::Given(none()), way),
                }
            }
        };
        let credentials = Credentials {
            user,
            password,
            token,
            superuser: true,
        };
        Self::new(view, addresses, credentials, way)
    }

    /// A client with the rights of `user`, who shows name and password. On servers that somebody else started, its
    /// [`Self::connection`] has no token; see [`Self::with_own_token`].
    #[must_use]
    pub fn user(view: &View, user: &str, password: &Secret) -> Self {
        let credentials = Credentials {
            user: user.to_owned(),
            password: password.clone(),
            token: match view.attached() {
                Some(_) => OwnToken::Given(Secret::default()),
                None => OwnToken::Signed,
            },
            superuser: false,
        };
        let way = Way::Header(auth::basic(user, password));
        Self::new(view, for_clients(view), credentials, [way])
    }

    /// A client with several ways to log in. It uses the first, and when a server refuses that with HTTP 401, the next, from then
    /// on. Its [`Self::connection`] has the first token, and the first name with its password.
    #[must_use]
    pub fn logging_in_by(view: &View, methods: &[LoginMethod]) -> Self {
        let ways = methods.iter().map(|method| Way::Header(method.header().1));
        let token = methods.iter().find_map(|method| match method {
            LoginMethod::Token(token) => Some(token.clone()),
            LoginMethod::Basic { .. } => None,
        });
        let login = methods.iter().find_map(|method| match method {
            LoginMethod::Basic { user, password } => Some((user.clone(), password.clone())),
            LoginMethod::Token(_) => None,
        });
        let (user, password) = login.unwrap_or_default();
        let credentials = Credentials {
            user,
            password,
            token: OwnToken::Given(token.unwrap_or_default()),
            superuser: false,
        };
        Self::new(view, for_clients(view), credentials, ways)
    }

    /// The same client, whose [`Self::connection`] has a token: where the key of the servers is not known, one that they made
    /// for this user. Servers without authentication make none.
    ///
    /// # Errors
    /// Those of any request.
    pub(crate) async fn with_own_token(&self) -> Result<Self, ArangoError> {
        let credentials = &self.inner.credentials;
        if self.view().attached().is_none() || credentials.user.is_empty() {
            return Ok(self.clone());
        }
        let made = self.log_in(&credentials.user, &credentials.password);
        let token = match made.await {
            Ok(token) => token,
            Err(error) if error.status() == Some(404) => Secret::default(),
            Err(error) => return Err(error),
        };
        let inner = Inner {
            view: self.inner.view.clone(),
            servers: self.inner.servers.clone(),
            credentials: Credentials {
                token: OwnToken::Given(token),
                ..credentials.clone()
            },
            shown: Arc::clone(&self.inner.shown),
        };
        Ok(Self {
            inner: Arc::new(inner),
            ..self.clone()
        })
    }

    /// The token of its [`Self::connection`].
    pub(crate) fn own_token(&self) -> Secret {
        self.inner.credentials.token(self.view())
    }

    /// A client that shows this token, whatever it is. Its [`Self::connection`] has no user and no password.
    #[must_use]
    pub fn bearer(view: &View, token: &Secret) -> Self {
        Self::logging_in_by(view, &[LoginMethod::Token(token.clone())])
    }

    fn new(
        view: &View,
        addresses: Vec<String>,
        credentials: Credentials,
        ways: impl IntoIterator<Item = Way>,
    ) -> Self {
        let servers = addresses
            .into_iter()
            .map(|address| (address.clone(), view.client_at(address)))
            .collect();
        Self {
            inner: Arc::new(Inner {
                view: view.clone(),
                servers,
                credentials,
                shown: Arc::new(Shown::new(ways.into_iter().collect())),
            }),
            limit: None,
            waits: None,
            transaction: None,
        }
    }

    /// The same client with another limit on how long a request may take, and a wait that consists of requests; 60 s if
    /// never said. In a test such a wait ends shortly before the test's time does in any case.
    #[must_use]
    pub fn with_limit(&self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self.clone()
        }
    }

    /// The same client, with the same rights, which talks to this server only.
    ///
    /// # Errors
    /// When the deployment has no such server.
    pub fn at(&self, server: impl ServerName) -> Result<Self, ArangoError> {
        let (view, server) = (self.view(), server.server_key());
        let Some(address) = view.reach(&server, PORT) else {
            let known: Vec<&str> = view.places.keys().map(ServerKey::as_str).collect();
            let known = known.join(", ");
            return Err(ArangoError::NoSuchServer { server, known });
        };
        let inner = Inner {
            view: view.clone(),
            servers: vec![(address.to_owned(), view.client_at(address))],
            credentials: self.inner.credentials.clone(),
            shown: Arc::clone(&self.inner.shown),
        };
        Ok(Self {
            inner: Arc::new(inner),
            ..self.clone()
        })
    }

    /// The same client, whose waits end when this says.
    pub(crate) fn waiting_until(&self, end: impl Fn() -> Deadline + Send + Sync + 'static) -> Self {
        Self {
            waits: Some(Arc::new(end)),
            ..self.clone()
        }
    }

    /// The same client, whose requests are part of this stream transaction.
    pub(super) fn in_transaction(&self, id: &str) -> Self {
        Self {
            transaction: Some(id.into()),
            ..self.clone()
        }
    }

    /// How long a request may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit.unwrap_or(LIMIT)
    }

    /// When a wait that begins now gives up.
    pub(crate) fn wait_end(&self) -> Deadline {
        let end = self.waits.as_ref().map(|end| end());
        // What a fixture keeps for later tests has the time of the test that made it.
        let end = end.filter(|end| !end.passed());
        match (end, self.limit) {
            (None, _) => Deadline::after(self.limit()),
            (Some(end), None) => end,
            (Some(end), Some(limit)) => end.within(limit),
        }
    }

    /// The deployment.
    pub(crate) fn view(&self) -> &View {
        &self.inner.view
    }

    /// Where the deployment's servers for clients are reached: `http://127.0.0.1:4711`, or `https://` with TLS.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.inner
            .servers
            .iter()
            .map(|(address, _)| self.view().url(address))
            .collect()
    }

    /// The name of the user whose rights this client has; `root` for a superuser's, nothing for a token's.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.inner.credentials.user
    }

    /// What another client needs to do the same, on the database `_system`.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connection_to(SYSTEM_DATABASE)
    }

    pub(super) fn connection_to(&self, database: &str) -> Connection {
        let credentials = &self.inner.credentials;
        Connection {
            endpoints: self.endpoints(),
            database: database.to_owned(),
            user: credentials.user.clone(),
            password: credentials.password.clone(),
            token: self.own_token(),
            tls: self.view().tls.as_ref().map(Tls::for_clients),
        }
    }

    /// Sends any request, with this client's credentials, and returns the answer whatever its status.
    ///
    /// If a coordinator is gone, another one is asked: with any request that certainly had no effect, and with one that only reads
    /// even if its answer was lost. The documentation has this as a table ("What is repeated").
    ///
    /// # Errors
    /// [`ArangoError::Transport`], when there is no answer.
    pub async fn request(&self, mut request: Request) -> Result<Response, ArangoError> {
        let servers = &self.inner.servers;
        let Some((_, first)) = servers.first() else {
            return Err(ArangoError::Transport(HttpError::Invalid {
                request: label(&request),
                reason: "the deployment has no server for clients".to_owned(),
            }));
        };
        let mut server = first;
        let superuser = self.inner.credentials.superuser;
        let mut attempts = Attempts::new(Effect::of(&request), superuser, servers.len());
        if let Some(id) = &self.transaction {
            request = request.header("x-arango-trx-id", &**id);
        }
        loop {
            let (way, shown) = self.inner.shown.header(self.view());
            let asked = match &shown {
                Some(value) => request.clone().header("authorization", value.reveal()),
                None => request.clone(),
            };
            let came = server.send(asked, self.limit()).await;
            if matches!(&came, Ok(response) if response.status == 401)
                && self.inner.shown.refused(way)
            {
                continue;
            }
            match attempts.next(came) {
                Next::Ask(place) => server = &servers[place].1,
                // No event tells a client when the server knows the token: it has to ask again.
                Next::AskAgain => tokio::time::sleep(SECOND_TRY).await,
                Next::Done(came) => return Ok(came?),
            }
        }
    }

    /// Sends a request that must succeed.
    pub(crate) async fn ask(&self, request: Request) -> Result<Response, ArangoError> {
        let asked = label(&request);
        let response = self.request(request).await?;
        if response.is_success() {
            Ok(response)
        } else {
            Err(ArangoError::of(asked, &response))
        }
    }

    /// Sends a request that must succeed and reads its answer.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        request: Request,
    ) -> Result<T, ArangoError> {
        let asked = label(&request);
        let response = self.ask(request).await?;
        response.json().map_err(|error| ArangoError::Answer {
            request: asked,
            status: response.status,
            reason: error.to_string(),
        })
    }

    /// The version the server says.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn version(&self) -> Result<Version, ArangoError> {
        self.call(Request::get("/_api/version")).await
    }

    /// A handle on the database `name`, whether it exists or not.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        Database::new(self.clone(), name)
    }

    /// The names of all databases. Needs the right to administrate.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn databases(&self) -> Result<Vec<String>, ArangoError> {
        let names: Listing<String> = self.call(system("GET", "/_api/database")).await?;
        Ok(names.result)
    }

    /// Creates a database. Needs the right to administrate.
    ///
    /// # Errors
    /// HTTP 409, error 1207, if there is one of that name; 400, error 1229, for a name that is not allowed.
    pub async fn create_database(&self, name: &str) -> Result<Database, ArangoError> {
        let request = system("POST", "/_api/database").json(&json!({ "name": name }));
        self.ask(request).await?;
        Ok(self.database(name))
    }

    /// Drops a database with all that is in it. Needs the right to administrate.
    ///
    /// # Errors
    /// HTTP 404, error 1228, if there is none of that name.
    pub async fn drop_database(&self, name: &str) -> Result<(), ArangoError> {
        let path = format!("/_api/database/{}", segment(name));
        self.ask(system("DELETE", &path)).await.map(drop)
    }
}

/// The addresses of the servers that clients talk to.
fn for_clients(view: &View) -> Vec<String> {
    view.servers()
        .map(|(_, place)| place)
        .filter(|place| {
            let role = Role::of_name(&place.role);
            matches!(role, Some(Role::Single | Role::Coordinator))
        })
        .filter_map(|place| place.reach.get(PORT).cloned())
        .collect()
}

/// A request on the database `_system`.
pub(super) fn system(method: &'static str, path: &str) -> Request {
    Request::new(method, in_database(SYSTEM_DATABASE, path))
}

/// The usual shape of a list in an answer.
#[derive(Deserialize)]
pub(super) struct Listing<T> {
    pub(super) result: Vec<T>,
}

impl fmt::Debug for ArangoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArangoClient")
            .field("endpoints", &self.endpoints())
            .field("user", &self.user_name())
            .field("limit", &self.limit())
            .finish()
    }
}
