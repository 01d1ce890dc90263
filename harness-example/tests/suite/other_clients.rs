//! Tests with somebody else's client: your driver, a command line tool, a service that you start. Fixtures hand out what
//! such a client needs: [`Database::connection`] has endpoints, database, user, password, token and, with `--tls`, the
//! authority to trust, and the same as environment variables for a child process.

use std::process::Command;

use armadillo::arangodb::Connection;
use armadillo::orchestrator::Request;
use armadillo::prelude::*;
use serde_json::{Value, json};

/// A client that trusts the authority of the deployment, if its servers speak TLS.
fn http_client(connection: &Connection) -> Result<ureq::Agent, TestError> {
    let mut config = ureq::Agent::config_builder();
    if let Some(tls) = &connection.tls {
        let authority = ureq::tls::Certificate::from_pem(tls.authority.as_bytes())?;
        let trusted = ureq::tls::RootCerts::new_with_certs(&[authority]);
        config = config.tls_config(ureq::tls::TlsConfig::builder().root_certs(trusted).build());
    }
    Ok(config.build().into())
}

/// A blocking client, in a test that is not `async`.
#[armadillo::test]
fn another_http_client_writes_and_reads(articles: &Collection, cx: &TestContext) -> TestResult {
    let connection = articles.database().connection();
    let endpoint = connection.endpoints.first().ok_or("no endpoint")?;
    let url = format!(
        "{endpoint}/_db/{}/_api/document/{}",
        connection.database,
        articles.name()
    );
    let authorization = format!("bearer {}", connection.token.reveal());
    let http = http_client(&connection)?;
    let answer = http
        .post(&url)
        .header("authorization", &authorization)
        .send(json!({ "_key": "apples", "cents": 35 }).to_string())?;
    assert!(matches!(answer.status().as_u16(), 201 | 202));
    let body = http
        .get(format!("{url}/apples"))
        .header("authorization", &authorization)
        .call()?
        .body_mut()
        .read_to_string()?;
    assert_eq!(serde_json::from_str::<Value>(&body)?["cents"], 35);
    assert_eq!(cx.block_on(articles.count())?, 1);
    Ok(())
}

#[armadillo::test(markers(auth_required))]
fn nobody_gets_in_without_a_token(db: &Database) -> TestResult {
    let connection = db.connection();
    let endpoint = connection.endpoints.first().ok_or("no endpoint")?;
    let url = format!("{endpoint}/_db/{}/_api/version", connection.database);
    match http_client(&connection)?.get(url).call() {
        Err(ureq::Error::StatusCode(401)) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// A program of another language finds its way through the environment. This one needs `etcdctl`, and says so where there
/// is none: `skip!` ends a test as ignored, from any depth.
#[armadillo::test(etcd(members = 1))]
fn etcdctl_reads_what_a_test_wrote(cluster: Etcd, cx: &TestContext) -> TestResult {
    if Command::new("etcdctl").arg("version").output().is_err() {
        skip!("etcdctl is not installed");
    }
    cx.block_on(cluster.client().put("greeting", "hello"))?;
    let connection = cx.block_on(cluster.connection())?;
    let output = Command::new("etcdctl")
        .args(["get", "--print-value-only"])
        .arg(format!("{}greeting", connection.prefix))
        .envs(connection.env())
        .output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "hello\n");
    Ok(())
}

/// For requests that the client has no method for. The stand-in does not compute: this test is for ArangoDB.
#[armadillo::test(requires(aql))]
async fn the_server_can_add(db: &Database) -> TestResult {
    let query = Request::post(db.path("/_api/cursor")).json(&json!({ "query": "RETURN 1 + 1" }));
    let answer = db.client().request(query).await?;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.json::<Value>()?["result"], json!([2]));
    Ok(())
}

/// And the other way round: what the stand-in cannot do, it says. It makes no success up.
#[armadillo::test]
async fn the_stand_in_admits_what_it_cannot_do(db: &Database, server: &SingleServer) -> TestResult {
    if server.view().stand_ins.is_empty() {
        skip!("this is ArangoDB");
    }
    let query = Request::post(db.path("/_api/cursor")).json(&json!({ "query": "RETURN 1 + 1" }));
    let answer = db.client().request(query).await?;
    assert_eq!(answer.status, 501, "{}", answer.text());
    assert!(answer.text().contains("emulator"), "{}", answer.text());
    assert!(
        answer.text().contains("`requires(real)`"),
        "{}",
        answer.text()
    );
    Ok(())
}
