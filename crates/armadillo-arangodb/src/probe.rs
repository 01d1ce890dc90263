//! One look at a server that was started, and what it says of itself.
//!
//! The stages of a start as seen from outside. At first nobody listens. With `--server.early-connections`, `/_api/version` and
//! `/_admin/status` answer a superuser from the first moments on, and everything else is 503; without it, or in an older
//! server, they come later. While it boots, `serverInfo.maintenance` is true and the rest is 503 (`CommTask.cpp`). At last
//! `/_admin/server/availability` is 200, and an agent knows a leader.
//!
//! `serverInfo.state` is there on coordinators and dbservers only, and not from the beginning (`RestStatusHandler.cpp`): where
//! it is, it counts. Coordinators and single servers are available a moment before they know their users
//! (`BootstrapFeature.cpp`); only their log says when they do ([`ready_message`]).

use std::time::Duration;

use armadillo_orchestrator::{Identity, Probe, Request, ServerKey, Stage, View};
use serde::Deserialize;

use crate::agency::AgentConfig;
use crate::client::{ArangoClient, ArangoError, Version};
use crate::options::ServerOption;
use crate::role::Role;

/// How long one request of a look may take. A server that is slower than that is not there yet.
const LIMIT: Duration = Duration::from_secs(2);

/// What a server logs at the very end of its boot, after it has loaded its users: "is ready for business".
const READY: &str = "cf3f4";

/// What one look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing answers, or nothing that can be used.
    Silent(String),
    /// Somebody answers, but not as a server of this deployment that has come far enough would. It may be one that has not.
    Stranger(String),
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
            Look::Stranger(why) => Self::At {
                stage: Stage::Started,
                identity: None,
                missing: why,
            },
            Look::Waiting { identity, why } => Self::At {
                stage: Stage::Answering,
                identity: Some(identity),
                missing: why,
            },
            Look::Serving { identity } => Self::At {
                stage: Stage::Ready,
                identity: Some(identity),
                missing: String::new(),
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
    state: Option<String>,
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
    let ServerInfo {
        role,
        state,
        maintenance,
        progress,
    } = &status.server;
    let waiting = |why: String| {
        let identity = Identity::Pid(status.pid);
        Some(Look::Waiting { identity, why })
    };
    let ends = ["SHUTDOWN", "STOPPING", "STOPPED"];
    if state.as_deref().is_some_and(|state| ends.contains(&state)) || progress.is_the_end() {
        return Some(Look::Silent("it is shutting down".to_owned()));
    }
    if *maintenance {
        let Progress { phase, feature } = progress;
        let words = ["it is in maintenance mode", phase.as_str(), feature];
        let words = words.into_iter().filter(|word| !word.is_empty());
        return waiting(words.collect::<Vec<_>>().join(" "));
    }
    // While a server starts, its role may not be decided.
    if role != expected.on_the_server() {
        let expected = expected.on_the_server();
        let why = format!("it runs as {role}, not as {expected}");
        return match role.as_str() {
            "UNDEFINED" => waiting(why),
            _ => Some(Look::Wrong(why)),
        };
    }
    match state.as_deref() {
        None | Some("SERVING") => None,
        Some(state) => waiting(format!("it is in the state {state}")),
    }
}

impl Progress {
    /// Whether the server stops. Those without a state say it nowhere else.
    fn is_the_end(&self) -> bool {
        ["in shutdown", "in stop", "in unprepare"].contains(&self.phase.as_str())
    }
}

/// The message that a server logs when it knows its users. There is none of servers that know no users, nor where the
/// options keep it from being logged.
pub(crate) fn ready_message(view: &View, server: &ServerKey) -> Option<&'static str> {
    let place = view.places.get(server)?;
    let role = Role::of_name(&place.role)?;
    let options = view.topology.options.iter();
    let options = options.map(|(name, value)| ServerOption::new(name, value));
    let (mut has_ids, mut is_logged) = (true, true);
    for ServerOption { name, value, .. } in options.filter(|option| option.is_for(role)) {
        match (name.as_str(), value.split_once('=')) {
            ("log.ids", _) => has_ids = value != "false",
            ("log.level", None) => is_logged = shows_info(&value),
            ("log.level", Some(("general" | "all", level))) => is_logged = shows_info(level),
            _ => {}
        }
    }
    let has_users = matches!(role, Role::Single | Role::Coordinator);
    (has_users && has_ids && is_logged).then_some(READY)
}

fn shows_info(level: &str) -> bool {
    let level = level.trim().to_ascii_lowercase();
    ["info", "debug", "trace", "default"].contains(&level.as_str())
}

fn not_arangodb(version: &Version) -> Look {
    Look::Wrong(format!("it is {}, not ArangoDB", version.server))
}

/// A look that found no usable answer.
fn refused(error: &ArangoError) -> Look {
    match error {
        // A server that starts may not know the key yet. Another deployment's never will, and listens elsewhere.
        ArangoError::Server { status: 401, .. } => {
            Look::Stranger("it rejects the token of this deployment".to_owned())
        }
        ArangoError::Answer { .. } => Look::Stranger(reason(error)),
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

    /// The status of a server: `state` where it has one.
    fn status(role: &str, state: Option<&str>, maintenance: bool) -> String {
        let state = state.map_or(String::new(), |state| format!(r#""state":"{state}","#));
        format!(
            r#"{{"server":"arango","pid":335,"serverInfo":{{"role":"{role}",{state}"maintenance":{maintenance},
            "progress":{{"phase":"in prepare","feature":"RocksDBEngine"}}}}}}"#
        )
    }

    const VERSION: &str = r#"{"server":"arango","license":"community","version":"3.12.10"}"#;
    const UNAVAILABLE: &str = r#"{"error":true,"code":503,"errorNum":503,"errorMessage":"service unavailable due to startup or maintenance mode"}"#;
    const AVAILABLE: &str = r#"{"error":false,"code":200,"mode":"default"}"#;

    fn looked(answers: Vec<Vec<u8>>) -> Look {
        run(answers, async |view| look(&view, &"single-1".into()).await).0
    }

    fn waiting(why: &str) -> Look {
        Look::Waiting {
            identity: Identity::Pid(335),
            why: why.to_owned(),
        }
    }

    #[test]
    fn the_stages_of_a_start() {
        assert_eq!(
            looked(vec![answer(503, UNAVAILABLE)]),
            Look::Silent("HTTP 503: service unavailable due to startup or maintenance mode".into())
        );
        let status_is = |status: &str| vec![answer(200, VERSION), answer(200, status)];
        let boots = "it is in maintenance mode in prepare RocksDBEngine";
        for role in ["UNDEFINED", "SINGLE", "COORDINATOR"] {
            assert_eq!(looked(status_is(&status(role, None, true))), waiting(boots));
        }
        assert_eq!(
            looked(status_is(&status("UNDEFINED", None, false))),
            waiting("it runs as UNDEFINED, not as SINGLE")
        );
        let serving = || status_is(&status("SINGLE", None, false));
        assert_eq!(
            looked([serving(), vec![answer(503, UNAVAILABLE)]].concat()),
            waiting("HTTP 503: service unavailable due to startup or maintenance mode")
        );
        for mode in ["default", "readonly"] {
            let available = AVAILABLE.replace("default", mode);
            assert_eq!(
                looked([serving(), vec![answer(200, &available)]].concat()),
                Look::Serving {
                    identity: Identity::Pid(335)
                }
            );
        }
    }

    #[test]
    fn a_state_counts_where_there_is_one() {
        let judged = |state: Option<&str>, maintenance| {
            let status = status("PRIMARY", state, maintenance);
            judge(&serde_json::from_str(&status).unwrap(), Role::DbServer)
        };
        assert_eq!(judged(None, false), None);
        assert_eq!(judged(Some("SERVING"), false), None);
        assert_eq!(
            judged(Some("STARTUP"), false),
            Some(waiting("it is in the state STARTUP"))
        );
        let boots = "it is in maintenance mode in prepare RocksDBEngine";
        assert_eq!(judged(Some("SERVING"), true), Some(waiting(boots)));
        for state in ["SHUTDOWN", "STOPPING", "STOPPED"] {
            let ends = Some(Look::Silent("it is shutting down".into()));
            assert_eq!(judged(Some(state), false), ends);
        }
        let stopping = status("SINGLE", None, false).replace("in prepare", "in stop");
        assert_eq!(
            judge(&serde_json::from_str(&stopping).unwrap(), Role::Single),
            Some(Look::Silent("it is shutting down".into()))
        );
    }

    #[test]
    fn servers_with_users_say_in_their_log_when_they_know_them() {
        let with = |server: &str, options: &[(&str, &str)]| {
            let mut view = crate::system::tests::cluster_view(1, 1, 1);
            let options = options.iter().map(|(name, value)| (*name, *value));
            let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
            view.topology.options.extend(options);
            ready_message(&view, &server.into())
        };
        let message = |server: &str, level: Option<&str>| {
            let level = level.map(|level| ("log.level", level));
            with(server, level.as_slice())
        };
        assert_eq!(with("coordinator-1", &[("log.ids", "false")]), None);
        let of_others = [("dbserver.log.level", "error")];
        assert_eq!(with("coordinator-1", &of_others), Some("cf3f4"));
        assert_eq!(message("coordinator-1", None), Some("cf3f4"));
        assert_eq!(message("agent-1", None), None);
        assert_eq!(message("dbserver-1", None), None);
        for (level, is_logged) in [
            ("queries=error", true),
            ("general=debug", true),
            ("general=warning", false),
            ("error", false),
            ("TRACE", true),
        ] {
            let expected = is_logged.then_some("cf3f4");
            assert_eq!(message("coordinator-1", Some(level)), expected, "{level}");
        }
    }

    #[test]
    fn an_agent_is_ready_when_it_knows_a_leader() {
        let looked = |leader: &str| {
            let config =
                format!(r#"{{"term":2,"leaderId":"{leader}","configuration":{{"id":"AGNT-1"}}}}"#);
            let mut answers = vec![
                answer(200, VERSION),
                answer(200, &status("AGENT", None, false)),
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
        // Whoever it is, it is asked twice.
        let twice = vec![answer(401, unauthorized), answer(401, unauthorized)];
        assert_eq!(
            looked(twice),
            Look::Stranger("it rejects the token of this deployment".into())
        );
        let page = vec![answer(200, "<html>")];
        assert!(matches!(looked(page), Look::Stranger(_)));
        assert_eq!(
            looked(vec![answer(200, r#"{"server":"other","version":"1"}"#)]),
            Look::Wrong("it is other, not ArangoDB".into())
        );
        assert_eq!(
            looked(vec![
                answer(200, VERSION),
                answer(200, &status("COORDINATOR", Some("SERVING"), false))
            ]),
            Look::Wrong("it runs as COORDINATOR, not as SINGLE".into())
        );
    }

    #[test]
    fn an_early_401_is_repeated() {
        let unauthorized = r#"{"error":true,"code":401,"errorNum":11,"errorMessage":"x"}"#;
        let answers = vec![
            answer(401, unauthorized),
            answer(200, VERSION),
            answer(200, &status("SINGLE", None, false)),
            answer(200, AVAILABLE),
        ];
        assert!(matches!(looked(answers), Look::Serving { .. }));
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
