//! Certificates that are read again: `POST /_admin/server/tls`, which only a superuser may.

use std::time::Duration;

use armadillo_orchestrator::{Client, Request, View};

use crate::auth;

/// How long a server may take to read its certificate.
const LIMIT: Duration = Duration::from_secs(10);

/// Has a server read its keyfile again. New connections are shown the certificate in it.
pub(crate) async fn reload(view: &View, client: &Client) -> Result<(), String> {
    let mut request = Request::post("/_admin/server/tls");
    if let Some(shown) = auth::of_superuser(view) {
        request = request.header("authorization", shown.reveal());
    }
    let answer = client.send(request, LIMIT).await;
    let answer = answer.map_err(|error| error.to_string())?;
    match answer.is_success() {
        true => Ok(()),
        false => Err(format!(
            "it did not read its keyfile: HTTP {}",
            answer.status
        )),
    }
}
