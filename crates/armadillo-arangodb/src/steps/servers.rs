//! Dbservers and coordinators that come and go: what the supervision says of them.

use armadillo_orchestrator::{Request, ServerKey, SystemStep, Tried, View};

use super::{LIMIT, not_done};
use crate::client::ArangoClient;
use crate::members::{self, Member, ServerStatus};

/// Gate: the supervision calls the server good.
const GOOD: &str = "good";
/// Gate: the supervision calls the server failed, and nothing is planned on it: the cluster can forget it.
const REMOVABLE: &str = "removable";
/// The cluster forgets the server.
const FORGET: &str = "forget";

pub(crate) fn good() -> SystemStep {
    SystemStep::new(GOOD)
}

pub(crate) fn removable() -> SystemStep {
    SystemStep::new(REMOVABLE)
}

pub(crate) fn forget() -> SystemStep {
    SystemStep::new(FORGET)
}

/// One try; `None` if it is no step of this kind.
pub(super) async fn try_step(view: &View, server: &ServerKey, step: &SystemStep) -> Option<Tried> {
    let client = ArangoClient::superuser(view).with_limit(LIMIT);
    let tried = match step.name.as_str() {
        GOOD => is_good(view, &client, server).await,
        REMOVABLE => is_removable(view, &client, server).await,
        FORGET => was_forgotten(view, &client, server).await,
        _ => return None,
    };
    Some(tried.unwrap_or_else(Tried::NotYet))
}

/// The server as the coordinators know it.
async fn known(
    view: &View,
    client: &ArangoClient,
    server: &ServerKey,
) -> Result<Option<Member>, String> {
    let entries = members::by_coordinator(client).await;
    let entries = entries.map_err(|error| error.to_string())?;
    let mut members = entries.members(view).into_iter();
    Ok(members.find(|member| member.server.as_ref() == Some(server)))
}

async fn is_good(view: &View, client: &ArangoClient, server: &ServerKey) -> Result<Tried, String> {
    match known(view, client, server).await? {
        Some(member) if member.status == ServerStatus::Good => Ok(Tried::Done(member.short_name)),
        Some(member) => Err(format!("the supervision reports it as {}", member.status)),
        None => Err("the cluster does not know it yet".to_owned()),
    }
}

async fn is_removable(
    view: &View,
    client: &ArangoClient,
    server: &ServerKey,
) -> Result<Tried, String> {
    match known(view, client, server).await? {
        None => Ok(Tried::Done("the cluster does not know it".to_owned())),
        Some(member) if member.can_be_deleted => Ok(Tried::Done(String::new())),
        Some(member) => Err(format!("the supervision reports it as {}", member.status)),
    }
}

async fn was_forgotten(
    view: &View,
    client: &ArangoClient,
    server: &ServerKey,
) -> Result<Tried, String> {
    let Some(member) = known(view, client, server).await? else {
        return Ok(Tried::Done(String::new()));
    };
    let request = Request::post("/_admin/cluster/removeServer").json(&member.id);
    Ok(match client.ask(request).await {
        Ok(_) => Tried::Done(String::new()),
        // Somebody else was faster, or a request before this one.
        Err(error) if error.is_not_found() => Tried::Unsure(error.to_string()),
        Err(error) => not_done(&error),
    })
}
