//! The steps of operations that only ArangoDB knows: one try of each, and one look at each gate.

pub(crate) mod agents;
pub(crate) mod jobs;
pub(crate) mod servers;

use std::time::Duration;

use armadillo_orchestrator::{ServerKey, SystemStep, Tried, View};

use crate::client::ArangoError;
use crate::rolling;

/// How long one request may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// One try, or one look.
pub(crate) async fn try_step(view: &View, server: Option<&ServerKey>, step: &SystemStep) -> Tried {
    if let Some(tried) = rolling::try_step(view, server, step).await {
        return tried;
    }
    if let Some(tried) = agents::try_step(view, server, step).await {
        return tried;
    }
    if let Some(server) = server {
        if let Some(tried) = jobs::try_step(view, server, step).await {
            return tried;
        }
        if let Some(tried) = servers::try_step(view, server, step).await {
            return tried;
        }
    }
    Tried::Refused(format!("ArangoDB has no step {step}"))
}

/// What it means that a request to change something has failed.
fn not_done(error: &ArangoError) -> Tried {
    let why = error.to_string();
    match error.status() {
        Some(408 | 412) => Tried::NotYet(why),
        Some(400..=499) => Tried::Refused(why),
        _ => Tried::Unsure(why),
    }
}
