//! The servers of a cluster behind the coordinators that the settings name, as one of these knows them, and whether they can
//! be asked from here.
//!
//! `GET /_admin/cluster/health` has everything that the supervision ever heard of: agents with the role `Agent`, others with
//! `DBServer` or `Coordinator`, and servers that are long gone as `FAILED`. Agents and dbservers know no users: where there is
//! authentication, they accept nothing but a superuser's token.

use std::collections::BTreeMap;

use armadillo_orchestrator::join::join_all;
use armadillo_orchestrator::{AttachError, Attachment, ServerKey};
use serde::Deserialize;

use super::Asked;
use crate::agency::AgentConfig;
use crate::members::Entry;
use crate::role::Role;

/// `GET /_admin/cluster/health`
#[derive(Deserialize)]
pub(crate) struct Health {
    /// The cluster's id.
    #[serde(rename = "ClusterId")]
    pub(super) cluster: String,
    #[serde(rename = "Health", default)]
    servers: BTreeMap<String, Entry>,
}

/// `GET /_admin/server/id`
#[derive(Deserialize)]
struct ServerId {
    id: String,
}

/// `GET /_admin/server/databaseDefaults`. A cluster of one dbserver may have a word there.
#[derive(Deserialize)]
struct Defaults {
    #[serde(rename = "replicationFactor")]
    copies: u32,
}

/// A server that the cluster knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) role: Role,
    pub(super) id: String,
    /// Where its peers reach it: `tcp://127.0.0.1:4711`.
    pub(super) endpoint: String,
}

impl Known {
    /// `host:port`, if it speaks TLS or does not, as asked for.
    fn address(&self, encrypted: bool) -> Option<&str> {
        let (scheme, address) = self.endpoint.split_once("://")?;
        let fits = match encrypted {
            true => matches!(scheme, "ssl" | "https"),
            false => matches!(scheme, "tcp" | "http"),
        };
        fits.then_some(address)
    }
}

impl Health {
    /// The servers that are there, role by role and in the order of their short names.
    pub(super) fn known(&self) -> Vec<Known> {
        let mut all: Vec<(Role, &str, &String, &Entry)> = Vec::new();
        for (id, entry) in &self.servers {
            let role = match entry.role.to_ascii_lowercase().as_str() {
                "agent" => Role::Agent,
                "dbserver" => Role::DbServer,
                "coordinator" => Role::Coordinator,
                _ => continue,
            };
            // An agent that does not answer counts: the others need it for their majority.
            if role == Role::Agent || !entry.is_failed() {
                all.push((role, &entry.short_name, id, entry));
            }
        }
        all.sort_by_key(|(role, short_name, id, _)| (role.name(), *short_name, *id));
        let known = all.into_iter().map(|(role, _, id, entry)| Known {
            role,
            id: id.clone(),
            endpoint: entry.endpoint.clone(),
        });
        known.collect()
    }
}

/// A server of the cluster that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: ServerKey,
    /// Where it is reached from here.
    pub(super) address: String,
    /// Where its peers reach it.
    pub(super) advertised: Option<String>,
}

/// A cluster as far as it can be used.
pub(super) struct Found {
    /// All servers, or the coordinators alone.
    pub(super) members: Vec<Member>,
    pub(super) agents: usize,
    pub(super) dbservers: usize,
    pub(super) coordinators: usize,
    /// How many copies a shard has unless its collection says otherwise, if the coordinators tell.
    pub(super) copies: Option<u32>,
    /// Why agents and dbservers cannot be used.
    pub(super) left_out: Option<String>,
}

/// Looks at every server that the cluster knows, beside the coordinators that the settings name.
pub(super) async fn find(health: &Health, at: &Attachment) -> Result<Found, AttachError> {
    let (given, encrypted) = (&at.addresses, at.encrypted);
    let known = health.known();
    let mut coordinators: Vec<(String, String, Option<String>)> = Vec::new();
    for address in given {
        let asked = Asked::new(address, at);
        let ServerId { id } = asked.read("/_admin/server/id").await?;
        let entry = known.iter().find(|known| known.id == id);
        let advertised = entry
            .and_then(|known| known.address(encrypted))
            .map(str::to_owned);
        // Two addresses of one server are one coordinator.
        if !coordinators.iter().any(|(known, ..)| *known == id) {
            coordinators.push((id, address.clone(), advertised));
        }
    }
    let of = |role: Role| known.iter().filter(move |known| known.role == role);
    let others =
        of(Role::Coordinator).filter(|known| !coordinators.iter().any(|(id, ..)| *id == known.id));
    let looks = join_all(others.map(|known| async move { (known, check(known, at).await) }));
    for (known, look) in looks.await {
        if let (Ok(()), Some(address)) = (look, known.address(encrypted)) {
            coordinators.push((
                known.id.clone(),
                address.to_owned(),
                Some(address.to_owned()),
            ));
        }
    }
    let defaults: Result<Defaults, _> = match given.first() {
        Some(first) => {
            Asked::new(first, at)
                .read("/_admin/server/databaseDefaults")
                .await
        }
        None => Err(AttachError::at("", "no address is given", "")),
    };
    let (agents, dbservers) = (of(Role::Agent).count(), of(Role::DbServer).count());
    let looks = join_all(
        of(Role::Agent)
            .chain(of(Role::DbServer))
            .map(|known| check(known, at)),
    );
    let mut left_out = looks.await.into_iter().find_map(Result::err);
    if agents == 0 || dbservers == 0 {
        left_out = Some("the coordinators do not know them".to_owned());
    }
    let mut members = Vec::new();
    if left_out.is_none() {
        for role in [Role::Agent, Role::DbServer] {
            for (number, known) in (1..).zip(of(role)) {
                let address = known.address(encrypted).unwrap_or_default().to_owned();
                members.push(Member {
                    key: ServerKey::numbered(role.name(), number),
                    address,
                    advertised: None,
                });
            }
        }
    }
    let count = coordinators.len();
    for (number, (_, address, advertised)) in (1..).zip(coordinators) {
        members.push(Member {
            key: ServerKey::numbered(Role::Coordinator.name(), number),
            address,
            advertised,
        });
    }
    Ok(Found {
        members,
        agents,
        dbservers,
        coordinators: count,
        copies: defaults.ok().map(|defaults| defaults.copies),
        left_out,
    })
}

/// Whether the server that the cluster knows is the one at its address, and can be asked with this login.
async fn check(known: &Known, at: &Attachment) -> Result<(), String> {
    let (name, endpoint) = (known.role.name(), &known.endpoint);
    let Some(address) = known.address(at.encrypted) else {
        return Err(match at.encrypted {
            true => format!("the {name} at {endpoint} does not use TLS, as these addresses do"),
            false => format!("the {name} at {endpoint} uses TLS: give addresses with https://"),
        });
    };
    let path = match known.role {
        Role::Agent => "/_api/agency/config",
        _ => "/_admin/server/id",
    };
    let response = match Asked::new(address, at).send(path).await {
        Ok(response) => response,
        Err(error) => {
            return Err(format!(
                "the {name} at {endpoint} cannot be used: {}",
                error.says
            ));
        }
    };
    if response.status == 401 {
        return Err("they accept only a superuser's token".to_owned());
    }
    let id = match known.role {
        Role::Agent => response
            .json()
            .map(|config: AgentConfig| config.id().to_owned()),
        _ => response.json().map(|answer: ServerId| answer.id),
    };
    match id {
        Ok(id) if id == known.id => Ok(()),
        Ok(id) => Err(format!(
            "at {endpoint}, {id} answers instead of {}",
            known.id
        )),
        Err(_) => {
            let status = response.status;
            Err(format!(
                "the {name} at {endpoint} responds with HTTP {status} to GET {path}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_not_counted_and_the_rest_has_an_order() {
        let health = r#"{"ClusterId": "c", "Health": {
            "PRMR-a": {"Role": "DBServer", "ShortName": "DBServer0002", "Endpoint": "tcp://h:2", "Status": "GOOD"},
            "PRMR-b": {"Role": "DBServer", "ShortName": "DBServer0001", "Endpoint": "ssl://h:1", "Status": "BAD"},
            "PRMR-c": {"Role": "DBServer", "ShortName": "DBServer0003", "Endpoint": "tcp://h:3", "Status": "FAILED"},
            "CRDN-a": {"Role": "Coordinator", "ShortName": "Coordinator0001", "Endpoint": "tcp://h:4", "Status": "GOOD"},
            "AGNT-a": {"Role": "Agent", "Endpoint": "tcp://h:5", "Status": "BAD", "Leading": false},
            "NEW-a": {"Role": "Gateway", "Endpoint": "tcp://h:6", "Status": "GOOD"}
        }}"#;
        let health: Health = serde_json::from_str(health).unwrap();
        let known = health.known();
        let ids: Vec<&str> = known.iter().map(|known| known.id.as_str()).collect();
        assert_eq!(ids, ["AGNT-a", "CRDN-a", "PRMR-b", "PRMR-a"]);
        assert_eq!(known[2].address(false), None);
        assert_eq!(known[2].address(true), Some("h:1"));
        assert_eq!(known[3].address(false), Some("h:2"));
    }
}
