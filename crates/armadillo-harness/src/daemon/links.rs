//! Faults of links: what the holder of a deployment of its own may do to them, and their end with its test.

use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::{Deadline, Deployment, LinkError, LinkReport};
use tokio::sync::oneshot;

use super::Daemon;
use crate::needs::LeaseMode;
use crate::protocol::links::{LinksAnswer, OperateLinks};

/// What was begun is done, whoever waits for it: a fault without effect must not stay in force.
pub(super) async fn operate(
    daemon: &Daemon,
    deployment: &Arc<Deployment>,
    request: OperateLinks,
) -> LinksAnswer {
    let deployment = deployment.clone();
    let (done, answer) = oneshot::channel();
    daemon.spawn(async move {
        // Who asked may have gone away.
        let _ = done.send(answer_of(&deployment, request).await);
    });
    answer.await.unwrap_or_else(|_| LinksAnswer::Refused {
        why: "the daemon is shutting down".to_owned(),
    })
}

async fn answer_of(deployment: &Deployment, request: OperateLinks) -> LinksAnswer {
    let after = |ms| Deadline::after(Duration::from_millis(ms));
    match request {
        OperateLinks::Order { order, limit_ms } => {
            done(deployment.order_links(&order, limit_ms.map(after)).await)
        }
        OperateLinks::See {
            ticket,
            what,
            limit_ms,
        } => done(deployment.see_links(ticket, &what, after(limit_ms)).await),
        OperateLinks::Clear => match deployment.clear_links().await {
            Ok(without_effect) => LinksAnswer::Cleared { without_effect },
            Err(error) => refused(&error),
        },
        OperateLinks::Unattributed => match deployment.unattributed_connections().await {
            Ok(count) => LinksAnswer::Unattributed { count },
            Err(error) => refused(&error),
        },
    }
}

fn done(outcome: Result<LinkReport, LinkError>) -> LinksAnswer {
    match outcome {
        Ok(report) => LinksAnswer::Done(report),
        Err(LinkError::NoEffect { what, why }) => LinksAnswer::NoEffect { what, why },
        Err(error) => refused(&error),
    }
}

fn refused(error: &LinkError) -> LinksAnswer {
    LinksAnswer::Refused {
        why: error.to_string(),
    }
}

/// A test has ended, however it did: what it has left in force is undone before anybody looks. What cannot be undone is
/// found by the repair.
pub(super) async fn end_faults(deployment: &Deployment, mode: LeaseMode) {
    if mode != LeaseMode::Shared
        && let Err(error) = deployment.clear_links().await
    {
        tracing::warn!(%error, "cannot heal the links of {}", deployment.id());
    }
}
