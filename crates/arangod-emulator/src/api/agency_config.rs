//! What `GET /_api/agency/config` says (`AgentConfiguration.cpp` and `Agent.cpp` of
//! arangodb/arangodb; the spelling of the keys is general knowledge).

use serde_json::{Map, Value, json};

use crate::agency::Agent;
use crate::raft::Timing;
use crate::settings::Settings;
use crate::version::{ENGINE, imitated};

/// What an agent says about itself. Only a leader knows how far the others are.
pub(crate) fn config(agent: &Agent, settings: &Settings) -> Value {
    let (term, leader) = agent.leadership();
    let pool: Map<String, Value> = agent.pool(|pool| {
        let endpoint =
            |(id, member): (&String, &crate::agency::Member)| (id.clone(), json!(member.endpoint));
        pool.members().iter().map(endpoint).collect()
    });
    let active: Vec<&String> = pool.keys().collect();
    let Timing { least, most, .. } = agent.settings.timing;
    let supervision = &settings.supervision;
    let size = agent.settings.size;
    let commit = agent.raft(|raft| raft.commit());
    let compacted = agent.raft(|raft| raft.snapshot().index);
    let mut config = json!({
        "term": term,
        "leaderId": leader.unwrap_or_default(),
        "commitIndex": commit,
        "lastCompactionAt": compacted,
        "nextCompactionAfter": compacted + agent.settings.step,
        "configuration": {
            "pool": pool,
            "active": active,
            "id": agent.id,
            "agency size": size,
            "pool size": size,
            "endpoint": agent.settings.endpoint,
            "min ping": least.as_secs_f64(),
            "max ping": most.as_secs_f64(),
            "timeoutMult": 1,
            "supervision": supervision.enabled,
            "supervision frequency": supervision.frequency.as_secs_f64(),
            "supervision grace period": supervision.grace.as_secs_f64(),
            "supervision ok threshold": supervision.ok.as_secs_f64(),
            "compaction step size": agent.settings.step,
            "compaction keep size": agent.settings.keep,
            "version": agent.pool(|pool| pool.members().values().map(|member| member.start).sum::<u64>()),
            "startup": "origin",
        },
        "engine": ENGINE,
        "version": imitated().text,
    });
    if let Some(acked) = last_acked(agent) {
        config["lastAcked"] = acked;
    }
    config
}

fn last_acked(agent: &Agent) -> Option<Value> {
    let now = agent.now();
    agent.raft(|raft| {
        let entry = |ago: f64, index: u64| {
            json!({ "lastAckedTime": ago, "lastAckedIndex": index, "lastAppend": ago })
        };
        let mut acked: Map<String, Value> = raft
            .ledger()?
            .peers
            .iter()
            .map(|(id, peer)| {
                let ago = now.saturating_sub(peer.acked).as_secs_f64();
                (id.clone(), entry(ago, peer.matched))
            })
            .collect();
        // It appends nothing to itself.
        let own = json!({ "lastAckedTime": 0, "lastAckedIndex": raft.last() });
        acked.insert(agent.id.clone(), own);
        Some(Value::Object(acked))
    })
}
