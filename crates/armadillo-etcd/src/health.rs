//! One look at all members, and what it says of each and of the whole.

use std::time::Duration;

use armadillo_orchestrator::{Client, Health, HttpError, ServerKey, State, View};
use serde_json::json;

use crate::all::all;
use crate::client::wire::{StatusAnswer, decode};
use crate::client::{MemberStatus, session};
use crate::leader::{Look, agreed_leader};

/// The name of the only group of servers with a leader.
pub const GROUP: &str = "raft";

/// Where keys are read, and a key that nobody has, as the gateway takes it: one byte, zero.
const RANGE: &str = "/v3/kv/range";
const NOBODYS_KEY: &str = "AA==";

/// How long a member may take to say how it is. It answers from memory.
const LIMIT: Duration = Duration::from_millis(500);

/// The health of a deployment, now.
pub(crate) async fn health(view: &View) -> Health {
    let looks = all(view.servers().map(|(server, _)| async move {
        Look {
            server: server.clone(),
            status: look(view, server).await,
        }
    }))
    .await;
    judge(&looks)
}

/// A member's status. One that leads is asked for a linearizable read first: the term in a status is that of the newest
/// entry *applied* (`setTerm` in etcd 3.4's `server.go`), so a leader just elected would show the term before its own, and
/// a read is answered only when an entry of its own term has been applied. While something is held on links, the read is left out: the
/// questions it makes the members ask each other are not the test's.
async fn look(view: &View, server: &ServerKey) -> Result<MemberStatus, String> {
    let client = view
        .client(server, "client")
        .ok_or_else(|| "it has no client port".to_owned())?;
    let mut seen = status(view, &client).await?;
    if seen.leads() && !view.held.any() {
        let serves = serves_reads(view, &client).await;
        seen = status(view, &client).await?;
        if !serves {
            seen.leader = None;
        }
    }
    Ok(seen)
}

async fn status(view: &View, client: &Client) -> Result<MemberStatus, String> {
    let asked = session::ask(view, client, "/v3/maintenance/status", &json!({}), LIMIT).await;
    let response = match asked {
        Ok(response) => response,
        Err(error) => return Err(reason(&error)),
    };
    if !response.is_success() {
        return Err(format!("it responds with HTTP {}", response.status));
    }
    let answer: StatusAnswer =
        decode(&response.body).map_err(|why| format!("it is not an etcd server: {why}"))?;
    Ok(answer.into())
}

/// A linearizable read of a key that nobody has. Not `GET /health`: on 3.4 that writes an entry of the old API into the log
/// (`etcdhttp/metrics.go`), because of which 3.6 refuses to start later ("detected disallowed v2 WAL content").
pub(crate) async fn serves_reads(view: &View, client: &Client) -> bool {
    let body = json!({ "key": NOBODYS_KEY });
    let read = session::ask(view, client, RANGE, &body, LIMIT).await;
    // Whether a login may read is looked at after the members have agreed (`Range` in `etcdserver/v3_server.go`).
    read.is_ok_and(|response| response.is_success() || response.status == 403)
}

fn reason(error: &HttpError) -> String {
    if error.is_refused() {
        "nothing is listening on its client port".to_owned()
    } else if error.is_timeout() {
        format!("no response within {LIMIT:.1?}")
    } else {
        error.to_string()
    }
}

/// What the members' answers mean.
fn judge(looks: &[Look]) -> Health {
    let leader = agreed_leader(looks);
    let newest_term = looks
        .iter()
        .filter_map(|look| Some(look.status.as_ref().ok()?.term))
        .max();
    let leader_id = leader.and_then(|(server, _)| {
        let look = looks.iter().find(|look| look.server == *server)?;
        Some(look.status.as_ref().ok()?.id)
    });
    let mut health = Health::default();
    for look in looks {
        let verdict = match &look.status {
            Err(why) => (State::Failed, why.clone()),
            Ok(status) => {
                let complaints = complaints(look, status, newest_term, leader_id);
                if complaints.is_empty() {
                    (State::Good, String::new())
                } else {
                    (State::Degraded, complaints.join("; "))
                }
            }
        };
        health.servers.insert(look.server.clone(), verdict);
    }
    health
        .leaders
        .insert(GROUP.to_owned(), leader.map(|(server, _)| server.clone()));
    if let Some(term) = newest_term {
        health.terms.insert(GROUP.to_owned(), term);
    }
    health
}

/// What keeps a member that answers from being good.
fn complaints(
    look: &Look,
    status: &MemberStatus,
    newest_term: Option<u64>,
    leader: Option<u64>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    if newest_term.is_some_and(|newest| status.term < newest) {
        complaints.push(format!(
            "it is in term {}, others are in term {}",
            status.term,
            newest_term.unwrap_or_default()
        ));
    } else if status.leader.is_none() {
        complaints.push("it has no leader".to_owned());
    } else if leader.is_none() || status.leader != leader {
        complaints.push(format!(
            "{look}, but no majority with that leader confirms it"
        ));
    }
    let known = "etcdserver: no leader";
    complaints.extend(
        status
            .errors
            .iter()
            .filter(|error| error.as_str() != known)
            .cloned(),
    );
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What members say: their number, whom they follow, in which term; `None` for one that does not answer.
    fn judged(said: &[Option<(u64, u64)>]) -> Health {
        let look = |(index, said): (usize, &Option<(u64, u64)>)| {
            let number = u32::try_from(index + 1).unwrap();
            let body = |(leader, term): (u64, u64)| {
                format!(
                    r#"{{"header":{{"member_id":"{number}"}},"leader":"{leader}","raftTerm":"{term}"}}"#
                )
            };
            Look {
                server: ServerKey::numbered("member", number),
                status: match said {
                    None => Err("nothing is listening on its client port".into()),
                    Some(said) => Ok(decode::<StatusAnswer>(body(*said).as_bytes())
                        .unwrap()
                        .into()),
                },
            }
        };
        judge(&said.iter().enumerate().map(look).collect::<Vec<_>>())
    }

    #[test]
    fn all_follow_one() {
        let health = judged(&[Some((2, 5)), Some((2, 5)), Some((2, 5))]);
        assert!(health.is_good(), "{health}");
        assert_eq!(health.leader(GROUP), Some(&"member-2".into()));
        assert_eq!(health.terms[GROUP], 5);
        assert!(judged(&[Some((1, 2))]).is_good());
    }

    #[test]
    fn a_dead_member_is_missing_and_the_rest_may_lead() {
        let health = judged(&[None, Some((2, 6)), Some((2, 6))]);
        assert_eq!(
            health.missing(),
            ["member-1 is failed: nothing is listening on its client port"]
        );
        assert_eq!(health.leader(GROUP), Some(&"member-2".into()));
    }

    #[test]
    fn a_leader_that_does_not_answer_is_none() {
        let health = judged(&[None, Some((1, 5)), Some((1, 5))]);
        assert_eq!(health.leader(GROUP), None);
        assert_eq!(health.servers[&"member-2".into()].0, State::Degraded);
        assert_eq!(health.percent(), 0);
    }

    #[test]
    fn a_member_without_a_leader_is_degraded() {
        let health = judged(&[Some((0, 7)), None, None]);
        assert_eq!(health.leader(GROUP), None);
        assert_eq!(
            health.servers[&"member-1".into()],
            (State::Degraded, "it has no leader".into())
        );
    }

    #[test]
    fn a_leader_without_a_majority_is_none() {
        let health = judged(&[Some((1, 5)), None, None]);
        assert_eq!(health.leader(GROUP), None);
        assert_eq!(health.servers[&"member-1".into()].0, State::Degraded);
    }

    #[test]
    fn what_a_frozen_leader_believes_does_not_count() {
        let health = judged(&[Some((1, 5)), Some((3, 6)), Some((3, 6))]);
        assert_eq!(health.leader(GROUP), Some(&"member-3".into()));
        assert_eq!(health.terms[GROUP], 6);
        assert_eq!(
            health.missing(),
            ["member-1 is degraded: it is in term 5, others are in term 6"]
        );
    }

    #[test]
    fn a_candidate_of_a_newer_term_puts_the_leader_in_doubt() {
        let health = judged(&[Some((1, 5)), Some((1, 5)), Some((0, 6))]);
        assert_eq!(health.leader(GROUP), None);
        assert!(!health.is_good());
    }

    #[test]
    fn an_alarm_degrades() {
        let answer: StatusAnswer = decode(
            br#"{"header":{"member_id":"1"},"leader":"1","raftTerm":"2",
                "errors":["memberID:1 alarm:NOSPACE "]}"#,
        )
        .unwrap();
        let health = judge(&[Look {
            server: "member-1".into(),
            status: Ok(answer.into()),
        }]);
        assert_eq!(
            health.missing(),
            ["member-1 is degraded: memberID:1 alarm:NOSPACE "]
        );
    }
}
