//! The server itself: looked at with [`SingleServer`] (or [`Deployment`], which is any deployment of ArangoDB), stopped and
//! killed with [`Exclusive`], which waits until the other tests have left, or [`Fresh`], which starts a server for one test.
//! `server.server(..).kill()` on a shared one does not compile.

use std::time::Duration;

use armadillo::deployment::ExitExpectation;
use armadillo::orchestrator::Request;
use armadillo::prelude::*;
use serde_json::{Value, json};

#[armadillo::test(markers(smoke_test))]
async fn the_server_says_its_version(deployment: Deployment) -> TestResult {
    let version = deployment.version().await?;
    assert_eq!(version.server, "arango");
    assert!(version.version.starts_with("3."), "{version:?}");
    Ok(())
}

#[armadillo::test(markers(smoke_test))]
async fn it_is_healthy_and_listens_on_loopback_only(server: SingleServer) -> TestResult {
    let health = server.wait_until(healthy()).await?;
    assert_eq!(health.percent(), 100);
    assert!(
        server.endpoint().contains("://127.0.0.1:"),
        "{}",
        server.endpoint()
    );
    assert_eq!(server.servers(), [server.key().clone()]);
    Ok(())
}

/// Any word in the attribute that is not an option of tests is a topology: this one differs from the others' by a start-up
/// option, and so gets a server of its own.
#[armadillo::test(single(option("log.level", "requests=debug")))]
async fn a_server_with_an_option(server: &SingleServer) -> TestResult {
    let options = &server.view().topology.options;
    assert!(options.contains(&("log.level".into(), "requests=debug".into())));
    let levels = Request::get("/_admin/log/level");
    let answer = server.client().request(levels).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let level = answer.json::<Value>()?["requests"].clone();
    assert_eq!(level, "DEBUG");
    Ok(())
}

/// Each operation returns when it was seen to take effect. What was acknowledged with `wait_for_sync` is on disk.
#[armadillo::test(markers(crash_test))]
async fn a_kill_loses_nothing_acknowledged(
    server: Exclusive<SingleServer>,
    db: &Database,
) -> TestResult {
    let articles = db.create_collection("articles").wait_for_sync(true).await?;
    for number in 0..20 {
        articles
            .insert(&json!({ "_key": format!("a{number}") }))
            .await?;
    }
    server.server(server.key()).kill().await?;
    assert_eq!(server.health().await?.percent(), 0);
    server.server(server.key()).start().await?;
    server.wait_until(healthy()).await?;
    for number in 0..20 {
        let found: Option<Value> = articles.get(&format!("a{number}")).await?;
        assert!(found.is_some(), "a{number} is lost");
    }
    Ok(())
}

/// A frozen server keeps its connections and answers nothing: who waits for it does not know what became of the request.
#[armadillo::test(markers(crash_test))]
async fn a_frozen_server_answers_when_it_thaws(
    server: Exclusive<SingleServer>,
    articles: &Collection,
) -> TestResult {
    articles.insert(&json!({ "_key": "before" })).await?;
    let client = server.client();
    client.version().await?;
    let frozen = server.server(server.key());
    frozen.pause().await?;
    let hasty = client.with_limit(Duration::from_secs(4));
    let error = hasty.version().await.err().ok_or("it answered")?;
    assert!(error.outcome_unknown(), "{error}");
    frozen.resume().await?;
    server.wait_until(healthy()).await?;
    assert_eq!(articles.count().await?, 1);
    Ok(())
}

/// A server that starts for this test and ends with it. It may be left as it is, even stopped.
#[armadillo::test(markers(crash_test))]
async fn a_new_server_is_empty(server: Fresh<SingleServer>) -> TestResult {
    assert_eq!(server.client().databases().await?, ["_system"]);
    server.server(server.key()).stop().await?;
    assert_eq!(server.health().await?.percent(), 0);
    Ok(())
}

/// A server that is asked to end does so by itself: the test says that this is meant, and then it is no crash. Afterwards
/// the server is started again for the next test.
#[armadillo::test]
async fn a_server_shuts_down_when_asked(server: Exclusive<SingleServer>) -> TestResult {
    let exit = server
        .server(server.key())
        .expect_exit(ExitExpectation::code(0))
        .await?;
    let shutdown = Request::delete("/_admin/shutdown");
    let answer = server.client().request(shutdown).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    exit.seen().await?;
    assert_eq!(server.health().await?.percent(), 0);
    Ok(())
}
