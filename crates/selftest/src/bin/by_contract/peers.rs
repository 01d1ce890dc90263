//! What the servers of a cluster tell each other. How they do is their own affair; what comes of it is in the agency.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::http::ask;
use crate::phases::Phase;
use crate::{Role, Server};

/// Where members tell agents that they are there.
pub(crate) const BEAT: &str = "/beat";

/// The members that an agent has heard of, by id: role and address.
#[derive(Default)]
pub(crate) struct Members(Mutex<BTreeMap<String, (String, String)>>);

impl Members {
    pub(crate) fn note(&self, body: &[u8]) {
        let told: Option<[String; 3]> = serde_json::from_slice(body).ok();
        if let Some([id, role, address]) = told {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(id, (role, address));
        }
    }

    /// `Supervision/Health`, as a supervision that has seen them writes it.
    pub(crate) fn health(&self) -> Value {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let entries = all.iter().map(|(id, (role, address))| {
            let number = numbers.entry(role.clone()).or_default();
            *number += 1;
            let entry = json!({
                "ShortName": format!("{role}{number:04}"), "Endpoint": format!("tcp://{address}"),
                "Host": "", "SyncStatus": "SERVING", "Status": "GOOD", "Version": "3.12.10", "Engine": "rocksdb",
                "Timestamp": "2026-11-28T12:00:00Z", "SyncTime": "2026-11-28T12:00:00Z",
                "LastAckedTime": "2026-11-28T12:00:00Z",
            });
            (id.clone(), entry)
        });
        Value::Object(entries.collect())
    }
}

/// The id of a server.
pub(crate) fn id(role: Role, address: &str) -> String {
    let kind = match role {
        Role::Single => "SNGL",
        Role::Agent => "AGNT",
        Role::DbServer => "PRMR",
        Role::Coordinator => "CRDN",
    };
    let port = address.rsplit(':').next().unwrap_or_default();
    format!("{kind}-{port}")
}

/// The id of the leading agent: the first of all.
pub(crate) fn leader(server: &Server) -> String {
    let first = server.agents.first();
    first.map_or(String::new(), |address| id(Role::Agent, address))
}

/// A member tells all agents that it is there, again and again.
pub(crate) async fn beat(server: Arc<Server>) {
    let role = match server.role {
        Role::Coordinator => "Coordinator",
        _ => "DBServer",
    };
    let body = json!([server.id(), role, server.address]).to_string();
    let token = token(&server);
    loop {
        if !matches!(
            server.phase(),
            Phase::Closed | Phase::Startup | Phase::Keyless
        ) {
            for agent in &server.agents {
                ask(agent, &format!("POST {BEAT}"), &token, &body).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A token with all rights.
pub(crate) fn token(server: &Server) -> String {
    let claims = json!({"iss": "arangodb", "server_id": server.id()});
    let key = EncodingKey::from_secret(&server.key);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap_or_default()
}
