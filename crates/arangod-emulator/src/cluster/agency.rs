//! Asking the agency, as servers do: whoever leads is found, and a write whose answer was lost is
//! asked for by the client's id.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::agency::tree;
use crate::http::{Client, ClientError, Reply};

/// How long one agent may take for one answer. A leader that was cut off says so earlier.
const ANSWER: Duration = Duration::from_secs(3);
/// The longest pause before the agents are asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgencyError {
    /// No agent gave one in time. What was to be written may be written or not.
    #[error("agency communication failed: {0}")]
    Unreachable(String),
    /// The agency did not understand.
    #[error("the agency answered {0}: {1}")]
    Refused(u16, String),
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It is at this place in the log.
    At(u64),
    /// A precondition did not hold.
    Not,
}

impl Decided {
    /// The place, if there is one.
    pub(crate) fn place(self) -> Option<u64> {
        match self {
            Self::At(index) => Some(index),
            Self::Not => None,
        }
    }
}

/// The way to the agency.
#[derive(Debug)]
pub(crate) struct Agency {
    client: Rc<Client>,
    /// All agents that are known, whoever answered last in front.
    endpoints: RefCell<Vec<String>>,
}

impl Agency {
    /// A way that begins with these addresses.
    pub(crate) fn new(client: Rc<Client>, endpoints: Vec<String>) -> Self {
        Self {
            client,
            endpoints: RefCell::new(endpoints),
        }
    }

    /// The addresses of the agents.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.endpoints.borrow().clone()
    }

    /// Asks one server something.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    fn prefer(&self, endpoint: &str) {
        let mut endpoints = self.endpoints.borrow_mut();
        endpoints.retain(|known| known != endpoint);
        endpoints.insert(0, String::from(endpoint));
    }

    /// Takes over the addresses that the agents know of each other.
    pub(crate) async fn learn(&self) -> Result<Value, AgencyError> {
        let reply = self
            .ask(Method::GET, "config", Vec::new(), ANSWER, ANSWER)
            .await?;
        let config = reply.json();
        if let Some(pool) = config["configuration"]["pool"].as_object() {
            let current: Vec<String> = pool
                .values()
                .filter_map(|endpoint| endpoint.as_str().map(String::from))
                .collect();
            let mut endpoints = self.endpoints.borrow_mut();
            endpoints.retain(|known| current.contains(known));
            for endpoint in current {
                if !endpoints.contains(&endpoint) {
                    endpoints.push(endpoint);
                }
            }
        }
        Ok(config)
    }

    /// Asks until the leader has answered, or there is no time left.
    async fn ask(
        &self,
        method: Method,
        verb: &str,
        body: Vec<u8>,
        answer: Duration,
        patience: Duration,
    ) -> Result<Reply, AgencyError> {
        let end = Instant::now() + patience;
        let path = format!("/_api/agency/{verb}");
        let mut pause = Duration::from_millis(5);
        let mut turn = 0;
        loop {
            let endpoint = {
                let endpoints = self.endpoints.borrow();
                let count = endpoints.len().max(1);
                endpoints.get(turn % count).cloned().unwrap_or_default()
            };
            let sent = self
                .client
                .send(&endpoint, method.clone(), &path, body.clone(), answer)
                .await;
            let problem = match sent {
                Ok(reply) if reply.status == 307 => {
                    match reply.location.as_deref().and_then(origin) {
                        Some(leader) => {
                            self.prefer(&leader);
                            turn = 0;
                            format!("{leader} is said to lead")
                        }
                        None => String::from("a redirection to nowhere"),
                    }
                }
                Ok(reply) if reply.status == 503 => {
                    turn += 1;
                    // A write may have been taken: that is for the caller to find out.
                    if reply.json()["errorMessage"] == "service unavailable" {
                        return Err(AgencyError::Unreachable(String::from("commit unknown")));
                    }
                    String::from("no leader")
                }
                Ok(reply) => {
                    self.prefer(&endpoint);
                    return Ok(reply);
                }
                Err(ClientError::NotSent(reason)) => {
                    turn += 1;
                    reason
                }
                Err(ClientError::Lost(reason) | ClientError::Closed(reason)) => {
                    // The next question begins with somebody else.
                    self.endpoints.borrow_mut().rotate_left(1);
                    return Err(AgencyError::Unreachable(reason));
                }
            };
            if Instant::now() >= end {
                return Err(AgencyError::Unreachable(problem));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// Asks something that does no harm when it is asked twice.
    async fn ask_again(
        &self,
        verb: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<Value, AgencyError> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let body = body.to_string().into_bytes();
            match self.ask(Method::POST, verb, body, ANSWER, left).await {
                Ok(reply) if [200, 404, 412].contains(&reply.status) => return Ok(reply.json()),
                Ok(reply) => {
                    let text = String::from_utf8_lossy(&reply.body).into_owned();
                    return Err(AgencyError::Refused(reply.status, text));
                }
                Err(error) if Instant::now() >= end => return Err(error),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// The tree with nothing but these paths.
    pub(crate) async fn read(
        &self,
        paths: &[&str],
        patience: Duration,
    ) -> Result<Value, AgencyError> {
        let mut answer = self.ask_again("read", &json!([paths]), patience).await?;
        Ok(answer[0].take())
    }

    /// Carries out a transaction once.
    pub(crate) async fn write(
        &self,
        operations: Value,
        conditions: Value,
        patience: Duration,
    ) -> Result<Decided, AgencyError> {
        let made = crate::system::uuid();
        let name = made.map_err(|error| AgencyError::Unreachable(error.to_string()))?;
        let end = Instant::now() + patience;
        let body = json!([[operations, conditions, name]])
            .to_string()
            .into_bytes();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self
                .ask(Method::POST, "write", body.clone(), ANSWER, left)
                .await
            {
                Ok(reply) if [200, 412].contains(&reply.status) => {
                    return Ok(match reply.json()["results"][0].as_u64() {
                        Some(index) if index > 0 => Decided::At(index),
                        _ => Decided::Not,
                    });
                }
                Ok(reply) => {
                    let text = String::from_utf8_lossy(&reply.body).into_owned();
                    return Err(AgencyError::Refused(reply.status, text));
                }
                Err(error) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(error);
                    }
                    let known = self.ask_again("inquire", &json!([name]), left).await?;
                    if let Some(index) = known["results"][0].as_u64().filter(|index| *index > 0) {
                        return Ok(Decided::At(index));
                    }
                }
            }
        }
    }

    /// Writes to the store that is not replicated, once and without a second try.
    pub(crate) async fn whisper(&self, operations: &Value) -> Result<(), AgencyError> {
        let body = json!([[operations]]).to_string().into_bytes();
        let patience = Duration::from_millis(500);
        let reply = self
            .ask(Method::POST, "transient", body, patience, patience)
            .await?;
        match reply.status {
            200 => Ok(()),
            status => Err(AgencyError::Refused(status, String::from("to a heartbeat"))),
        }
    }

    /// What has changed from an index on, waiting so long for something to change.
    pub(crate) async fn poll(&self, index: u64, wait: Duration) -> Result<Value, AgencyError> {
        let verb = format!("poll?index={index}&timeout={}", wait.as_secs_f64());
        // Those who wait for nothing have a client waiting for them.
        let answer = wait + Duration::from_secs(1);
        let reply = self
            .ask(Method::GET, &verb, Vec::new(), answer, ANSWER)
            .await?;
        match reply.status {
            200 => Ok(reply.json()["result"].take()),
            status => Err(AgencyError::Refused(status, String::from("to a poll"))),
        }
    }
}

/// `tcp://host:port` of an address, or `ssl://host:port`.
fn origin(location: &str) -> Option<String> {
    let (scheme, rest) = match location.split_once("://")? {
        ("http", rest) => ("tcp", rest),
        ("https", rest) => ("ssl", rest),
        _ => return None,
    };
    let host = rest.split('/').next().filter(|host| !host.is_empty())?;
    Some(format!("{scheme}://{host}"))
}

/// What is at a path in an answer; null if nothing is.
pub(crate) fn find<'a>(root: &'a Value, path: &str) -> &'a Value {
    tree::at(root, path).unwrap_or(&Value::Null)
}
