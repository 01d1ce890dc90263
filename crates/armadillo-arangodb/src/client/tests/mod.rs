//! The client against prepared and recorded answers.

use armadillo_orchestrator::{Request, Response, Secret};
use serde_json::{Value, json};

use super::*;
use crate::scripted::{answer, run};

mod queries;
mod retry;
mod search;

/// What a real 3.12.10 said, as its documentation records it.
const RECORDED: &str = include_str!("../../../tests/data/recorded-3.12.10.json");

/// One recorded exchange: method and path, and the answer.
pub(crate) fn recorded(name: &str, exchange: usize) -> (String, Response) {
    let all: Value = serde_json::from_str(RECORDED).unwrap();
    let exchange = &all[name]["exchanges"][exchange];
    let response = Response {
        status: exchange["status"].as_u64().unwrap().try_into().unwrap(),
        headers: Vec::new(),
        body: exchange["body"].to_string().into_bytes(),
    };
    (exchange["request"].as_str().unwrap().to_owned(), response)
}

fn replay(name: &str) -> Vec<u8> {
    let (_, response) = recorded(name, 0);
    answer(response.status, &response.text())
}

const META: &str = r#"{"_id":"docs/k","_key":"k","_rev":"_b","_oldRev":"_a"}"#;

#[test]
fn documents_are_written_where_the_documentation_says() {
    let answers = vec![
        answer(202, META),
        answer(202, META),
        answer(202, META),
        answer(200, META),
    ];
    let (metas, seen) = run(answers, async |view| {
        let docs = ArangoClient::superuser(&view)
            .database("d")
            .collection("docs");
        [
            docs.insert(&json!({"n": 1})).wait_for_sync(true).await,
            docs.replace("k", &json!({"n": 2})).if_match("_a").await,
            docs.update("k/1", &json!({"n": 3})).await,
            docs.remove("k").if_match("_b").await,
        ]
    });
    let meta = metas.into_iter().map(Result::unwrap).next_back().unwrap();
    assert_eq!(
        (meta.key.as_str(), meta.old_rev.as_deref()),
        ("k", Some("_a"))
    );
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /_db/d/_api/document/docs?waitForSync=true",
            "PUT /_db/d/_api/document/docs/k",
            "PATCH /_db/d/_api/document/docs/k%2F1",
            "DELETE /_db/d/_api/document/docs/k",
        ]
    );
    assert_eq!(seen[0].body, json!({"n": 1}));
    assert!(seen[1].head.contains("if-match: \"_a\""));
    assert!(!seen[2].head.contains("if-match"));
}

#[test]
fn a_document_that_is_not_there_is_none_and_a_missing_collection_an_error() {
    let answers = vec![
        replay("document-unknown"),
        replay("collection-unknown"),
        answer(200, r#"{"_id":"docs/k","_key":"k","_rev":"_a","n":7}"#),
    ];
    let (all, _) = run(answers, async |view| {
        let docs = ArangoClient::superuser(&view)
            .database("d")
            .collection("docs");
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(docs.get::<Value>("k").await);
        }
        all
    });
    assert!(matches!(all[0], Ok(None)));
    assert_eq!(
        all[1].as_ref().unwrap_err().name(),
        Some("ERROR_ARANGO_DATA_SOURCE_NOT_FOUND")
    );
    assert_eq!(all[2].as_ref().unwrap().as_ref().unwrap()["n"], 7);
}

#[test]
fn a_batch_has_an_answer_for_each() {
    let (all, seen) = run(vec![replay("batch-with-a-bad-key")], async |view| {
        let docs = ArangoClient::superuser(&view)
            .database("d")
            .collection("docs");
        docs.insert_many(&[json!({"_key": 111}), json!({"_key": "abc"})])
            .await
    });
    let all = all.unwrap();
    assert_eq!(all[0].as_ref().unwrap_err().number, 1221);
    assert_eq!(all[1].as_ref().unwrap().key, "abc");
    assert_eq!(seen[0].body.as_array().map(Vec::len), Some(2));
}

#[test]
fn collections_are_created_counted_emptied_and_dropped() {
    let answers = vec![
        answer(200, r#"{"error":false,"code":200,"id":"1","name":"c"}"#),
        answer(200, r#"{"error":false,"code":200,"count":3}"#),
        answer(200, "{}"),
        answer(200, "{}"),
        answer(200, r#"{"result":[{"name":"a"}]}"#),
    ];
    let (names, seen) = run(answers, async |view| {
        let db = ArangoClient::superuser(&view).database("d");
        let creation = db.create_collection("c").shards(3).replication_factor(2);
        let docs = creation.write_concern(1).wait_for_sync(true).await.unwrap();
        assert_eq!(docs.count().await.unwrap(), 3);
        docs.truncate().await.unwrap();
        docs.drop().await.unwrap();
        db.collections().await.unwrap()
    });
    assert_eq!(names, ["a"]);
    let expected = json!({"name": "c", "numberOfShards": 3, "replicationFactor": 2, "writeConcern": 1, "waitForSync": true});
    assert_eq!(seen[0].body, expected);
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /_db/d/_api/collection",
            "GET /_db/d/_api/collection/c/count",
            "PUT /_db/d/_api/collection/c/truncate",
            "DELETE /_db/d/_api/collection/c",
            "GET /_db/d/_api/collection?excludeSystem=true",
        ]
    );
}

#[test]
fn recorded_listings_are_read() {
    let answers = vec![
        replay("version"),
        replay("users"),
        replay("databases"),
        replay("open-transactions"),
    ];
    let ((), _) = run(answers, async |view| {
        let client = ArangoClient::superuser(&view);
        assert_eq!(client.version().await.unwrap().version, "3.12.10");
        let users = client.users().await.unwrap();
        assert!(users.iter().any(|user| user.name == "root" && user.active));
        assert!(
            users
                .iter()
                .any(|user| user.name == "tester" && !user.active)
        );
        assert_eq!(client.databases().await.unwrap(), ["_system"]);
        let open = client
            .database("_system")
            .open_transactions()
            .await
            .unwrap();
        assert_eq!(open, ["74784"]);
    });
}

#[test]
fn users_are_created_granted_and_removed() {
    let answers = vec![answer(201, "{}"), replay("grant"), answer(202, "{}")];
    let ((), seen) = run(answers, async |view| {
        let client = ArangoClient::superuser(&view);
        client
            .create_user("ann", &Secret::new("pass"))
            .await
            .unwrap();
        client.grant("ann", "d", Grant::ReadOnly).await.unwrap();
        client.remove_user("ann").await.unwrap();
    });
    assert_eq!(seen[0].body, json!({"user": "ann", "passwd": "pass"}));
    assert_eq!(seen[1].line, "PUT /_db/_system/_api/user/ann/database/d");
    assert_eq!(seen[1].body, json!({"grant": "ro"}));
    assert_eq!(seen[2].line, "DELETE /_db/_system/_api/user/ann");
}

#[test]
fn a_user_shows_name_and_password() {
    let ((), seen) = run(vec![replay("version")], async |view| {
        let client = ArangoClient::user(&view, "ann", &Secret::new("pass:word"));
        client.version().await.unwrap();
    });
    // ann:pass:word
    assert!(
        seen[0]
            .head
            .contains("authorization: Basic YW5uOnBhc3M6d29yZA=="),
        "{}",
        seen[0].head
    );
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    let bad = std::collections::BTreeMap::from([((1, 2), 3)]);
    let (error, seen) = run(vec![], async |view| {
        let docs = ArangoClient::superuser(&view)
            .database("d")
            .collection("docs");
        docs.insert(&bad).await.unwrap_err()
    });
    assert!(matches!(error, ArangoError::Document { .. }), "{error}");
    assert!(!error.outcome_unknown() && seen.is_empty());
}

#[test]
fn an_answer_that_cannot_be_read_is_an_error_of_its_own() {
    let (error, _) = run(vec![answer(200, r#"{"count":"many"}"#)], async |view| {
        let docs = ArangoClient::superuser(&view)
            .database("d")
            .collection("docs");
        docs.count().await.unwrap_err()
    });
    assert!(
        matches!(error, ArangoError::Answer { status: 200, .. }),
        "{error}"
    );
}

#[test]
fn nothing_that_can_be_printed_shows_a_secret() {
    let ((), _) = run(vec![], async |view| {
        let password = Secret::new("hunter2");
        let client = ArangoClient::user(&view, "ann", &password);
        let db = client.database("d");
        let docs = db.collection("docs");
        let error = client.request(Request::get("/x")).await.unwrap_err();
        let shown = [
            format!("{client:?}"),
            format!("{db:?}"),
            format!("{docs:?}"),
            format!("{:?}", docs.insert(&json!({})).if_match("_a")),
            format!("{:?}", db.create_collection("c")),
            format!("{:?}", db.connection()),
            format!("{error} {error:?}"),
            format!("{:?}", ArangoClient::superuser(&view).connection()),
        ];
        let connection = db.connection();
        let superuser = ArangoClient::superuser(&view).connection();
        let basic = "YW5uOmh1bnRlcjI";
        for secret in [
            password.reveal(),
            connection.token.reveal(),
            superuser.token.reveal(),
            superuser.password.reveal(),
            basic,
        ] {
            for text in &shown {
                assert!(!text.contains(secret), "{text}");
            }
        }
    });
}

#[test]
fn another_client_gets_all_it_needs() {
    let ((), _) = run(vec![], async |view| {
        let client = ArangoClient::user(&view, "ann", &Secret::new("pass"));
        let env = client.database("d").connection().env();
        assert!(env["ARANGO_ENDPOINTS"].starts_with("http://127.0.0.1:"));
        assert_eq!(env["ARANGO_DATABASE"], "d");
        assert_eq!(env["ARANGO_USERNAME"], "ann");
        assert_eq!(env["ARANGO_PASSWORD"], "pass");
        assert_eq!(env["ARANGO_TOKEN"].split('.').count(), 3);
        let mut names = Connection::variables(false);
        names.sort_unstable();
        assert!(env.keys().eq(names));
    });
}
