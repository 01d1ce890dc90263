//! Queries, indexes, edges, graphs, transactions and imports: against recorded answers, and what is asked for.

use std::collections::BTreeMap;

use armadillo_orchestrator::View;

use super::*;
use crate::scripted::{Seen, lost};

pub(super) fn all_of(name: &str) -> Vec<Vec<u8>> {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let count = recorded[name]["exchanges"].as_array().unwrap().len();
    let replayed = (0..count).map(|exchange| {
        let (_, response) = super::recorded(name, exchange);
        answer(response.status, &response.text())
    });
    replayed.collect()
}

pub(super) fn db(view: &View) -> Database {
    ArangoClient::superuser(view).database("db")
}

pub(super) fn lines(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.line.as_str()).collect()
}

#[test]
fn a_query_is_read_batch_by_batch() {
    let mut answers = all_of("cursor-in-batches");
    // The recording stops before the last batch.
    let last = json!({"result": [5], "hasMore": false, "id": "74308", "error": false, "code": 200});
    answers.remove(2);
    answers.push(answer(200, &last.to_string()));
    let (all, seen) = run(answers, async |view| {
        let query = db(&view).query("FOR i IN @from..5 RETURN i");
        query.bind("from", 1).batch_size(2).all::<u32>().await
    });
    assert_eq!(all.unwrap(), [1, 2, 3, 4, 5]);
    let lines = lines(&seen);
    assert_eq!(lines[0], "POST /_db/db/_api/cursor");
    assert_eq!(
        seen[0].body,
        json!({
            "query": "FOR i IN @from..5 RETURN i", "bindVars": {"from": 1}, "count": true, "batchSize": 2,
            "options": {"allowRetry": true},
        })
    );
    assert_eq!(lines[1], "POST /_db/db/_api/cursor/74308/2");
    assert_eq!(lines[2], "POST /_db/db/_api/cursor/74308/3");
}

#[test]
fn a_batch_whose_answer_is_lost_is_asked_for_again() {
    let mut answers = all_of("cursor-in-batches");
    answers.truncate(2);
    answers.insert(1, lost());
    let (read, seen) = run(answers, async |view| {
        let query = db(&view).query("FOR i IN 1..5 RETURN i").batch_size(2);
        let mut cursor = query.cursor::<u32>().await?;
        assert_eq!(cursor.count(), Some(5));
        assert!(cursor.extra()["stats"].is_object());
        let first = cursor.next_batch().await?;
        Ok::<_, ArangoError>((first, cursor.next_batch().await?))
    });
    assert_eq!(read.unwrap(), (Some(vec![1, 2]), Some(vec![3, 4])));
    assert_eq!(seen[1].line, seen[2].line);
}

#[test]
fn a_cursor_is_closed_unless_it_is_read_to_its_end() {
    let (closed, seen) = run(all_of("cursor-deleted"), async |view| {
        let query = db(&view).query("FOR p IN products LIMIT 5 RETURN p");
        query.cursor::<Value>().await?.close().await
    });
    closed.unwrap();
    let id = lines(&seen)[1].rsplit('/').next().unwrap().to_owned();
    assert_eq!(seen[1].line, format!("DELETE /_db/db/_api/cursor/{id}"));
    let unknown = all_of("cursor-of-an-unknown-collection");
    let (error, _) = run(unknown, async |view| {
        db(&view)
            .query("FOR u IN unknowncoll RETURN u")
            .all::<Value>()
            .await
            .unwrap_err()
    });
    assert_eq!((error.status(), error.number()), (Some(404), Some(1203)));
    let (unwritable, seen) = run(vec![], async |view| {
        let pairs = BTreeMap::from([((1, 2), 3)]);
        db(&view)
            .query("RETURN @a")
            .bind("a", pairs)
            .all::<Value>()
            .await
    });
    assert!(matches!(unwritable, Err(ArangoError::Document { .. })));
    assert!(seen.is_empty());
}

#[test]
fn indexes_are_made_listed_and_dropped() {
    let answers = [
        all_of("index-created"),
        all_of("indexes"),
        vec![answer(
            200,
            r#"{"id":"products/7","error":false,"code":200}"#,
        )],
    ];
    let (made, seen) = run(answers.concat(), async |view| {
        let products = db(&view).collection("products");
        let index = NewIndex::persistent(&["a"]).sparse().with("unique", false);
        let made = products.ensure_index(&index).await?;
        let all = products.indexes().await?;
        products.drop_index(&made.id).await?;
        Ok::<_, ArangoError>((made, all))
    });
    let (made, all) = made.unwrap();
    assert_eq!(made.kind, "persistent");
    assert_eq!(made.fields, ["a"]);
    assert!(made.sparse && !made.unique && made.is_newly_created == Some(true));
    assert_eq!(made.more["cacheEnabled"], false);
    assert_eq!(
        (all[0].kind.as_str(), all[0].id.as_str()),
        ("primary", "products/0")
    );
    assert_eq!(seen[0].line, "POST /_db/db/_api/index?collection=products");
    assert_eq!(
        seen[0].body,
        json!({"type": "persistent", "fields": ["a"], "sparse": true, "unique": false})
    );
    let number = made.id.rsplit('/').next().unwrap();
    assert_eq!(
        seen[2].line,
        format!("DELETE /_db/db/_api/index/products/{number}")
    );
    let ttl = serde_json::to_value(NewIndex::ttl("t", 9).unique().name("n")).unwrap();
    assert_eq!(
        ttl,
        json!({"type": "ttl", "fields": ["t"], "expireAfter": 9, "unique": true, "name": "n"})
    );
}

#[test]
fn edges_are_collections_of_their_own_kind() {
    let meta = r#"{"_id":"knows/1","_key":"1","_rev":"_a"}"#;
    let answers = [vec![answer(200, "{}"), answer(202, meta)], all_of("edges")].concat();
    let (edges, seen) = run(answers, async |view| {
        let knows = db(&view).create_collection("knows").edges().await?;
        let since = json!({"since": 1});
        knows.insert_edge("people/a", "people/b", &since).await?;
        knows.edges::<Value>("nodes/1", Direction::In).await
    });
    assert_eq!(edges.unwrap()[0]["_to"], "nodes/1");
    assert_eq!(seen[0].body, json!({"name": "knows", "type": 3}));
    assert_eq!(
        seen[1].body,
        json!({"_from": "people/a", "_to": "people/b", "since": 1})
    );
    assert_eq!(
        seen[2].line,
        "GET /_db/db/_api/edges/knows?vertex=nodes%2F1&direction=in"
    );
    let (refused, _) = run(vec![], async |view| {
        let knows = db(&view).collection("knows");
        knows.insert_edge("a/1", "a/2", &3).await.unwrap_err()
    });
    assert!(matches!(refused, ArangoError::Document { .. }));
}

#[test]
fn graphs_have_vertices_and_edges() {
    let vertex = all_of("vertex-inserted");
    let (_, replaced) = super::recorded("edge-replaced", 0);
    let removed = answer(202, r#"{"error":false,"code":202,"removed":true}"#);
    let missing =
        r#"{"error":true,"code":404,"errorNum":1202,"errorMessage":"document not found"}"#;
    let answers = [
        vec![answer(202, r#"{"error":false,"code":202,"graph":{}}"#)],
        vertex,
        vec![answer(202, &replaced.text()), answer(404, missing)],
        all_of("graphs"),
        vec![removed.clone(), removed],
    ];
    let (names, seen) = run(answers.concat(), async |view| {
        let db = db(&view);
        let relation = EdgeDefinition::new("relation", &["female"], &["male"]);
        let social = db.create_graph("social", &[relation]).await?;
        let made = social
            .insert_vertex("male", &json!({"name": "Francis"}))
            .await?;
        assert_eq!(made.id, "male/72753");
        let edge = social
            .insert_edge("relation", "female/alice", &made.id, &json!({}))
            .await?;
        assert_eq!(edge.id, "relation/73440");
        assert_eq!(social.vertex::<Value>("male", "bob").await?, None);
        let names = db.graphs().await?;
        social.remove_vertex("male", "72753").await?;
        social.drop(true).await?;
        Ok::<_, ArangoError>(names)
    });
    assert!(names.unwrap().contains(&"social".to_owned()));
    assert_eq!(
        seen[0].body,
        json!({"name": "social", "edgeDefinitions": [{"collection": "relation", "from": ["female"], "to": ["male"]}]})
    );
    let lines = lines(&seen);
    assert_eq!(lines[1], "POST /_db/db/_api/gharial/social/vertex/male");
    assert_eq!(lines[2], "POST /_db/db/_api/gharial/social/edge/relation");
    assert_eq!(
        seen[2].body,
        json!({"_from": "female/alice", "_to": "male/72753"})
    );
    assert_eq!(lines[3], "GET /_db/db/_api/gharial/social/vertex/male/bob");
    assert_eq!(
        lines[5],
        "DELETE /_db/db/_api/gharial/social/vertex/male/72753"
    );
    assert_eq!(
        lines[6],
        "DELETE /_db/db/_api/gharial/social?dropCollections=true"
    );
}

#[test]
fn what_is_done_in_a_transaction_carries_its_id() {
    let meta = r#"{"_id":"products/1","_key":"1","_rev":"_a"}"#;
    let answers = [
        all_of("transaction-begun"),
        vec![answer(202, meta)],
        all_of("transaction-committed"),
        all_of("transaction-begun"),
    ];
    let (state, seen) = run(answers.concat(), async |view| {
        let open = db(&view).begin(&Locks::write(&["products"])).await?;
        let products = open.database().collection("products");
        products.insert(&json!({})).await?;
        open.commit().await?;
        open.state().await
    });
    assert_eq!(state.unwrap(), TransactionState::Running);
    assert_eq!(seen[0].line, "POST /_db/db/_api/transaction/begin");
    assert_eq!(
        seen[0].body,
        json!({"collections": {"read": [], "write": ["products"], "exclusive": []}})
    );
    assert!(
        seen[1].head.contains("x-arango-trx-id: 74719"),
        "{}",
        seen[1].head
    );
    assert_eq!(seen[2].line, "PUT /_db/db/_api/transaction/74719");
    assert!(
        !seen[2].head.contains("x-arango-trx-id"),
        "{}",
        seen[2].head
    );
    assert_eq!(seen[3].line, "GET /_db/db/_api/transaction/74719");
}

#[test]
fn an_import_says_what_became_of_each() {
    let (imported, seen) = run(all_of("import-with-a-refusal"), async |view| {
        let products = db(&view).collection("products");
        let documents = [json!({"_key": "abc"}), json!({"_key": "abc"})];
        products.import(&documents, OnDuplicate::Error).await
    });
    let imported = imported.unwrap();
    assert_eq!((imported.created, imported.errors), (1, 1));
    assert!(imported.details[0].contains("unique constraint violated"));
    assert_eq!(
        seen[0].line,
        "POST /_db/db/_api/import?collection=products&type=list&details=true&onDuplicate=error"
    );
}
