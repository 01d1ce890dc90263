//! One look at a member that was started.

use std::time::Duration;

use armadillo_orchestrator::{Client, HttpError, Identity, Probe, Request, ServerKey, Stage, View};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::wire::{MembersAnswer, StatusAnswer, decode};
use crate::names::member_name;

/// How long an answer may take. A member binds its ports some time before it serves them.
const LIMIT: Duration = Duration::from_millis(500);

/// How much longer a member that answers its peers may take to answer a client.
const CLIENT_GRACE: Duration = Duration::from_millis(10);

/// What a member says to a client.
struct Served {
    has_leader: bool,
    /// Whether it says that it is who it should be; `None` where it does not say who it is.
    ours: Option<bool>,
}

/// A member is answering when it serves its peers, which is all the next member needs of it. It is ready when it serves
/// clients and knows a leader. etcd serves clients only after a leader was elected and the member has made itself known
/// to the cluster: until then a request hangs, so both ports are asked at the same time.
pub(crate) async fn probe(view: &View, server: &ServerKey) -> Probe {
    let (Some(client), Some(peer)) = (view.reach(server, "client"), view.reach(server, "peer"))
    else {
        return Probe::Hopeless(format!("{server} has no client port or no peer port"));
    };
    let mut serving = std::pin::pin!(ask_client(view, server, client));
    let mut answering = std::pin::pin!(ask_peer(peer));
    let served = tokio::select! {
        biased;
        served = &mut serving => served,
        answer = &mut answering => {
            if let Err(why) = answer {
                return Probe::NotYet(why);
            }
            match tokio::time::timeout(CLIENT_GRACE, &mut serving).await {
                Ok(served) => served,
                Err(_) => return answering_stage(None),
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
            identity: served.ours.map(Identity::Ours),
        },
        Err(why) => match ask_peer(peer).await {
            Ok(()) => answering_stage(None),
            Err(_) => Probe::NotYet(why),
        },
    }
}

/// Peers are answered with the list of all members, which does not say who answers: the proof is left to the socket.
fn answering_stage(identity: Option<Identity>) -> Probe {
    Probe::At {
        stage: Stage::Answering,
        identity,
    }
}

async fn ask_peer(address: &str) -> Result<(), String> {
    let client = Client::tcp(address);
    let outcome = client.send(Request::get("/members"), LIMIT).await;
    let response = outcome.map_err(|error| reason("its peer port", &error))?;
    if response.is_success() {
        Ok(())
    } else {
        Err(format!("its peer port answers HTTP {}", response.status))
    }
}

/// Status and identity. The member's number in the answer belongs to a name in the member list, and the name holds the
/// deployment's id, which no other run has.
async fn ask_client(view: &View, server: &ServerKey, address: &str) -> Result<Served, String> {
    let client = Client::tcp(address);
    let status: StatusAnswer = post(&client, "/v3/maintenance/status").await?;
    let list: MembersAnswer = post(&client, "/v3/cluster/member/list").await?;
    let own = list
        .members
        .iter()
        .find(|member| member.id == status.header.member_id && !member.name.is_empty());
    let name = member_name(&view.deployment, server);
    Ok(Served {
        has_leader: status.leader != 0,
        ours: own.map(|member| member.name == name),
    })
}

async fn post<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, String> {
    let request = Request::post(path).json(&json!({}));
    let outcome = client.send(request, LIMIT).await;
    let response = outcome.map_err(|error| reason("its client port", &error))?;
    if !response.is_success() {
        return Err(format!(
            "its client port answers HTTP {} to {path}",
            response.status
        ));
    }
    decode(&response.body).map_err(|why| format!("its client port does not speak etcd: {why}"))
}

fn reason(port: &str, error: &HttpError) -> String {
    if error.is_refused() {
        format!("nobody listens on {port}")
    } else if error.is_timeout() {
        format!("{port} is open but does not answer yet")
    } else {
        format!("{port}: {error}")
    }
}
