//! The users of a cluster.

use armadillo_orchestrator::Secret;
use serde_json::json;

use super::wire::{PlainAnswer, RolesAnswer, UsersAnswer};
use super::{EtcdClient, EtcdError, Kind};
use crate::auth::ROOT;

impl EtcdClient {
    /// Adds a user with all rights.
    pub(crate) async fn add_user(&self, name: &str, password: &Secret) -> Result<(), EtcdError> {
        let body = json!({ "name": name, "password": password.reveal() });
        let request = format!("add the user {name}");
        let _: PlainAnswer = self
            .call(Kind::Write, request, "/v3/auth/user/add", &body)
            .await?;
        let body = json!({ "user": name, "role": ROOT });
        let request = format!("give the user {name} all rights");
        let _: PlainAnswer = self
            .call(Kind::Write, request, "/v3/auth/user/grant", &body)
            .await?;
        Ok(())
    }

    /// Removes a user, whose tokens and password are worth nothing from then on. One that is gone needs no removal.
    pub(crate) async fn remove_user(&self, name: &str) -> Result<(), EtcdError> {
        let body = json!({ "name": name });
        let request = format!("remove the user {name}");
        let removed: Result<PlainAnswer, _> = self
            .call(Kind::Write, request, "/v3/auth/user/delete", &body)
            .await;
        match removed {
            Err(EtcdError::Refused { message, .. }) if message.contains("not found") => Ok(()),
            removed => removed.map(drop),
        }
    }

    /// The names of all users.
    pub(crate) async fn users(&self) -> Result<Vec<String>, EtcdError> {
        let request = "list users".to_owned();
        let answer: UsersAnswer = self
            .call(Kind::Read, request, "/v3/auth/user/list", &json!({}))
            .await?;
        Ok(answer.users)
    }

    /// The names of all roles.
    pub(crate) async fn roles(&self) -> Result<Vec<String>, EtcdError> {
        let request = "list roles".to_owned();
        let answer: RolesAnswer = self
            .call(Kind::Read, request, "/v3/auth/role/list", &json!({}))
            .await?;
        Ok(answer.roles)
    }
}
