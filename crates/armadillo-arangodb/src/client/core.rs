//! The client: endpoints, credentials, and the calls that concern a whole deployment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use armadillo_harness::fixture::ServerName;
use armadillo_orchestrator::{Client, Deadline, Request, Response, Secret, ServerKey, View};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::connection::Connection;
use super::database::Database;
use super::error::{ArangoError, label};
use super::path::{in_database, segment};
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
    /// What shows who asks; `None` on servers that ask nobody.
    authorization: Option<Secret>,
}

/// Who asks.
#[derive(Clone)]
struct Credentials {
    user: String,
    password: Secret,
    token: Secret,
    /// Whether the token is a superuser's, which every server of the deployment accepts.
    superuser: bool,
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
    /// A client with all rights: it shows the servers a superuser's token. Its [`Self::connection`] carries the user `root`
    /// beside that token, for clients that know only passwords.
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
        if let Some(attached) = view.attached() {
            let (user, password) = match attached.login.clone() {
                Some(login) => (login.user, login.password),
                None => ("root".to_owned(), Secret::default()),
            };
            let credentials = Credentials {
                user,
                password,
                token: Secret::default(),
                superuser: true,
            };
            return Self::new(view, addresses, credentials, auth::of_superuser(view));
        }
        let credentials = Credentials {
            user: "root".to_owned(),
            password: auth::root_password(view),
            token: auth::superuser_token(view),
            superuser: true,
        };
        Self::with_token(view, addresses, credentials)
    }

    /// A client with the rights of `user`, who shows name and password. On servers that somebody else started, its
    /// [`Self::connection`] has no token; see [`Self::with_own_token`].
    #[must_use]
    pub fn user(view: &View, user: &str, password: &Secret) -> Self {
        let token = match view.attached() {
            Some(_) => Secret::default(),
            None => auth::user_token(view, user),
        };
        let credentials = Credentials {
            user: user.to_owned(),
            password: password.clone(),
            token,
            superuser: false,
        };
        let authorization = auth::basic(user, password);
        Self::new(view, for_clients(view), credentials, Some(authorization))
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
        let body =
            json!({ "username": credentials.user, "password": credentials.password.reveal() });
        let token = match self.call(Request::post("/_open/auth").json(&body)).await {
            Ok(OpenAuth { jwt }) => Secret::new(jwt),
            Err(error) if error.status() == Some(404) => Secret::default(),
            Err(error) => return Err(error),
        };
        let inner = Inner {
            view: self.inner.view.clone(),
            servers: self.inner.servers.clone(),
            credentials: Credentials {
                token,
                ..credentials.clone()
            },
            authorization: self.inner.authorization.clone(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            ..self.clone()
        })
    }

    /// The token of its [`Self::connection`].
    pub(crate) fn own_token(&self) -> &Secret {
        &self.inner.credentials.token
    }

    /// A client that shows this token, whatever it is. Its [`Self::connection`] has no user and no password.
    #[must_use]
    pub fn bearer(view: &View, token: &Secret) -> Self {
        let credentials = Credentials {
            user: String::new(),
            password: Secret::default(),
            token: token.clone(),
            superuser: false,
        };
        Self::with_token(view, for_clients(view), credentials)
    }

    fn with_token(view: &View, addresses: Vec<String>, credentials: Credentials) -> Self {
        let authorization = auth::bearer(&credentials.token);
        Self::new(view, addresses, credentials, Some(authorization))
    }

    fn new(
        view: &View,
        addresses: Vec<String>,
        credentials: Credentials,
        authorization: Option<Secret>,
    ) -> Self {
        let servers = addresses
            .into_iter()
            .map(|address| (address.clone(), Client::tcp(address)))
            .collect();
        Self {
            inner: Arc::new(Inner {
                view: view.clone(),
                servers,
                credentials,
                authorization,
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
            servers: vec![(address.to_owned(), Client::tcp(address.to_owned()))],
            credentials: self.inner.credentials.clone(),
            authorization: self.inner.authorization.clone(),
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

    /// Where the deployment's servers for clients are reached: `http://127.0.0.1:4711`.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.inner
            .servers
            .iter()
            .map(|(address, _)| format!("http://{address}"))
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
        let Credentials {
            user,
            password,
            token,
            ..
        } = self.inner.credentials.clone();
        Connection {
            endpoints: self.endpoints(),
            database: database.to_owned(),
            user,
            password,
            token,
        }
    }

    /// Sends any request, with this client's credentials, and returns the answer whatever its status.
    ///
    /// A second server is asked if the first was surely not reached. A superuser's client repeats a request once, 200 ms later,
    /// that is answered with 401: a server that has just started may reject a valid token, and then has done nothing.
    ///
    /// # Errors
    /// [`ArangoError::Transport`], when there is no answer.
    pub async fn request(&self, request: Request) -> Result<Response, ArangoError> {
        match self.request_once(request.clone()).await {
            Ok(response) if response.status == 401 && self.inner.credentials.superuser => {
                // No event tells a client when the server knows the token: it has to ask again.
                tokio::time::sleep(SECOND_TRY).await;
                self.request_once(request).await
            }
            answered => answered,
        }
    }

    async fn request_once(&self, mut request: Request) -> Result<Response, ArangoError> {
        if let Some(id) = &self.transaction {
            request = request.header("x-arango-trx-id", &**id);
        }
        let mut unreached = None;
        for (_, server) in &self.inner.servers {
            let request = match &self.inner.authorization {
                Some(shown) => request.clone().header("authorization", shown.reveal()),
                None => request.clone(),
            };
            match server.send(request, self.limit()).await {
                Ok(response) => return Ok(response),
                Err(error) if error.surely_not_sent() => unreached = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(match unreached {
            Some(error) => error.into(),
            None => armadillo_orchestrator::HttpError::Invalid {
                request: label(&request),
                reason: "the deployment has no server for clients".to_owned(),
            }
            .into(),
        })
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
    view.places
        .values()
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

/// `POST /_open/auth`
#[derive(Deserialize)]
struct OpenAuth {
    jwt: String,
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
