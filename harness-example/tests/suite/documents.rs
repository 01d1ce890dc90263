//! Tests on an ArangoDB single server that other tests use at the same time.
//!
//! A test asks for what it needs and gets something of its own: [`Database`] is a new database with a user who may do
//! anything there and nothing elsewhere, [`Collection`] a new collection in it; both are gone after the test. Only what a
//! test makes itself with an [`ArangoClient`], which has all rights, must be named by `cx.unique_name(..)`.

use armadillo::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Article {
    name: String,
    cents: u64,
}

fn apples(cents: u64) -> Article {
    Article {
        name: "apples".into(),
        cents,
    }
}

#[armadillo::test(markers(smoke_test))]
async fn what_is_inserted_can_be_read(articles: Collection) -> TestResult {
    let written = articles.insert(&apples(35)).await?;
    assert_eq!(articles.get(&written.key).await?, Some(apples(35)));
    assert_eq!(articles.count().await?, 1);
    Ok(())
}

/// A test that is not `async` waits with `cx.block_on`.
#[armadillo::test]
fn what_is_removed_is_gone(articles: &Collection, cx: &TestContext) -> TestResult {
    let written = cx.block_on(articles.insert(&apples(35)))?;
    cx.block_on(articles.remove(&written.key))?;
    let found: Option<Article> = cx.block_on(articles.get(&written.key))?;
    assert_eq!(found, None);
    Ok(())
}

/// What is expected and not so fails the test at its end, all of it together.
#[armadillo::test]
async fn an_update_changes_what_it_names(articles: &Collection) -> TestResult {
    let written = articles.insert(&apples(35)).await?;
    let updated = articles
        .update(&written.key, &json!({ "cents": 40 }))
        .await?;
    expect_eq!(updated.old_rev.as_deref(), Some(written.rev.as_str()));
    expect_eq!(articles.get(&written.key).await?, Some(apples(40)));
    expect_eq!(articles.count().await?, 1, "an update adds nothing");
    Ok(())
}

/// What the inventory relies on: who writes with an old revision is refused.
#[armadillo::test(markers(regression))]
async fn an_old_revision_is_refused(articles: &Collection) -> TestResult {
    let first = articles.insert(&apples(35)).await?;
    articles.replace(&first.key, &apples(40)).await?;
    let late = articles
        .replace(&first.key, &apples(45))
        .if_match(&first.rev)
        .await;
    let error = late.err().ok_or("the old revision was accepted")?;
    assert_eq!(error.status(), Some(412), "{error}");
    assert_eq!(articles.get(&first.key).await?, Some(apples(40)));
    Ok(())
}

#[armadillo::test]
async fn a_batch_says_of_each_document_what_became_of_it(articles: &Collection) -> TestResult {
    let batch = [
        json!({ "_key": "a" }),
        json!({ "_key": "a" }),
        json!({ "_key": "b" }),
    ];
    let answers = articles.insert_many(&batch).await?;
    let keys: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|meta| meta.key.as_str()))
        .map(|answer| answer.map_err(|refusal| refusal.number))
        .collect();
    assert_eq!(keys, [Ok("a"), Err(1210), Ok("b")]);
    assert_eq!(articles.count().await?, 2);
    let found = articles.get_many::<Value>(&["b", "c"]).await?;
    let found: Vec<bool> = found
        .into_iter()
        .map(|answer| answer.map(|document| document.is_some()))
        .collect::<Result<_, _>>()?;
    assert_eq!(found, [true, false]);
    articles.truncate().await?;
    assert_eq!(articles.count().await?, 0);
    Ok(())
}

#[armadillo::test]
async fn an_error_has_the_name_it_has_in_the_documentation(db: &Database) -> TestResult {
    let nowhere = db.collection("nowhere");
    let error = nowhere.count().await.err().ok_or("it was counted")?;
    assert_eq!(error.name(), Some("ERROR_ARANGO_DATA_SOURCE_NOT_FOUND"));
    assert!(error.is_not_found(), "{error}");
    Ok(())
}

/// Both arguments are fixtures of one test, and the collection is in the database: fixtures share what they are made from.
#[armadillo::test]
async fn a_collection_is_in_the_database_of_its_test(
    db: &Database,
    articles: &Collection,
) -> TestResult {
    assert_eq!(articles.database().name(), db.name());
    db.create_collection("orders").wait_for_sync(true).await?;
    let mut names = db.collections().await?;
    names.sort();
    let mut expected = vec![articles.name().to_owned(), "orders".to_owned()];
    expected.sort();
    assert_eq!(names, expected);
    Ok(())
}

/// What a test makes outside of its fixtures is its own to remove. If it forgets, a checker fails it, by name.
#[armadillo::test]
async fn a_database_of_its_own_making(client: ArangoClient, cx: TestContext) -> TestResult {
    let name = cx.unique_name("archive");
    let archive = client.create_database(&name).await?;
    let years = archive.create_collection("years").await?;
    years.insert(&json!({ "_key": "2024" })).await?;
    assert!(client.databases().await?.contains(&name));
    client.drop_database(&name).await?;
    assert!(!client.databases().await?.contains(&name));
    Ok(())
}

/// Fails at its first attempt, and says so: a test that is marked `flaky` runs only with `--flaky`, and `retries` says how
/// often it may be tried again, each time in a fresh process and with fixtures of its own. It is reported as flaky.
#[armadillo::test(markers(flaky), retries = 2)]
async fn a_reader_that_does_not_wait_for_the_writer(
    articles: &Collection,
    cx: &TestContext,
) -> TestResult {
    let writer_was_faster = cx.attempt() > 1;
    if writer_was_faster {
        articles.insert(&json!({ "_key": "a" })).await?;
    }
    let found: Option<Value> = articles.get("a").await?;
    if !writer_was_faster {
        articles.insert(&json!({ "_key": "a" })).await?;
    }
    assert!(found.is_some(), "attempt {}: too early", cx.attempt());
    Ok(())
}
