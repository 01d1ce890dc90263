//! `/_api/agency/*` (`RestAgencyHandler.cpp` of arangodb/arangodb).

use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::agency::{Agent, Outcome, Refusal, Transaction, Unavailable, join_all, replay, tree};
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::server::Server;

/// The longest poll, whatever the client asks for.
const LONGEST_POLL: f64 = 600.0;

/// All of `/_api/agency`.
pub(crate) async fn agency(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let agent = server.agent()?;
    let [verb] = rest else {
        return Err(ApiError::unknown_path(&request.path));
    };
    let wanted = match *verb {
        "read" | "write" | "transact" | "transient" | "inquire" => Method::POST,
        "config" | "poll" | "state" | "stores" => Method::GET,
        "store" => return Err(ApiError::not_implemented("the state at an index")),
        _ => return Err(ApiError::new(404, 405, "method not supported")),
    };
    if request.method != wanted {
        if *verb == "config" {
            return Err(ApiError::not_implemented("changes of the configuration"));
        }
        return Err(ApiError::method_not_allowed());
    }
    let answered = match *verb {
        "config" => {
            return Ok(Answer::json(
                200,
                &super::agency_config::config(agent, &server.settings),
            ));
        }
        "state" => Ok(Answer::json(200, &state(agent))),
        "stores" => Ok(Answer::json(200, &stores(agent))),
        "poll" => poll(agent, request).await,
        "read" => read(agent, request).await,
        "write" => write(agent, request).await,
        "transact" => transact(agent, request).await,
        "transient" => transient(agent, request).await,
        _ => inquire(agent, request).await,
    };
    answered.or_else(|stop| stop.answer(verb))
}

/// Why a request ends early.
enum Stop {
    /// Another agent, or nobody, can answer.
    Unavailable(Unavailable),
    /// 400 with this message.
    Bad(String),
    /// An error as other APIs have it.
    Error(ApiError),
}

impl Stop {
    fn answer(self, verb: &str) -> Result<Answer, ApiError> {
        let message = |status, text: &str| Answer::json(status, &json!({ "message": text }));
        Ok(match self {
            Self::Unavailable(Unavailable::NoLeader) => message(503, "No leader"),
            Self::Unavailable(Unavailable::Unknown) => {
                return Err(ApiError::new(503, 503, "service unavailable"));
            }
            Self::Unavailable(Unavailable::Elsewhere(endpoint)) => {
                let (scheme, host) = match endpoint.split_once("://") {
                    Some(("ssl" | "https" | "http+ssl", host)) => ("https", host),
                    Some((_, host)) => ("http", host),
                    None => ("http", endpoint.as_str()),
                };
                let location = format!("{scheme}://{host}/_api/agency/{verb}");
                Answer::text(307, String::new()).with("location", location)
            }
            Self::Bad(text) => message(400, &text),
            Self::Error(error) => return Err(error),
        })
    }
}

impl From<Unavailable> for Stop {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotImplemented(what) => Self::Error(ApiError::new(
                501,
                501,
                format!("the emulator does not implement {what}"),
            )),
            Refusal::Malformed(text) | Refusal::Failing(text) => Self::Bad(text),
        }
    }
}

fn elements(request: &Request, else_say: &str) -> Result<Vec<Value>, Stop> {
    match request.json()? {
        Value::Array(list) if list.is_empty() => Err(Stop::Bad(String::from("Empty request"))),
        Value::Array(list) => Ok(list),
        _ => Err(Stop::Bad(String::from(else_say))),
    }
}

/// The paths of one read, if it is one.
fn paths(query: &Value) -> Option<Vec<&str>> {
    query.as_array()?.iter().map(Value::as_str).collect()
}

/// A transaction that will fail is no malformed one.
fn check(query: &Value) -> Result<(), Refusal> {
    match Transaction::parse(query) {
        Ok(_) | Err(Refusal::Failing(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

async fn read(agent: &Rc<Agent>, request: &Request) -> Result<Answer, Stop> {
    let wrong = "Expecting array of arrays as body for reads";
    let queries = elements(request, wrong)?;
    let queries: Vec<Vec<&str>> = queries
        .iter()
        .map(|query| paths(query).ok_or_else(|| Stop::Bad(String::from(wrong))))
        .collect::<Result<_, _>>()?;
    agent.barrier().await?;
    let found: Vec<Value> = agent.look(|state| {
        let cut = |paths| tree::cut_out(state.root(), paths);
        queries.into_iter().map(cut).collect()
    });
    Ok(Answer::json(200, &json!(found)))
}

async fn write(agent: &Rc<Agent>, request: &Request) -> Result<Answer, Stop> {
    let queries = elements(request, "Expecting array of arrays as body for writes")?;
    for query in &queries {
        check(query)?;
    }
    if agent.leads().is_none() {
        return Err(agent.elsewhere().into());
    }
    // All are in the log, one behind the other, before the first is waited for.
    let mut results = Vec::new();
    for written in join_all(queries.iter().map(|query| agent.write(query))).await {
        let written = written?;
        results.push(match written.outcome {
            Outcome::Done => written.index,
            Outcome::Failed(_) => 0,
        });
    }
    let status = if results.contains(&0) { 412 } else { 200 };
    Ok(Answer::json(status, &json!({ "results": results })))
}

async fn transact(agent: &Rc<Agent>, request: &Request) -> Result<Answer, Stop> {
    let queries = elements(request, "Expecting array of arrays as body for transact")?;
    for query in &queries {
        if paths(query).is_none_or(|paths| paths.is_empty()) {
            check(query)?;
        }
    }
    let mut status = 200;
    let mut results = Vec::new();
    for query in &queries {
        results.push(match paths(query).filter(|paths| !paths.is_empty()) {
            Some(paths) => {
                agent.barrier().await?;
                agent.look(|state| tree::cut_out(state.root(), paths))
            }
            None => {
                let written = agent.write(query).await?;
                match written.outcome {
                    Outcome::Done => json!(written.index),
                    Outcome::Failed(tree) => {
                        status = 412;
                        tree
                    }
                }
            }
        });
    }
    Ok(Answer::json(status, &json!(results)))
}

/// The store that is not replicated: only the leader's counts, and a new leader's is empty. Whoever is
/// answered was heard by one who led after it had asked: dbservers serve for a while on the strength
/// of that, and a leader counts their silence from its beginning.
async fn transient(agent: &Rc<Agent>, request: &Request) -> Result<Answer, Stop> {
    let queries = elements(request, "Expecting array of arrays as body for transient")?;
    agent.barrier().await?;
    if agent.leads().is_none() {
        return Err(agent.elsewhere().into());
    }
    let mut status = 200;
    let mut results = Vec::new();
    for query in &queries {
        if let Some(paths) = paths(query).filter(|paths| !paths.is_empty()) {
            results.push(agent.transient(|root| tree::cut_out(root, paths)));
            continue;
        }
        let transaction = Transaction::parse(query)?;
        let done = agent.transient(|root| {
            let holds = transaction.failing(root).is_empty();
            if holds {
                replay(root, &query[0])?;
            }
            Ok::<_, Refusal>(holds)
        })?;
        if !done {
            status = 412;
        }
        results.push(json!(done));
    }
    Ok(Answer::json(status, &json!(results)))
}

async fn inquire(agent: &Rc<Agent>, request: &Request) -> Result<Answer, Stop> {
    let clients = elements(request, "Expecting an array of ids")?;
    let clients: Vec<&str> = clients.iter().filter_map(Value::as_str).collect();
    agent.barrier().await?;
    let applied = agent.look(|state| state.applied());
    let ongoing = agent.raft(|raft| {
        let pending = raft.entries().iter().filter(|entry| entry.index > applied);
        pending
            .filter_map(|entry| entry.payload["query"][2].as_str())
            .any(|client| clients.contains(&client))
    });
    let found: Vec<Option<u64>> = agent.look(|state| {
        clients
            .iter()
            .map(|client| state.result_of(client))
            .collect()
    });
    let status = if found.contains(&None) { 404 } else { 200 };
    let results: Vec<u64> = found.into_iter().map(|found| found.unwrap_or(0)).collect();
    let mut body = json!({ "results": results, "inquired": true });
    if ongoing {
        body["ongoing"] = json!(true);
    }
    Ok(Answer::json(status, &body))
}

/// Changes from an index on, or the whole tree for those who know nothing, or too little.
async fn poll(agent: &Rc<Agent>, request: &Request) -> Result<Answer, Stop> {
    let number = |name: &str, default: f64| match request.query(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<f64>()
            .ok()
            .filter(|number| (0.0..1e15).contains(number))
            .ok_or_else(|| Stop::Bad(format!("invalid value for {name}"))),
    };
    let index = number("index", 0.0)? as u64;
    let patience = Duration::from_secs_f64(number("timeout", 60.0)?.min(LONGEST_POLL));
    let Some(term) = agent.leads() else {
        return Err(agent.elsewhere().into());
    };
    agent.barrier().await?;
    let news = |agent: &Agent| {
        let there = agent.look(|state| state.applied() >= index);
        (there || agent.leads() != Some(term)).then_some(())
    };
    // Whether it came in time or not: what is there now is the answer.
    let _ = timeout(patience, agent.until(news)).await;
    if agent.leads() != Some(term) {
        return Err(agent.elsewhere().into());
    }
    let result = agent.look(|state| {
        let commit = state.applied();
        if index == 0 || index < state.first_change() {
            return json!({ "commitIndex": commit, "firstIndex": 0, "readDB": [state.root()] });
        }
        let log: Vec<Value> = state
            .changes_from(index)
            .map(|(index, query)| json!({ "index": index, "query": query }))
            .collect();
        json!({ "commitIndex": commit, "firstIndex": index, "log": log })
    });
    Ok(Answer::result(200, result))
}

fn state(agent: &Agent) -> Value {
    let (commit, log) = agent.raft(|raft| (raft.commit(), json!(raft.entries())));
    agent.look(|state| {
        json!({
            "current": state.applied(),
            "commitIndex": commit,
            "log": log,
            "readDB": [state.root()],
        })
    })
}

fn stores(agent: &Agent) -> Value {
    let transient = agent.transient(|root| root.clone());
    agent.look(|state| {
        let root = state.root();
        json!({ "spearhead": [root], "read_db": [root], "transient": [transient] })
    })
}

/// `/_api/agency_priv/*`: what agents say to each other. Only the superuser gets here.
pub(crate) fn private(
    server: &Server,
    request: &Request,
    rest: &[&str],
) -> Result<Answer, ApiError> {
    let agent = server.agent()?;
    if request.method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let body = request.json()?;
    match rest {
        ["raft"] => {
            let message = serde_json::from_value(body["request"].clone())
                .map_err(|error| ApiError::bad(error.to_string()))?;
            let digest = body["members"]
                .as_u64()
                .and_then(|members| members.try_into().ok());
            match digest.and_then(|digest| agent.answer(digest, message)) {
                Some(reply) => Ok(Answer::json(200, &json!(reply))),
                None => Err(ApiError::new(409, 409, "the agents do not know each other")),
            }
        }
        ["gossip"] => {
            if body["size"] != json!(agent.settings.size) {
                return Err(ApiError::new(409, 409, "agency sizes differ"));
            }
            let members = serde_json::from_value(body["pool"].clone())
                .map_err(|error| ApiError::bad(error.to_string()))?;
            agent.learn(&members);
            let pool = agent.pool(|pool| json!(pool.members()));
            Ok(Answer::json(200, &json!({ "pool": pool })))
        }
        _ => Err(ApiError::unknown_path(&request.path)),
    }
}
