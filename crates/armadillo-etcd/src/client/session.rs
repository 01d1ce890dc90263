//! A client's login: it requests a token when it needs one, and reuses it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use armadillo_orchestrator::{Client, Deadline, HttpError, Login, Request, Response, Secret, View};
use serde::Serialize;
use serde_json::json;

use super::error::LEARNER;
use super::wire::{AuthAnswer, ErrorAnswer, decode};
use crate::auth;

const AUTHENTICATE: &str = "/v3/auth/authenticate";

/// Requests that most versions answer without a login; later versions of 3.6 do not.
const OPEN: [&str; 2] = ["/v3/maintenance/status", "/v3/cluster/member/list"];

/// How often a request is repeated if a member rejects its token, or if users changed meanwhile.
const REFUSALS: u32 = 10;

/// A user, and the token that the members gave it.
pub(crate) struct Session {
    login: Login,
    /// The token, and how often data had been removed when it was given.
    token: Mutex<Option<(u32, Secret)>>,
    /// The deployment: a learner gives no tokens, but knows those of the others.
    view: View,
}

/// Why a member refused a request before it looked at it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The token is missing, has run out, or is not known to a member that was started again.
    Token,
    /// Users were changed between the request and its turn.
    UsersChanged,
}

impl Session {
    /// The session of the user with all rights; `None` if no login is needed. All clients of a process share it, because every
    /// token adds an entry to the members' Raft log.
    pub(crate) fn of(view: &View) -> Option<Arc<Self>> {
        static KNOWN: Mutex<BTreeMap<String, Arc<Session>>> = Mutex::new(BTreeMap::new());
        let login = auth::login(view)?;
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let session = known
            .entry(view.deployment.clone())
            .or_insert_with(|| Arc::new(Self::with(login.clone(), view)));
        if session.login != login {
            *session = Arc::new(Self::with(login, view));
        }
        Some(session.clone())
    }

    fn with(login: Login, view: &View) -> Self {
        Self {
            login,
            token: Mutex::default(),
            view: view.clone(),
        }
    }

    /// User and password.
    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    /// Sends a request to one member, with a token if it needs one. A member that rejects a token has done nothing: the request
    /// is repeated with a new token.
    pub(crate) async fn send(
        &self,
        member: &Client,
        path: &'static str,
        body: &impl Serialize,
        deadline: Deadline,
    ) -> Result<Response, HttpError> {
        let mut token = match self.held() {
            Some(token) => Some(token),
            None if OPEN.contains(&path) => None,
            None => Some(self.renew(member, deadline).await?),
        };
        let mut refusals = 0;
        loop {
            let mut request = post(path, body);
            if let Some(token) = &token {
                request = request.header("authorization", token.reveal());
            }
            let response = member.send(request, deadline).await?;
            let refusal = Refusal::of(&response).filter(|_| refusals < REFUSALS);
            let Some(refusal) = refusal else {
                return Ok(response);
            };
            // A token may hold an old revision of the users: from the second rejection on, it is replaced.
            if refusal == Refusal::Token || refusals > 0 {
                token = Some(self.token_after(token.as_ref(), member, deadline).await?);
            }
            refusals += 1;
        }
    }

    /// The current token. One of data that was replaced is none: members wait until their log is as long as it was when they gave
    /// it, and do not answer meanwhile (`isValidSimpleToken` in etcd's `auth/store.go`).
    pub(crate) fn held(&self) -> Option<Secret> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let (wipes, token) = token.as_ref()?;
        (*wipes == self.view.membership.wipes()).then(|| token.clone())
    }

    /// A token other than `old`: the current one if it has changed, otherwise a new one.
    async fn token_after(
        &self,
        old: Option<&Secret>,
        member: &Client,
        deadline: Deadline,
    ) -> Result<Secret, HttpError> {
        match self.held() {
            Some(token) if Some(&token) != old => Ok(token),
            _ => self.renew(member, deadline).await,
        }
    }

    async fn renew(&self, member: &Client, deadline: Deadline) -> Result<Secret, HttpError> {
        let own = member.to_string();
        let first = match self.renewed_at(member, deadline).await {
            Err(HttpError::NoLogin { request, reason }) if reason.contains(LEARNER) => {
                HttpError::NoLogin { request, reason }
            }
            outcome => return outcome,
        };
        for (server, _) in self.view.servers() {
            let other = self.view.client(server, "client");
            let Some(other) = other.filter(|other| other.to_string() != own) else {
                continue;
            };
            if let Ok(token) = self.renewed_at(&other, deadline).await {
                return Ok(token);
            }
        }
        Err(first)
    }

    /// A new token, of this member.
    async fn renewed_at(&self, member: &Client, deadline: Deadline) -> Result<Secret, HttpError> {
        let failed = |reason: String| HttpError::NoLogin {
            request: format!("POST {AUTHENTICATE} at {member}"),
            reason: format!("no token for the user {}: {reason}", self.login.user),
        };
        let wipes = self.view.membership.wipes();
        let sent = member.send(authenticate(&self.login), deadline).await;
        let response = sent.map_err(|error| match error.surely_not_sent() {
            // Nobody listens there, which says more.
            true => error,
            false => failed(error.to_string()),
        })?;
        let answer: Result<AuthAnswer, _> = decode(&response.body);
        let token = answer.map(|answer| answer.token).unwrap_or_default();
        if !response.is_success() || token.is_empty() {
            let said: Result<ErrorAnswer, _> = decode(&response.body);
            let said = said.map(|answer| answer.message).unwrap_or_default();
            return Err(failed(format!("HTTP {} {said}", response.status)));
        }
        let token = Secret::new(token);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some((wipes, token.clone()));
        Ok(token)
    }
}

/// Asks one member, as the user who has all rights where a login is needed.
pub(crate) async fn ask(
    view: &View,
    member: &Client,
    path: &'static str,
    body: &impl Serialize,
    deadline: impl Into<Deadline>,
) -> Result<Response, HttpError> {
    let deadline = deadline.into();
    match Session::of(view) {
        Some(session) => session.send(member, path, body, deadline).await,
        None => member.send(post(path, body), deadline).await,
    }
}

/// A request to the gateway. The gateway tells its member that it is one by passing on what its client accepts; a member with
/// TLS that is not told takes the common name of the gateway's certificate for the user: a server's certificate must have
/// none, and a request without a login is refused in other words (`AuthInfoFromTLS` in etcd's `auth/store.go`).
pub(crate) fn post(path: &str, body: &impl Serialize) -> Request {
    let request = Request::post(path).header("accept", "application/json");
    request.json(body)
}

/// The request for a token.
pub(crate) fn authenticate(login: &Login) -> Request {
    let body = json!({ "name": login.user, "password": login.password.reveal() });
    post(AUTHENTICATE, &body)
}

impl Refusal {
    /// The words of 3.4, and of later versions.
    fn of(response: &Response) -> Option<Self> {
        if response.is_success() {
            return None;
        }
        let text = response.text();
        let says = |words: &str| text.contains(words);
        if says("invalid auth token") || says("user name is empty") {
            Some(Self::Token)
        } else if says("revision of auth store is old") || says("revision in header is old") {
            Some(Self::UsersChanged)
        } else {
            None
        }
    }
}
