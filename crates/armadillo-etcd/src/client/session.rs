//! The login of a client: a token that the members made, asked for when it is needed.

use std::sync::{Arc, Mutex, PoisonError};

use armadillo_orchestrator::{Client, Deadline, HttpError, Login, Request, Secret, View};
use serde_json::json;

use super::wire::{AuthAnswer, decode};

const PATH: &str = "/v3/auth/authenticate";

/// A user's tokens, one at a time.
pub(super) struct Session {
    login: Login,
    token: Mutex<Option<Secret>>,
}

impl Session {
    /// That of the login which was given for members that somebody else started.
    pub(super) fn of(view: &View) -> Option<Arc<Self>> {
        let login = view.attached()?.login.clone()?;
        Some(Arc::new(Self {
            login,
            token: Mutex::default(),
        }))
    }

    fn held(&self) -> Option<Secret> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone()
    }

    /// The token that is held, or a new one.
    pub(super) async fn token(
        &self,
        member: &Client,
        deadline: Deadline,
    ) -> Result<Secret, HttpError> {
        match self.held() {
            Some(token) => Ok(token),
            None => self.renew(member, deadline).await,
        }
    }

    /// Another token than this one, if there is another.
    pub(super) async fn token_after(
        &self,
        old: &Secret,
        member: &Client,
        deadline: Deadline,
    ) -> Result<Secret, HttpError> {
        match self.held() {
            Some(token) if token != *old => Ok(token),
            _ => self.renew(member, deadline).await,
        }
    }

    async fn renew(&self, member: &Client, deadline: Deadline) -> Result<Secret, HttpError> {
        let body = json!({ "name": self.login.user, "password": self.login.password.reveal() });
        let response = member
            .send(Request::post(PATH).json(&body), deadline)
            .await?;
        let answer: Result<AuthAnswer, _> = decode(&response.body);
        let token = answer.map(|answer| answer.token).unwrap_or_default();
        if !response.is_success() || token.is_empty() {
            return Err(HttpError::Invalid {
                request: format!("POST {PATH} at {member}"),
                reason: format!(
                    "no token for the user {} (HTTP {})",
                    self.login.user, response.status
                ),
            });
        }
        let token = Secret::new(token);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }
}
