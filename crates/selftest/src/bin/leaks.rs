//! Tests that leave something behind on ArangoDB.

use armadillo::orchestrator::{Request, Secret};
use armadillo::prelude::*;
use serde_json::json;

#[armadillo::test]
async fn leaves_a_database(client: ArangoClient, cx: TestContext) -> TestResult {
    client.create_database(&cx.unique_name("left")).await?;
    Ok(())
}

#[armadillo::test]
async fn leaves_a_user(client: ArangoClient, cx: TestContext) -> TestResult {
    let password = Secret::new("nobody's");
    client
        .create_user(&cx.unique_name("left"), &password)
        .await?;
    Ok(())
}

#[armadillo::test]
async fn leaves_a_collection(client: ArangoClient, cx: TestContext) -> TestResult {
    let system = client.database("_system");
    system.create_collection(&cx.unique_name("left")).await?;
    Ok(())
}

/// Says itself that this is no failure.
#[armadillo::test(checkers(databases = "warn"))]
async fn leaves_a_database_and_says_so(client: ArangoClient, cx: TestContext) -> TestResult {
    client.create_database(&cx.unique_name("left")).await?;
    Ok(())
}

/// Carries nobody's lease, and can only be that of who had the server alone.
#[armadillo::test]
async fn leaves_a_transaction_open(server: Exclusive<SingleServer>) -> TestResult {
    let begin = Request::post("/_api/transaction/begin").json(&json!({ "collections": {} }));
    server.client().request(begin).await?;
    Ok(())
}

/// Whatever the others left, this is a server without it.
#[armadillo::test]
async fn then_finds_no_transaction(server: Exclusive<SingleServer>) -> TestResult {
    let system = server.client().database("_system");
    assert_eq!(system.open_transactions().await?, [""; 0]);
    Ok(())
}

/// The same with a name that any test may give.
#[armadillo::test]
async fn leaves_a_collection_of_any_name(server: Exclusive<SingleServer>) -> TestResult {
    let system = server.client().database("_system");
    system.create_collection("same").await?;
    Ok(())
}

fn main() -> std::process::ExitCode {
    armadillo::main()
}
