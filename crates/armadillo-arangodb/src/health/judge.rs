//! What the answers of all servers of a cluster mean: a state for each planned server, and the agency's leader.

use std::collections::BTreeMap;

use armadillo_orchestrator::health::Part;
use armadillo_orchestrator::{Health, ServerKey, State};

use super::{AGENCY, state_of};
use crate::agency::{self, AgentConfig, Leadership};
use crate::members::{Member, ServerStatus};
use crate::probe::Look;

/// Everything that was seen at one time.
pub(super) struct Seen {
    /// What each planned agent says.
    pub(super) agents: Vec<agency::Look>,
    /// How each other planned server is.
    pub(super) others: Vec<(ServerKey, Look)>,
    /// What the supervision says of the others, or why nobody says it.
    pub(super) members: Result<Vec<Member>, String>,
    /// How each shard is, or why nobody says it.
    pub(super) parts: Result<BTreeMap<String, Part>, String>,
}

/// The health of the whole.
pub(super) fn judge(seen: &Seen) -> Health {
    let leader = agency::agreed(&seen.agents);
    let answers = || {
        let answers = seen.agents.iter();
        answers.filter_map(|look| look.config.as_ref().ok())
    };
    let newest = answers().map(|config| config.term).max();
    let agents = seen.agents.iter().map(|look| {
        let state = match &look.config {
            Err(why) => (State::Failed, why.clone()),
            Ok(config) => agent(config, newest, leader.as_ref()),
        };
        (look.server.clone(), state)
    });
    let others = seen.others.iter().map(|(server, look)| {
        let state = supervised(server, state_of(look.clone()), &seen.members);
        (server.clone(), state)
    });
    let mut complaints = Vec::new();
    if let [one, other, ..] = agency::rivals(&seen.agents)[..] {
        complaints.push(format!(
            "{one} and {other} both lead the agency in term {}",
            newest.unwrap_or_default()
        ));
    }
    let parts = match &seen.parts {
        Ok(parts) => parts.clone(),
        Err(why) => {
            // Without a leader there is no answer, and that is said of the agency.
            if leader.is_some() {
                complaints.push(format!("cannot find out which shards are in sync: {why}"));
            }
            BTreeMap::new()
        }
    };
    Health {
        servers: agents.chain(others).collect(),
        leaders: BTreeMap::from([(AGENCY.to_owned(), leader.map(|leader| leader.server))]),
        terms: newest
            .map(|term| (AGENCY.to_owned(), term))
            .into_iter()
            .collect(),
        parts,
        complaints,
    }
}

/// How an agent is that answers. While the agency has no leader, that is said of the agency, not of each agent.
fn agent(
    config: &AgentConfig,
    newest: Option<u64>,
    leader: Option<&Leadership>,
) -> (State, String) {
    if let Some(newest) = newest
        && config.term < newest
    {
        let own = config.term;
        let why = format!("it is in term {own}, others are in term {newest}");
        return (State::Degraded, why);
    }
    match (config.leader(), leader) {
        (_, None) => (State::Good, String::new()),
        (Some(named), Some(leader)) if named == leader.id => (State::Good, String::new()),
        (Some(named), Some(_)) => {
            let why = format!("it names {named} as leader, but a majority does not");
            (State::Degraded, why)
        }
        (None, Some(_)) => (State::Degraded, "it has no leader".into()),
    }
}

/// How a server is that was looked at, given what the supervision says: it is good if both are.
fn supervised(
    server: &ServerKey,
    looked: (State, String),
    members: &Result<Vec<Member>, String>,
) -> (State, String) {
    if looked.0 != State::Good {
        return looked;
    }
    let members = match members {
        Ok(members) => members,
        Err(why) => {
            let why = format!("it responds, but its state in the supervision is unknown: {why}");
            return (State::Degraded, why);
        }
    };
    let mut known = members
        .iter()
        .filter(|member| member.server.as_ref() == Some(server));
    match known.next_back() {
        None => (State::Degraded, "the cluster does not know it yet".into()),
        Some(member) => match member.status {
            ServerStatus::Good => looked,
            status @ ServerStatus::Failed => (State::Failed, said(status)),
            status => (State::Degraded, said(status)),
        },
    }
}

fn said(status: ServerStatus) -> String {
    format!("it responds, but the supervision reports {status}")
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Identity;
    use serde_json::json;

    use super::*;

    fn config(number: u32, leader: u32, term: u64) -> Result<AgentConfig, String> {
        let mut config = json!({
            "term": term, "leaderId": "", "configuration": {"id": format!("AGNT-{number}")},
        });
        if leader != 0 {
            config["leaderId"] = format!("AGNT-{leader}").into();
        }
        if leader == number {
            config["lastAcked"] = json!({});
        }
        serde_json::from_value(config).map_err(|error| error.to_string())
    }

    /// Agents that say this, and one dbserver that serves.
    fn seen(said: &[Option<(u32, u64)>], status: Option<ServerStatus>) -> Seen {
        let agents = (1..).zip(said).map(|(number, said)| agency::Look {
            server: ServerKey::numbered("agent", number),
            config: match said {
                Some((leader, term)) => config(number, *leader, *term),
                None => Err("connection refused".into()),
            },
        });
        let member = |status| Member {
            id: "PRMR-1".into(),
            server: Some("dbserver-1".into()),
            short_name: "DBServer0001".into(),
            status,
            endpoint: "tcp://127.0.0.1:10002".into(),
            can_be_deleted: false,
            version: String::new(),
            last_heartbeat: None,
        };
        let serving = Look::Serving {
            identity: Identity::Pid(1),
        };
        Seen {
            agents: agents.collect(),
            others: vec![("dbserver-1".into(), serving)],
            members: Ok(status.map(member).into_iter().collect()),
            parts: Ok(BTreeMap::new()),
        }
    }

    const GOOD: Option<ServerStatus> = Some(ServerStatus::Good);

    #[test]
    fn a_cluster_is_good_when_all_agents_name_one_leader_and_the_rest_is_supervised() {
        let health = judge(&seen(&[Some((2, 5)), Some((2, 5)), Some((2, 5))], GOOD));
        assert!(health.is_good(), "{health}");
        assert_eq!(health.leader(AGENCY), Some(&"agent-2".into()));
        assert_eq!(health.terms[AGENCY], 5);
        assert_eq!(health.percent(), 100);
    }

    #[test]
    fn two_of_three_agents_dead() {
        let health = judge(&seen(&[Some((0, 6)), None, None], GOOD));
        assert_eq!(
            health.missing(),
            [
                "agent-2 is failed: connection refused",
                "agent-3 is failed: connection refused",
                "agency has no leader",
            ]
        );
        let believes = judge(&seen(&[Some((1, 5)), None, None], GOOD));
        assert_eq!(believes.leader(AGENCY), None, "nobody else names it");
        assert_eq!(believes.servers[&"agent-1".into()].0, State::Good);
    }

    #[test]
    fn a_shard_that_is_not_in_sync_is_named() {
        let mut seen = seen(&[Some((1, 1))], GOOD);
        let part = Part {
            leader: Some("dbserver-1".into()),
            behind: ["dbserver-2".into()].into(),
            ..Part::default()
        };
        seen.parts = Ok([("shard s8 of db/docs".to_owned(), part)].into());
        let health = judge(&seen);
        assert_eq!(
            health.missing(),
            ["shard s8 of db/docs: dbserver-2 not in sync"]
        );
        assert_eq!(health.led_by(&"dbserver-1".into()), ["shard s8 of db/docs"]);
        seen.parts = Err("no answer".into());
        assert_eq!(
            judge(&seen).missing(),
            ["cannot find out which shards are in sync: no answer"]
        );
    }

    #[test]
    fn one_dead_agent_is_missing_and_the_others_are_good() {
        let health = judge(&seen(&[None, Some((2, 6)), Some((2, 6))], GOOD));
        assert_eq!(health.missing(), ["agent-1 is failed: connection refused"]);
    }

    #[test]
    fn an_agent_of_an_older_term_is_degraded() {
        let health = judge(&seen(&[Some((1, 5)), Some((3, 6)), Some((3, 6))], GOOD));
        assert_eq!(
            health.missing(),
            ["agent-1 is degraded: it is in term 5, others are in term 6"]
        );
    }

    #[test]
    fn an_agent_that_does_not_name_the_leader_is_degraded() {
        let health = judge(&seen(&[Some((0, 6)), Some((2, 6)), Some((2, 6))], GOOD));
        assert_eq!(health.missing(), ["agent-1 is degraded: it has no leader"]);
        let health = judge(&seen(&[Some((3, 6)), Some((2, 6)), Some((2, 6))], GOOD));
        assert_eq!(
            health.missing(),
            ["agent-1 is degraded: it names AGNT-3 as leader, but a majority does not"]
        );
    }

    #[test]
    fn two_leaders_in_one_term_are_complained_of() {
        let health = judge(&seen(&[Some((1, 6)), Some((2, 6)), Some((2, 6))], GOOD));
        assert_eq!(
            health.complaints,
            ["agent-1 and agent-2 both lead the agency in term 6"]
        );
        assert_eq!(health.leader(AGENCY), None);
    }

    #[test]
    fn what_answers_is_good_only_if_the_supervision_says_so() {
        let state =
            |status| judge(&seen(&[Some((1, 1))], status)).servers[&"dbserver-1".into()].clone();
        assert_eq!(state(GOOD).0, State::Good);
        assert_eq!(state(Some(ServerStatus::Bad)).0, State::Degraded);
        assert_eq!(
            state(Some(ServerStatus::Failed)),
            (
                State::Failed,
                "it responds, but the supervision reports FAILED".into()
            )
        );
        assert_eq!(state(None).1, "the cluster does not know it yet");
        let mut unsaid = seen(&[Some((1, 1))], GOOD);
        unsaid.members = Err("connection refused".into());
        let state = judge(&unsaid).servers[&"dbserver-1".into()].clone();
        assert_eq!(state.0, State::Degraded);
        let mut silent = seen(&[Some((1, 1))], GOOD);
        silent.others[0].1 = Look::Silent("connection refused".into());
        let state = judge(&silent).servers[&"dbserver-1".into()].clone();
        assert_eq!(state, (State::Failed, "connection refused".into()));
    }
}
