//! One look at a member that was started.

use std::time::Duration;

use armadillo_orchestrator::{Client, HttpError, Identity, Probe, Request, ServerKey, Stage, View};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::wire::{MembersAnswer, PeerAnswer, StatusAnswer, decode};
use crate::client::{EtcdClient, session};
use crate::names::{member_name, server_of_name};

/// How long an answer may take. A member binds its ports some time before it serves them.
const LIMIT: Duration = Duration::from_millis(500);

/// How much longer a member that answers its peers may take to answer a client.
const CLIENT_GRACE: Duration = Duration::from_millis(10);

/// What a member says to a client.
struct Served {
    has_leader: bool,
    identity: Option<Identity>,
}

/// A member is answering when it serves its peers, which is all the next member needs of it. It is ready when it serves
/// clients and knows a leader. etcd serves clients only after a leader was elected and the member has made itself known
/// to the cluster: until then a request hangs, so both ports are asked at the same time.
pub(crate) async fn probe(view: &View, server: &ServerKey) -> Probe {
    if view.attached().is_some() {
        return attached(view, server).await;
    }
    let (Some(client), Some(peer)) = (view.client(server, "client"), view.client(server, "peer"))
    else {
        return Probe::Hopeless(format!("{server} has no client port or no peer port"));
    };
    let mut serving = std::pin::pin!(ask_client(view, server, &client));
    let mut answering = std::pin::pin!(ask_peer(view, &peer));
    let served = tokio::select! {
        biased;
        served = &mut serving => served,
        answer = &mut answering => {
            let identity = match answer {
                Ok(identity) => identity,
                Err(why) => return Probe::NotYet(why),
            };
            match tokio::time::timeout(CLIENT_GRACE, &mut serving).await {
                Ok(served) => served,
                Err(_) => return answers(identity),
            }
        }
    };
    match served {
        Ok(served) => Probe::At {
            stage: if served.has_leader {
                Stage::Ready
            } else {
                Stage::Answering
            },
            identity: served.identity,
            missing: match served.has_leader {
                true => String::new(),
                false => "it has no leader".to_owned(),
            },
        },
        Err(why) => match ask_peer(view, &peer).await {
            Ok(identity) => answers(identity),
            Err(_) => Probe::NotYet(why),
        },
    }
}

/// A look at a member that somebody else started: only clients can ask it, and its name is not ours.
async fn attached(view: &View, server: &ServerKey) -> Probe {
    let status = EtcdClient::without_prefix(view)
        .with_limit(LIMIT * 4)
        .status(server)
        .await;
    match status {
        Ok(status) if status.leader.is_some() => Probe::At {
            stage: Stage::Ready,
            identity: None,
            missing: String::new(),
        },
        Ok(_) => answers(None),
        Err(error) => Probe::NotYet(error.to_string()),
    }
}

fn answers(identity: Option<Identity>) -> Probe {
    Probe::At {
        stage: Stage::Answering,
        identity,
        missing: "it does not serve clients".to_owned(),
    }
}

/// Peers are answered with the list of all members. It does not say which of them answers, but only a member of this
/// deployment knows their names, and each is told to listen on another port.
async fn ask_peer(view: &View, client: &Client) -> Result<Option<Identity>, String> {
    let outcome = client.send(Request::get("/members"), LIMIT).await;
    let response = outcome.map_err(|error| reason("its peer port", &error))?;
    if !response.is_success() {
        return Err(format!(
            "its peer port responds with HTTP {}",
            response.status
        ));
    }
    let members: Vec<PeerAnswer> =
        decode(&response.body).map_err(|why| format!("its peer port is not one of etcd: {why}"))?;
    let names = members.iter().map(|member| member.name.as_str());
    let known = identity(names, |name| {
        server_of_name(&view.deployment, name).is_some()
    });
    Ok(unless_old(view, known))
}

/// Existing data has the names of other members, until the new ones have made themselves known: they prove nothing.
fn unless_old(view: &View, identity: Option<Identity>) -> Option<Identity> {
    identity.filter(|identity| view.topology.data.is_none() || *identity != Identity::Ours(false))
}

/// Whether one of these names is ours; `None` if there is no name at all. While a member that was started again reads its
/// log, the list is not complete: its own name may be the last to come.
fn identity<'a>(
    names: impl Iterator<Item = &'a str>,
    is_ours: impl Fn(&str) -> bool,
) -> Option<Identity> {
    let mut known = names.filter(|name| !name.is_empty()).peekable();
    known.peek()?;
    Some(Identity::Ours(known.any(is_ours)))
}

/// Status and identity. The member's number in the answer belongs to a name in the member list, and the name holds the
/// deployment's id, which no other run has.
async fn ask_client(view: &View, server: &ServerKey, client: &Client) -> Result<Served, String> {
    let status: StatusAnswer = post(view, client, "/v3/maintenance/status").await?;
    if status.is_learner {
        // It does not answer a client who the members are, but a peer.
        let peer = view.client(server, "peer");
        let peer = peer.ok_or_else(|| "it has no peer port".to_owned())?;
        return Ok(Served {
            has_leader: status.leader != 0,
            identity: ask_peer(view, &peer).await?,
        });
    }
    let list: MembersAnswer = post(view, client, "/v3/cluster/member/list").await?;
    let own = member_name(&view.deployment, server);
    let answering = list
        .members
        .iter()
        .filter(|member| member.id == status.header.member_id);
    let names = answering.map(|member| member.name.as_str());
    Ok(Served {
        has_leader: status.leader != 0,
        identity: unless_old(view, identity(names, |name| name == own)),
    })
}

async fn post<T: DeserializeOwned>(
    view: &View,
    client: &Client,
    path: &'static str,
) -> Result<T, String> {
    let outcome = session::ask(view, client, path, &json!({}), LIMIT).await;
    let response = outcome.map_err(|error| reason("its client port", &error))?;
    if !response.is_success() {
        return Err(format!(
            "its client port responds with HTTP {} to {path}",
            response.status
        ));
    }
    decode(&response.body).map_err(|why| format!("its client port is not one of etcd: {why}"))
}

fn reason(port: &str, error: &HttpError) -> String {
    if error.is_refused() {
        format!("nothing is listening on {port}")
    } else if error.is_timeout() {
        format!("{port} is open but does not respond yet")
    } else {
        format!("{port}: {error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_proof_and_no_name_is_none() {
        let said = |names: &[&str]| identity(names.iter().copied(), |name| name == "ours");
        assert_eq!(said(&["other", "ours"]), Some(Identity::Ours(true)));
        assert_eq!(said(&["", "other"]), Some(Identity::Ours(false)));
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[""]), None);
    }
}
