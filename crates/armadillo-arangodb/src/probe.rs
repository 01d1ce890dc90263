//! One look at a server that was started, and what it says of itself.
//!
//! The stages of a start as seen from outside (documentation, "Respond to liveliness probes" and "Return whether or not a
//! server is available"): nobody listens; with `--server.early-connections`, `/_api/version` and `/_admin/status` answer and
//! everything else is 503; everything is 503 while bootstrapping (`CommTask.cpp`); at last `serverInfo.state` is `SERVING`,
//! `serverInfo.maintenance` is false and `/_admin/server/availability` is 200. An agent is of use once it knows a leader.

use std::time::Duration;

use armadillo_orchestrator::{Identity, Probe, Request, ServerKey, Stage, View};
use serde::Deserialize;

use crate::agency::AgentConfig;
use crate::client::{ArangoClient, ArangoError, Version};
use crate::role::Role;

/// How long one request of a look may take. A server that is slower than that is not there yet.
const LIMIT: Duration = Duration::from_secs(2);

/// What one look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing answers, or nothing that can be used.
    Silent(String),
    /// It answers, but does not serve clients.
    Waiting { identity: Identity, why: String },
    /// It serves clients.
    Serving { identity: Identity },
    /// It is not what was started, and will never be.
    Wrong(String),
}

impl From<Look> for Probe {
    fn from(look: Look) -> Self {
        match look {
            Look::Silent(why) => Self::NotYet(why),
            Look::Waiting { identity, .. } => Self::At {
                stage: Stage::Answering,
                identity: Some(identity),
            },
            Look::Serving { identity } => Self::At {
                stage: Stage::Ready,
                identity: Some(identity),
            },
            Look::Wrong(why) => Self::Hopeless(why),
        }
    }
}

/// `GET /_admin/status`, of which the parts that matter here are in every 3.12.
#[derive(Debug, Deserialize)]
struct Status {
    pid: u32,
    #[serde(rename = "serverInfo")]
    server: ServerInfo,
}

#[derive(Debug, Deserialize)]
struct ServerInfo {
    role: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    maintenance: bool,
    #[serde(default)]
    progress: Progress,
}

#[derive(Debug, Default, Deserialize)]
struct Progress {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    feature: String,
}

/// Looks once.
pub(crate) async fn look(view: &View, server: &ServerKey) -> Look {
    let client = ArangoClient::superuser_at(view, server).with_limit(LIMIT);
    let expected = view
        .places
        .get(server)
        .and_then(|place| Role::of_name(&place.role));
    match client.version().await {
        Ok(version) if version.server == "arango" => {}
        Ok(version) => return not_arangodb(&version),
        Err(error) => return refused(&error),
    }
    let status: Status = match client.call(Request::get("/_admin/status")).await {
        Ok(status) => status,
        Err(error) => return refused(&error),
    };
    let Some(role) = expected else {
        return Look::Wrong(format!("{server} is not in the plan"));
    };
    if let Some(look) = judge(&status, role) {
        return look;
    }
    let identity = Identity::Pid(status.pid);
    if role == Role::Agent
        && let Some(why) = lacks_a_leader(&client).await
    {
        return Look::Waiting { identity, why };
    }
    match client
        .ask(Request::get("/_admin/server/availability"))
        .await
    {
        Ok(_) => Look::Serving { identity },
        Err(error) => Look::Waiting {
            identity,
            why: reason(&error),
        },
    }
}

/// Why an agent is of no use yet: it knows no leader (`testutils/agency.js`).
async fn lacks_a_leader(client: &ArangoClient) -> Option<String> {
    let config = client.call(Request::get("/_api/agency/config")).await;
    match config {
        Ok(config) => {
            let config: AgentConfig = config;
            let none = config.leader().is_none();
            none.then(|| format!("it has no leader in term {}", config.term))
        }
        Err(error) => Some(reason(&error)),
    }
}

/// What the status alone decides.
fn judge(status: &Status, expected: Role) -> Option<Look> {
    let server = &status.server;
    // Before the role is decided, a server calls it UNDEFINED.
    if server.role != "UNDEFINED" && server.role != expected.on_the_server() {
        return Some(Look::Wrong(format!(
            "it runs as {}, not as {}",
            server.role,
            expected.on_the_server()
        )));
    }
    let why = match server.state.as_str() {
        "SHUTDOWN" => return Some(Look::Silent("it is shutting down".to_owned())),
        "SERVING" if !server.maintenance => return None,
        "SERVING" => "it is in maintenance mode".to_owned(),
        state => {
            let Progress { phase, feature } = &server.progress;
            let words = [
                "it is in the state",
                state,
                phase.as_str(),
                feature.as_str(),
            ];
            words
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        }
    };
    Some(Look::Waiting {
        identity: Identity::Pid(status.pid),
        why,
    })
}

fn not_arangodb(version: &Version) -> Look {
    Look::Wrong(format!("it is {}, not ArangoDB", version.server))
}

/// A look that found no usable answer.
fn refused(error: &ArangoError) -> Look {
    match error.status() {
        // The key is known to this deployment's servers only.
        Some(401) => Look::Waiting {
            identity: Identity::Ours(false),
            why: "it rejects the token of this deployment".to_owned(),
        },
        _ => Look::Silent(reason(error)),
    }
}

/// An error without method and path, which the reader of a health table knows.
pub(crate) fn reason(error: &ArangoError) -> String {
    match error {
        ArangoError::Server {
            status, message, ..
        } => format!("HTTP {status}: {message}"),
        ArangoError::Transport(error) if error.is_refused() => "connection refused".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::recorded;
    use crate::scripted::{answer, run};

    fn status(role: &str, state: &str, maintenance: bool) -> String {
        format!(
            r#"{{"server":"arango","pid":335,"serverInfo":{{"role":"{role}","state":"{state}","maintenance":{maintenance},
            "progress":{{"phase":"in prepare","feature":"RocksDBEngine"}}}}}}"#
        )
    }

    const VERSION: &str = r#"{"server":"arango","license":"community","version":"3.12.10"}"#;
    const UNAVAILABLE: &str = r#"{"error":true,"code":503,"errorNum":503,"errorMessage":"service unavailable due to startup or maintenance mode"}"#;

    fn looked(answers: Vec<Vec<u8>>) -> Look {
        run(answers, async |view| look(&view, &"single-1".into()).await).0
    }

    #[test]
    fn the_stages_of_a_start() {
        let pid = Identity::Pid(335);
        assert_eq!(
            looked(vec![answer(503, UNAVAILABLE)]),
            Look::Silent("HTTP 503: service unavailable due to startup or maintenance mode".into())
        );
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &status("UNDEFINED", "STARTUP", true))
            ]),
            Look::Waiting {
                identity: pid.clone(),
                why: "it is in the state STARTUP in prepare RocksDBEngine".into()
            }
        );
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &status("SINGLE", "SERVING", true))
            ]),
            Look::Waiting {
                identity: pid.clone(),
                why: "it is in maintenance mode".into()
            }
        );
        let serving = status("SINGLE", "SERVING", false);
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &serving),
                answer(503, UNAVAILABLE)
            ]),
            Look::Waiting {
                identity: pid.clone(),
                why: "HTTP 503: service unavailable due to startup or maintenance mode".into()
            }
        );
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &serving),
                answer(200, r#"{"error":false,"code":200,"mode":"default"}"#)
            ]),
            Look::Serving { identity: pid }
        );
    }

    #[test]
    fn an_agent_is_ready_when_it_knows_a_leader() {
        let looked = |leader: &str| {
            let config =
                format!(r#"{{"term":2,"leaderId":"{leader}","configuration":{{"id":"AGNT-1"}}}}"#);
            let mut answers = vec![
                answer(200, VERSION),
                answer(200, &status("AGENT", "SERVING", false)),
                answer(200, &config),
            ];
            if !leader.is_empty() {
                answers.push(answer(200, r#"{"mode":"default"}"#));
            }
            let view = crate::system::tests::cluster_view(1, 1, 1);
            let look = async |view: View| look(&view, &"agent-1".into()).await;
            crate::scripted::run_as(view, answers, look).0
        };
        let identity = Identity::Pid(335);
        let why = "it has no leader in term 2".into();
        let waiting = Look::Waiting {
            identity: identity.clone(),
            why,
        };
        assert_eq!(looked(""), waiting);
        assert_eq!(looked("AGNT-2"), Look::Serving { identity });
    }

    #[test]
    fn nobody_somebody_else_and_the_wrong_one() {
        assert_eq!(looked(vec![]), Look::Silent("connection refused".into()));
        let unauthorized =
            r#"{"error":true,"code":401,"errorNum":11,"errorMessage":"not authorized"}"#;
        assert!(matches!(
            looked(vec![answer(401, unauthorized)]),
            Look::Waiting {
                identity: Identity::Ours(false),
                ..
            }
        ));
        assert_eq!(
            looked(vec![answer(200, r#"{"server":"other","version":"1"}"#)]),
            Look::Wrong("it is other, not ArangoDB".into())
        );
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &status("COORDINATOR", "SERVING", false))
            ]),
            Look::Wrong("it runs as COORDINATOR, not as SINGLE".into())
        );
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &status("SINGLE", "SHUTDOWN", false))
            ]),
            Look::Silent("it is shutting down".into())
        );
    }

    #[test]
    fn a_recorded_status_is_read() {
        let (_, response) = recorded("status-of-a-coordinator", 0);
        let status: Status = response.json().unwrap();
        assert_eq!(status.pid, 335);
        assert_eq!(judge(&status, Role::Coordinator), None);
        assert!(matches!(judge(&status, Role::Single), Some(Look::Wrong(_))));
    }
}
