//! Trying out what is assumed of `arangod`: each assumption by one exchange of its own, not by what the rest of this crate makes
//! of it, so that what fails is named.

mod list;
mod rights;

use std::time::Duration;

use armadillo_orchestrator::doctor::CheckedDeployment;
use armadillo_orchestrator::{Operation, Request, Response, Secret, ServerKey};
use serde_json::{Value, json};

pub(crate) use list::{ALL, STAGES};

use crate::agency::Agency;
use crate::auth;
use crate::client::{ArangoClient, Collection};
use crate::launch::PORT;
use crate::members;
use crate::role::Role;

/// How long a server may take to listen, and to answer.
const START: Duration = Duration::from_secs(20);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// What is created, in each stage.
const NAME: &str = "armadillo_doctor";

type Seen = Result<String, String>;

pub(crate) async fn try_out(assumption: &str, on: &CheckedDeployment) -> Seen {
    match assumption {
        "single.listens" => listens(on).await,
        "single.log" => log(on).await,
        "single.version" => version(on).await,
        "single.authentication" => authentication(on).await,
        "single.role" => role(on).await,
        "single.pid" => pid(on).await,
        "single.availability" => availability(on).await,
        "single.ready" | "cluster.ready" => on.started().await.map(|()| String::new()),
        "single.databases" => databases(on).await,
        "single.users" => rights::users(on).await,
        "single.tokens" => rights::tokens(on).await,
        "single.inactive" => rights::inactive(on).await,
        "single.rotation" => rights::rotation(on).await,
        "single.documents" => documents(on).await,
        "single.revisions" => revisions(on).await,
        "single.missing" => missing(on).await,
        "single.stops" => stops(on).await,
        "single.restarts" => restarts(on).await,
        "cluster.agents" => agents(on).await,
        "cluster.health" => cluster_health(on).await,
        "cluster.shards" => shards(on).await,
        "failover.failed" => failed(on).await,
        "failover.leader" => another_leader(on).await,
        "failover.back" => back(on).await,
        other => Err(format!("nobody knows how to try {other}")),
    }
}

/// The only server of a single deployment.
fn server(on: &CheckedDeployment) -> Result<(ServerKey, String), String> {
    let mut places = on.view().places.iter();
    let found = places.find_map(|(key, place)| Some((key.clone(), place.reach.get(PORT)?.clone())));
    found.ok_or_else(|| "the deployment has no server".to_owned())
}

async fn listens(on: &CheckedDeployment) -> Seen {
    let (_, address) = server(on)?;
    on.listens(&address, "/_api/version", START).await
}

async fn log(on: &CheckedDeployment) -> Seen {
    let (server, _) = server(on)?;
    on.until(START, || {
        let lines = on.deployment().last_lines(&server, 200);
        Box::pin(async move {
            let read = lines
                .iter()
                .filter(|line| crate::log::read(line).is_some())
                .count();
            match lines.iter().find(|line| crate::log::read(line).is_none()) {
                None if read > 0 => Ok(format!("{read} lines")),
                None => Err("it has logged nothing".to_owned()),
                Some(_) if read * 2 > lines.len() => Ok(format!("{read} of {} lines", lines.len())),
                Some(other) => Err(format!(
                    "{read} of {} lines are; another is: {other}",
                    lines.len()
                )),
            }
        })
    })
    .await
}

/// Asks until the answer is not that of a server that starts.
async fn ask(on: &CheckedDeployment, path: &str) -> Result<Response, String> {
    let (_, address) = server(on)?;
    let token = auth::superuser_token(on.view());
    on.until(START, || {
        let (client, request) = (
            on.view().client_at(address.as_str()),
            Request::get(path).bearer(&token),
        );
        Box::pin(async move {
            match client.send(request, REQUEST).await {
                Ok(answer) if answer.status == 503 => Err("HTTP 503".to_owned()),
                Ok(answer) => Ok(answer),
                Err(error) => Err(error.to_string()),
            }
        })
    })
    .await
}

async fn version(on: &CheckedDeployment) -> Seen {
    let answer = ask(on, "/_api/version").await?;
    let body: Value = answer.json().unwrap_or_default();
    match (
        answer.status,
        body["server"].as_str(),
        body["version"].as_str(),
    ) {
        (200, Some("arango"), Some(version)) => Ok(version.to_owned()),
        (status, ..) => Err(format!("HTTP {status}: {}", short(&answer))),
    }
}

fn short(answer: &Response) -> String {
    answer.text().chars().take(200).collect()
}

async fn authentication(on: &CheckedDeployment) -> Seen {
    let mut other = on.view().clone();
    other.secret = Secret::new("of nobody");
    let (_, address) = server(on)?;
    for token in [Some(auth::superuser_token(&other)), None] {
        let request = Request::get("/_api/database");
        let request = match &token {
            Some(token) => request.bearer(token),
            None => request,
        };
        let answer = on
            .view()
            .client_at(address.as_str())
            .send(request, REQUEST)
            .await;
        let status = answer.map_err(|error| error.to_string())?.status;
        if status != 401 {
            let who = if token.is_some() {
                "another token"
            } else {
                "no token"
            };
            return Err(format!("{who} gets HTTP {status}"));
        }
    }
    Ok("401".to_owned())
}

async fn status(on: &CheckedDeployment) -> Result<Value, String> {
    let answer = ask(on, "/_admin/status").await?;
    match answer.json() {
        Ok(body) if answer.status == 200 => Ok(body),
        _ => Err(format!("HTTP {}: {}", answer.status, short(&answer))),
    }
}

async fn role(on: &CheckedDeployment) -> Seen {
    // Before it is decided, the role is UNDEFINED.
    on.until(START, || {
        Box::pin(async move {
            let role = status(on).await?["serverInfo"]["role"].clone();
            match role.as_str() {
                Some(role) if role == Role::Single.on_the_server() => Ok(role.to_owned()),
                _ => Err(format!("the role is {role}")),
            }
        })
    })
    .await
}

async fn pid(on: &CheckedDeployment) -> Seen {
    let said = status(on).await?["pid"].clone();
    let (server, _) = server(on)?;
    let pids = on.deployment().pids(&server);
    match said.as_u64().and_then(|pid| u32::try_from(pid).ok()) {
        Some(pid) if pids.contains(&pid) => Ok(pid.to_string()),
        _ => Err(format!("the pid is {said}, but the processes are {pids:?}")),
    }
}

async fn availability(on: &CheckedDeployment) -> Seen {
    let answer = ask(on, "/_admin/server/availability").await?;
    if answer.status == 200 {
        Ok(String::new())
    } else {
        Err(format!("HTTP {}", answer.status))
    }
}

fn superuser(on: &CheckedDeployment) -> ArangoClient {
    ArangoClient::superuser(on.view()).with_limit(Duration::from_secs(20))
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn docs(on: &CheckedDeployment) -> Collection {
    superuser(on).database(NAME).collection("docs")
}

async fn databases(on: &CheckedDeployment) -> Seen {
    let client = superuser(on);
    for name in [NAME, "armadillo_doctor_2"] {
        client.create_database(name).await.map_err(words)?;
    }
    let listed = client.databases().await.map_err(words)?;
    if !listed.iter().any(|name| name == NAME) {
        return Err(format!("created, and not listed: {}", listed.join(", ")));
    }
    client
        .drop_database("armadillo_doctor_2")
        .await
        .map_err(words)?;
    let listed = client.databases().await.map_err(words)?;
    match listed.iter().any(|name| name == "armadillo_doctor_2") {
        false => Ok(String::new()),
        true => Err("a dropped database is still listed".to_owned()),
    }
}

async fn documents(on: &CheckedDeployment) -> Seen {
    let database = superuser(on).database(NAME);
    let docs = database.create_collection("docs").await.map_err(words)?;
    docs.insert(&json!({"_key": "a", "n": 1}))
        .await
        .map_err(words)?;
    read_back(&docs).await
}

async fn read_back(docs: &Collection) -> Seen {
    let found: Option<Value> = docs.get("a").await.map_err(words)?;
    match found {
        Some(found) if found["n"] == 1 => Ok(String::new()),
        Some(other) => Err(format!("it is {other}")),
        None => Err("it is not there".to_owned()),
    }
}

async fn revisions(on: &CheckedDeployment) -> Seen {
    let docs = docs(on);
    let old = docs.insert(&json!({"_key": "b"})).await.map_err(words)?;
    docs.replace("b", &json!({"n": 2})).await.map_err(words)?;
    match docs.replace("b", &json!({"n": 3})).if_match(&old.rev).await {
        Err(error) if error.status() == Some(412) => Ok("412".to_owned()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("it was accepted".to_owned()),
    }
}

async fn missing(on: &CheckedDeployment) -> Seen {
    let (_, address) = server(on)?;
    let token = auth::superuser_token(on.view());
    for (path, number) in [
        ("/_db/armadillo_nothing/_api/version", 1228),
        ("/_db/armadillo_doctor/_api/collection/nothing", 1203),
        ("/_db/armadillo_doctor/_api/document/docs/nothing", 1202),
    ] {
        let answer = on
            .view()
            .client_at(address.as_str())
            .send(Request::get(path).bearer(&token), REQUEST)
            .await;
        let answer = answer.map_err(words)?;
        let body: Value = answer.json().unwrap_or_default();
        if answer.status != 404 || body["errorNum"] != number {
            return Err(format!(
                "GET {path}: HTTP {}: {}",
                answer.status,
                short(&answer)
            ));
        }
    }
    Ok(String::new())
}

async fn stops(on: &CheckedDeployment) -> Seen {
    let (server, _) = server(on)?;
    let done = on
        .deployment()
        .operate(&server, Operation::Stop, on.deadline())
        .await;
    let done = done.map_err(words)?;
    match done.note {
        Some(note) => Err(note),
        None => match on
            .deployment()
            .servers()
            .get(&server)
            .and_then(|status| status.exit.clone())
        {
            Some(exit) if exit.starts_with("exit code 0") => Ok(exit),
            exit => Err(exit.unwrap_or_else(|| "it still runs".to_owned())),
        },
    }
}

async fn restarts(on: &CheckedDeployment) -> Seen {
    let (server, _) = server(on)?;
    let started = on
        .deployment()
        .operate(&server, Operation::Start, on.deadline())
        .await;
    started.map_err(words)?;
    read_back(&docs(on)).await
}

async fn agents(on: &CheckedDeployment) -> Seen {
    let agency = Agency::new(on.view()).with_limit(START);
    on.until(START, || {
        let agency = agency.clone();
        let agents = on.servers_of(Role::Agent.name());
        Box::pin(async move {
            let mut said = Vec::new();
            for agent in agents {
                let config = agency
                    .config(&agent)
                    .await
                    .map_err(|error| format!("{agent}: {error}"))?;
                let leader = config
                    .leader()
                    .ok_or_else(|| format!("{agent} knows no leader"))?;
                said.push(format!("{leader} in term {}", config.term));
            }
            said.dedup();
            match said.as_slice() {
                [one] => Ok(one.clone()),
                several => Err(format!("they do not agree: {}", several.join(", "))),
            }
        })
    })
    .await
}

async fn cluster_health(on: &CheckedDeployment) -> Seen {
    let all = members::by_coordinator(&superuser(on))
        .await
        .map_err(words)?;
    let all = all.members(on.view());
    for planned in on.view().places.keys() {
        let Some(member) = all
            .iter()
            .find(|member| member.server.as_ref() == Some(planned))
        else {
            let known: Vec<&str> = all.iter().map(|member| member.endpoint.as_str()).collect();
            return Err(format!(
                "{planned} is not in it; endpoints: {}",
                known.join(", ")
            ));
        };
        if member.status != members::ServerStatus::Good {
            return Err(format!("{planned} is {}", member.status));
        }
    }
    Ok(format!("{} servers", all.len()))
}

async fn shards(on: &CheckedDeployment) -> Seen {
    let client = superuser(on);
    let database = client.create_database(NAME).await.map_err(words)?;
    let docs = database
        .create_collection("docs")
        .replication_factor(2)
        .await
        .map_err(words)?;
    docs.insert(&json!({"_key": "a", "n": 1}))
        .await
        .map_err(words)?;
    docs.wait_in_sync().await.map_err(words)?;
    let leader = docs.shard_leader().await.map_err(words)?;
    Ok(format!("led by {leader}"))
}

/// Kills the leader of the shard.
async fn failed(on: &CheckedDeployment) -> Seen {
    let leader = docs(on).shard_leader().await.map_err(words)?;
    let killed = on
        .deployment()
        .operate(&leader, Operation::Kill, on.deadline())
        .await;
    killed.map_err(words)?;
    let client = superuser(on);
    on.until(Duration::from_secs(30), || {
        let (client, leader) = (client.clone(), leader.clone());
        Box::pin(async move {
            let all = members::by_coordinator(&client).await.map_err(words)?;
            let all = all.members(on.view());
            let member = all
                .into_iter()
                .find(|member| member.server.as_ref() == Some(&leader));
            match member {
                Some(member) if member.status == members::ServerStatus::Failed => {
                    Ok(format!("{leader} is FAILED"))
                }
                Some(member) => Err(format!("{leader} is {}", member.status)),
                None => Err(format!("{leader} is not in the health any more")),
            }
        })
    })
    .await
}

async fn another_leader(on: &CheckedDeployment) -> Seen {
    let gone = on.stopped()?;
    let docs = docs(on);
    let leader = docs.shard_leader().await.map_err(words)?;
    if leader == gone {
        return Err(format!("{gone} still leads"));
    }
    read_back(&docs).await.map(|_| format!("led by {leader}"))
}

async fn back(on: &CheckedDeployment) -> Seen {
    on.start_again().await?;
    docs(on).wait_in_sync().await.map_err(words)?;
    on.good().await?;
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_assumptions_make_sense() {
        armadillo_orchestrator::doctor::check(&crate::ArangoDb).unwrap();
    }
}
