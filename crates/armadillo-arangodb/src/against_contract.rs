//! Every parser against the contract: it reads whatever the tables allow, with optional keys missing and with keys that nobody
//! knows.

use arangod_contract::{Contract, Phase, Role as Kind, Shape};
use armadillo_orchestrator::{Identity, ServerKey, View};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::agency::{AgentConfig, Changes};
use crate::attach::Health;
use crate::client::{Analyzer, ArangoClient, ArangoError, DocumentMeta, ViewInfo};
use crate::members;
use crate::probe::{Look, look};
use crate::scripted::{answer, run, run_as};
use crate::system::tests::{cluster_view, view};

/// So many bodies of each shape.
const BODIES: u32 = 48;

/// Gives `read` bodies of a shape.
fn for_all(shape: &Shape, read: impl Fn(&Value) -> Result<(), String>) {
    let config = Config {
        cases: BODIES,
        failure_persistence: None,
        ..Config::default()
    };
    let found = TestRunner::new(config).run(&shape.answers(), |body| {
        let complaints = shape.complaints(&body);
        // Only what the contract does not know makes a body differ from it.
        prop_assert!(
            complaints.iter().all(|text| text.contains("unknown")),
            "{:?}",
            complaints
        );
        read(&body).map_err(TestCaseError::fail)
    });
    found.unwrap_or_else(|error| panic!("{error}"));
}

/// The shape of the answer of a server that serves.
fn shape_of(method: &str, path: &str, role: Kind, status: u16) -> Shape {
    let contract = Contract::read().unwrap();
    let mut rows = contract.fitting(method, path, role, status);
    let row = rows
        .next()
        .unwrap_or_else(|| panic!("no row for {method} {path}"));
    row.body.clone().unwrap()
}

/// Gives a call of the client the bodies of an answer.
fn call<T>(
    request: (&str, &str, u16),
    role: Kind,
    ask: impl AsyncFn(ArangoClient) -> Result<T, ArangoError>,
) {
    let (method, path, status) = request;
    for_all(&shape_of(method, path, role, status), |body| {
        let answers = vec![answer(status, &body.to_string())];
        let (read, _) = run(answers, async |view| {
            ask(ArangoClient::superuser(&view)).await
        });
        read.map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn the_client_reads_what_the_contract_allows() {
    for role in [Kind::Single, Kind::Coordinator] {
        let get = |path| ("GET", path, 200);
        call(get("/_api/version"), role, async |client| {
            client.version().await
        });
        call(get("/_api/user"), role, async |client| client.users().await);
        call(get("/_api/database"), role, async |client| {
            client.databases().await
        });
        call(get("/_api/collection"), role, async |client| {
            client.database("d").collections().await
        });
        call(get("/_api/transaction"), role, async |client| {
            client.database("d").open_transactions().await
        });
        call(get("/_api/view"), role, async |client| {
            client.database("d").views().await
        });
        call(get("/_api/analyzer"), role, async |client| {
            client.database("d").analyzers().await
        });
        call(("POST", "/_api/document/c", 202), role, async |client| {
            client
                .database("d")
                .collection("c")
                .insert(&serde_json::json!({}))
                .await
        });
        call(get("/_api/document/c/k"), role, async |client| {
            client.database("d").collection("c").get::<Value>("k").await
        });
    }
    call(
        ("PUT", "/_api/collection/c/responsibleShard", 200),
        Kind::Coordinator,
        async |client| {
            client
                .database("d")
                .collection("c")
                .responsible_shard("k")
                .await
        },
    );
    call(
        ("GET", "/_admin/cluster/health", 200),
        Kind::Coordinator,
        async |client| members::by_coordinator(&client).await,
    );
    call(
        ("GET", "/_admin/cluster/maintenance", 200),
        Kind::Coordinator,
        async |client| members::supervision_mode(&client).await,
    );
}

#[test]
fn errors_are_read_as_the_contract_allows_them() {
    let contract = Contract::read().unwrap();
    for name in ["error", "conflict"] {
        for_all(contract.shape(name).unwrap(), |body| {
            let answers = vec![answer(400, &body.to_string())];
            let (asked, _) = run(answers, async |view| {
                ArangoClient::superuser(&view).version().await
            });
            let number = body["errorNum"].as_u64();
            match asked {
                Err(ArangoError::Server { number: read, .. })
                    if Some(u64::from(read)) == number =>
                {
                    Ok(())
                }
                other => Err(format!("{other:?}")),
            }
        });
    }
}

fn is_read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<(), String> {
    let read = serde_json::from_value::<T>(body.clone());
    read.map(drop).map_err(|error| error.to_string())
}

#[test]
fn agents_and_documents_are_read_as_the_contract_allows_them() {
    let contract = Contract::read().unwrap();
    let shape = |name: &str| contract.shape(name).unwrap();
    for_all(shape("config"), |body| {
        let config: AgentConfig =
            serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
        let leads = body.get("lastAcked").is_some();
        match config.last_acked.is_some() == leads && config.id() == body["configuration"]["id"] {
            true => Ok(()),
            false => Err(format!("{config:?}")),
        }
    });
    for_all(shape("poll"), |body| is_read::<Changes>(&body["result"]));
    for_all(shape("health"), is_read::<Health>);
    for_all(shape("meta"), is_read::<DocumentMeta>);
    for_all(shape("view-arangosearch"), is_read::<ViewInfo>);
    for_all(shape("view-alias"), is_read::<ViewInfo>);
    for_all(shape("analyzer"), is_read::<Analyzer>);
}

/// A look at a server that says this of itself, and then is gone: what it said must have been read.
fn looked(view: View, server: &str, version: &Value, status: &Value) -> Look {
    let answers = vec![
        answer(200, &version.to_string()),
        answer(200, &status.to_string()),
    ];
    let key = ServerKey::from(server);
    run_as(view, answers, async |view| look(&view, &key).await).0
}

#[test]
fn a_look_reads_what_the_contract_allows() {
    let contract = Contract::read().unwrap();
    let version =
        serde_json::json!({ "server": "arango", "license": "community", "version": "3.12.10" });
    for (role, server) in [
        (Kind::Single, "single-1"),
        (Kind::Agent, "agent-1"),
        (Kind::DbServer, "dbserver-1"),
        (Kind::Coordinator, "coordinator-1"),
    ] {
        let view = || match role {
            Kind::Single => view(),
            _ => cluster_view(1, 1, 1),
        };
        let says = |row: &&arangod_contract::Row| {
            row.path == "/_admin/status" && row.status == 200 && row.roles.contains(&role)
        };
        let phases = [Phase::Early, Phase::Serving];
        for row in contract.rows.iter().filter(says) {
            assert!(phases.iter().any(|phase| row.phases.contains(phase)));
            for_all(row.body.as_ref().unwrap(), |status| {
                let info = &status["serverInfo"];
                let goes = ["in shutdown", "in stop", "in unprepare"];
                let goes = goes.iter().any(|goes| info["progress"]["phase"] == *goes);
                let role_fits = info["role"] == role_name(role) || info["role"] == "UNDEFINED";
                match looked(view(), server, &version, status) {
                    Look::Waiting { identity, .. } | Look::Serving { identity } => {
                        let expected = status["pid"].as_u64().and_then(|pid| pid.try_into().ok());
                        match identity == Identity::Pid(expected.unwrap_or(0)) {
                            true => Ok(()),
                            false => Err(format!("{identity:?}")),
                        }
                    }
                    // It says that it goes, or that it is somebody else.
                    Look::Silent(_) if goes || info["state"] == "SHUTDOWN" => Ok(()),
                    Look::Wrong(_) if !role_fits => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            });
        }
    }
}

fn role_name(role: Kind) -> &'static str {
    match role {
        Kind::Single => "SINGLE",
        Kind::Agent => "AGENT",
        Kind::DbServer => "PRIMARY",
        Kind::Coordinator => "COORDINATOR",
    }
}
