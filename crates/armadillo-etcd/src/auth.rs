//! Authentication: on in every deployment, unless its topology says `no_auth`.
//!
//! Sources: <https://etcd.io/docs/v3.4/op-guide/authentication/>, and the answers of 3.4 and 3.6 to these requests.

use std::time::Duration;

use armadillo_orchestrator::{Client, Login, Request, Response, ServerKey, View};
use serde_json::{Value, json};

use crate::client::error::LEARNER;
use crate::client::session::{authenticate, post};
use crate::topology::NO_AUTH;

/// The user with all rights, and the role that gives them: etcd knows both by this name.
pub(crate) const ROOT: &str = "root";

/// How long one step may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The login of the user with all rights; `None` if no login is needed.
pub(crate) fn login(view: &View) -> Option<Login> {
    match view.attached() {
        Some(attached) => attached.login.as_ref()?.login().cloned(),
        None if view.topology.says(NO_AUTH) => None,
        None => Some(Login {
            user: ROOT.to_owned(),
            password: view.secret.clone(),
        }),
    }
}

/// Switches on authentication with the deployment's secret as the password of `root`, and returns when the member accepts that
/// password. Another member may be prepared at the same time, so each step may already be done.
pub(crate) async fn switch_on(view: &View, server: &ServerKey) -> Result<(), String> {
    let (Some(login), Some(member)) = (login(view), view.client(server, "client")) else {
        return Ok(());
    };
    let first = ask(&member, authenticate(&login)).await?;
    if says(&first, LEARNER) {
        // It has the users of the others, and answers nobody.
        return Ok(());
    }
    if !says(&first, "authentication is not enabled") {
        return accepted(&first).map_err(|error| match &view.topology.data {
            None => error,
            Some(path) => format!(
                "{error}; if the data has users, the password of {ROOT} belongs into {}",
                path.join("secret").display()
            ),
        });
    }
    let password = login.password.reveal();
    let steps = [
        ("/v3/auth/role/add", json!({ "name": ROOT })),
        (
            "/v3/auth/user/add",
            json!({ "name": ROOT, "password": password }),
        ),
        ("/v3/auth/user/grant", json!({ "user": ROOT, "role": ROOT })),
        ("/v3/auth/enable", json!({})),
    ];
    for (path, body) in steps {
        step(&member, path, &body).await?;
    }
    accepted(&ask(&member, authenticate(&login)).await?)
}

async fn step(member: &Client, path: &str, body: &Value) -> Result<(), String> {
    let response = ask(member, post(path, body)).await?;
    // Already done by the preparation of another member.
    let done = ["already exists", "user name is empty"];
    if response.is_success() || done.iter().any(|words| says(&response, words)) {
        return Ok(());
    }
    Err(format!(
        "authentication is not on yet: HTTP {} to {path}",
        response.status
    ))
}

async fn ask(member: &Client, request: Request) -> Result<Response, String> {
    let asked = member.send(request, LIMIT).await;
    asked.map_err(|error| format!("authentication is not on yet: {error}"))
}

fn accepted(response: &Response) -> Result<(), String> {
    match response.is_success() {
        true => Ok(()),
        false => Err(format!(
            "it does not accept the login of {ROOT} (HTTP {})",
            response.status
        )),
    }
}

fn says(response: &Response, words: &str) -> bool {
    response.text().contains(words)
}
