//! What is assumed of etcd, and how it is tried out: each assumption by one exchange of its own.

use std::time::Duration;

use armadillo_orchestrator::doctor::{Assumption, CheckStage, CheckedDeployment};
use armadillo_orchestrator::{Operation, Response, ServerKey, Topology};
use serde_json::{Value, json};

use crate::client::{EtcdClient, session};
use crate::names::member_name;
use crate::topology::etcd;

/// How long a member may take to listen, and to answer.
const START: Duration = Duration::from_secs(20);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

const REPORT: &str = "run with --json FILE and report it: Armadillo has to learn this version";

pub(crate) const STAGES: [CheckStage; 3] = [
    CheckStage {
        name: "single",
        topology: || etcd().members(1).topology().to_topology(),
    },
    CheckStage {
        name: "cluster",
        topology: cluster,
    },
    CheckStage {
        name: "failover",
        topology: cluster,
    },
];

fn cluster() -> Topology {
    etcd().members(3).topology().to_topology()
}

pub(crate) const ALL: [Assumption; 12] = [
    Assumption {
        name: "single.listens",
        assumes: "a member that is started with the options of docs/etcd.md listens on its client port",
        breaks: "no cluster starts",
        advice: "read its log; a start script must pass all arguments on to etcd and `exec` it",
        after: &[],
    },
    Assumption {
        name: "single.gateway",
        assumes: "the JSON gateway answers POST /v3/maintenance/status with a member id, a leader and a version",
        breaks: "no member is ever ready",
        advice: "use etcd 3.4 or newer, with the gateway built in",
        after: &["single.listens"],
    },
    Assumption {
        name: "single.name",
        assumes: "the member list has the member's --name",
        breaks: "it cannot be proven that the answer is ours",
        advice: REPORT,
        after: &["single.gateway"],
    },
    Assumption {
        name: "single.ready",
        assumes: "all of that together makes it ready",
        breaks: "no cluster starts",
        advice: REPORT,
        after: &["single.name"],
    },
    Assumption {
        name: "single.authentication",
        assumes: "authentication can be switched on, and who has no login reads nothing then",
        breaks: "other users of the machine can read and change what tests write",
        advice: REPORT,
        after: &["single.ready"],
    },
    Assumption {
        name: "single.keys",
        assumes: "a key that was put is read back, and not after it was deleted",
        breaks: "EtcdClient, and clean-up after tests",
        advice: REPORT,
        after: &["single.ready"],
    },
    Assumption {
        name: "single.transactions",
        assumes: "a compare-and-swap fails if the key exists already",
        breaks: "the proof that acknowledged data survives",
        advice: REPORT,
        after: &["single.keys"],
    },
    Assumption {
        name: "single.stops",
        assumes: "SIGTERM makes it exit within its limit",
        breaks: "each stop ends with SIGKILL",
        advice: "read its log; a start script must `exec` etcd, or the signal never reaches it",
        after: &["single.ready"],
    },
    Assumption {
        name: "cluster.ready",
        assumes: "three members become ready and agree on a leader",
        breaks: "no cluster starts",
        advice: "see which member is missing; raise --timeout-factor on a slow machine",
        after: &["single.ready"],
    },
    Assumption {
        name: "failover.leader",
        assumes: "after the leader was killed, another member leads within 30 s",
        breaks: "tests of failover",
        advice: "raise --timeout-factor on a slow machine",
        after: &["cluster.ready"],
    },
    Assumption {
        name: "failover.data",
        assumes: "what was acknowledged before is still there",
        breaks: "the proof that acknowledged data survives",
        advice: REPORT,
        after: &["failover.leader"],
    },
    Assumption {
        name: "failover.back",
        assumes: "started again, the member is good",
        breaks: "clusters are replaced instead of repaired",
        advice: REPORT,
        after: &["failover.leader"],
    },
];

type Seen = Result<String, String>;

pub(crate) async fn try_out(assumption: &str, on: &CheckedDeployment) -> Seen {
    match assumption {
        "single.listens" => listens(on).await,
        "single.gateway" => gateway(on).await,
        "single.name" => name(on).await,
        "single.ready" | "cluster.ready" => on.started().await.map(|()| String::new()),
        "single.authentication" => authentication(on).await,
        "single.keys" => keys(on).await,
        "single.transactions" => transactions(on).await,
        "single.stops" => stops(on).await,
        "failover.leader" => another_leader(on).await,
        "failover.data" => data(on).await,
        "failover.back" => back(on).await,
        other => Err(format!("nobody knows how to try {other}")),
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn member(on: &CheckedDeployment) -> Result<(ServerKey, String), String> {
    let mut places = on.view().places.iter();
    let found =
        places.find_map(|(key, place)| Some((key.clone(), place.reach.get("client")?.clone())));
    found.ok_or_else(|| "the cluster has no member".to_owned())
}

fn client(on: &CheckedDeployment) -> EtcdClient {
    EtcdClient::without_prefix(on.view())
        .with_limit(REQUEST)
        .for_deployment()
}

async fn listens(on: &CheckedDeployment) -> Seen {
    let (_, address) = member(on)?;
    on.listens(&address, "/version", START).await
}

async fn post(
    on: &CheckedDeployment,
    address: &str,
    path: &'static str,
) -> Result<Response, String> {
    let member = on.view().client_at(address);
    let asked = session::ask(on.view(), &member, path, &json!({}), REQUEST).await;
    asked.map_err(words)
}

async fn gateway(on: &CheckedDeployment) -> Seen {
    let (_, address) = member(on)?;
    on.until(START, || {
        let address = address.clone();
        Box::pin(async move {
            let answer = post(on, &address, "/v3/maintenance/status").await?;
            let body: Value = answer.json().unwrap_or_default();
            let has = |value: &Value| {
                value
                    .as_str()
                    .is_some_and(|text| !text.is_empty() && text != "0")
            };
            let whole =
                has(&body["header"]["member_id"]) && has(&body["leader"]) && has(&body["version"]);
            match body["version"].as_str().filter(|_| whole) {
                Some(version) => Ok(version.to_owned()),
                None => {
                    let text: String = answer.text().chars().take(200).collect();
                    Err(format!("HTTP {}: {text}", answer.status))
                }
            }
        })
    })
    .await
}

async fn name(on: &CheckedDeployment) -> Seen {
    let (server, address) = member(on)?;
    let own = member_name(&on.view().deployment, &server);
    let answer = post(on, &address, "/v3/cluster/member/list").await?;
    let body: Value = answer.json().unwrap_or_default();
    let members = body["members"].as_array().cloned().unwrap_or_default();
    if members.iter().any(|member| member["name"] == own.as_str()) {
        return Ok(own);
    }
    let names: Vec<String> = members
        .iter()
        .map(|member| member["name"].to_string())
        .collect();
    Err(format!("the members are {}, not {own:?}", names.join(", ")))
}

async fn authentication(on: &CheckedDeployment) -> Seen {
    let (_, address) = member(on)?;
    let request = session::post("/v3/kv/range", &json!({ "key": "AA==" }));
    let asked = on.view().client_at(address).send(request, REQUEST).await;
    let answer = asked.map_err(words)?;
    if answer.is_success() {
        return Err("a key was read without a login".to_owned());
    }
    let text = answer.text();
    if text.contains("user name is empty") {
        Ok(String::new())
    } else {
        let text: String = text.chars().take(200).collect();
        Err(format!("HTTP {}: {text}", answer.status))
    }
}

async fn keys(on: &CheckedDeployment) -> Seen {
    let client = client(on);
    client.put("doctor", "1").await.map_err(words)?;
    if client.get("doctor").await.map_err(words)?.is_none() {
        return Err("it was put, and is not there".to_owned());
    }
    client.delete("doctor").await.map_err(words)?;
    match client.get("doctor").await.map_err(words)? {
        None => Ok(String::new()),
        Some(_) => Err("it was deleted, and is still there".to_owned()),
    }
}

async fn transactions(on: &CheckedDeployment) -> Seen {
    use crate::client::Expected;
    let client = client(on);
    let first = client
        .compare_and_swap("doctor", &Expected::Absent, "1")
        .await
        .map_err(words)?;
    let second = client
        .compare_and_swap("doctor", &Expected::Absent, "2")
        .await
        .map_err(words)?;
    if first.is_done() && !second.is_done() {
        Ok(String::new())
    } else {
        Err(format!("the first: {first:?}, the second: {second:?}"))
    }
}

async fn stops(on: &CheckedDeployment) -> Seen {
    let (server, _) = member(on)?;
    let done = on
        .deployment()
        .operate(&server, Operation::Stop, on.deadline())
        .await;
    match done.map_err(words)?.note {
        None => Ok(String::new()),
        Some(note) => Err(note),
    }
}

async fn another_leader(on: &CheckedDeployment) -> Seen {
    let client = client(on);
    client.put("doctor", "1").await.map_err(words)?;
    let leader = client.leader().await.map_err(words)?;
    let killed = on
        .deployment()
        .operate(&leader, Operation::Kill, on.deadline())
        .await;
    killed.map_err(words)?;
    let (client, leader) = (&client, &leader);
    let next = on
        .until(Duration::from_secs(30), || {
            Box::pin(async move {
                let next = client.leader().await.map_err(words)?;
                if next == *leader {
                    Err(format!("{next} still leads"))
                } else {
                    Ok(next)
                }
            })
        })
        .await?;
    Ok(format!("led by {next}"))
}

async fn data(on: &CheckedDeployment) -> Seen {
    match client(on).get("doctor").await.map_err(words)? {
        Some(_) => Ok(String::new()),
        None => Err("it is gone".to_owned()),
    }
}

async fn back(on: &CheckedDeployment) -> Seen {
    on.start_again().await?;
    on.good().await?;
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_assumptions_make_sense() {
        armadillo_orchestrator::doctor::check(&crate::EtcdSystem).unwrap();
    }
}
