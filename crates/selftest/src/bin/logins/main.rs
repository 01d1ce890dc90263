//! A test that hands a login to another program, and what becomes of the login when the test has ended; which token is good
//! where, and what ends it; what another user of the machine can do.

mod intruder;
mod permissions;
mod rotation;
mod tls;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use armadillo::arangodb::{Grant, Holder, Token, TokenError};
use armadillo::orchestrator::{Client, Request, Secret};
use armadillo::prelude::*;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

/// Where the first test leaves what the second takes.
fn handed_over(name: &str) -> Result<PathBuf, TestError> {
    Ok(PathBuf::from(std::env::var("LOGINS")?).join(name))
}

async fn post(
    etcd: &Etcd,
    server: &str,
    path: &str,
    body: Value,
    token: &str,
) -> Result<(bool, Value), TestError> {
    let address = server.trim_start_matches("http://");
    let mut request = Request::post(path).json(&body);
    if !token.is_empty() {
        request = request.header("authorization", token);
    }
    let answer = Client::tcp(address).send(request, LIMIT).await?;
    assert!(etcd.endpoints().iter().any(|known| known == server));
    Ok((answer.is_success(), answer.json()?))
}

/// The login works at every member. It is left in a file with a token, as a program would have them that runs on.
#[armadillo::test]
async fn a_login_is_handed_over(etcd: Etcd) -> TestResult {
    let connection = etcd.connection().await?;
    let login = connection.login.ok_or("no login")?;
    let credentials = json!({ "name": login.user, "password": login.password.reveal() });
    let mut token = String::new();
    for server in etcd.endpoints() {
        let path = "/v3/auth/authenticate";
        let (_, answer) = post(&etcd, &server, path, credentials.clone(), "").await?;
        token = answer["token"].as_str().ok_or("no token")?.to_owned();
        let key = json!({ "key": "L2E=" });
        let (read, answer) = post(&etcd, &server, "/v3/kv/range", key, &token).await?;
        assert!(read, "{answer}");
    }
    std::fs::write(handed_over("credentials")?, credentials.to_string())?;
    std::fs::write(handed_over("token")?, token)?;
    Ok(())
}

/// Both are refused by every member of the same cluster when the test has ended.
#[armadillo::test]
async fn b_login_has_ended(etcd: Etcd) -> TestResult {
    let credentials = std::fs::read_to_string(handed_over("credentials")?)?;
    let credentials: Value = serde_json::from_str(&credentials)?;
    let token = std::fs::read_to_string(handed_over("token")?)?;
    for server in etcd.endpoints() {
        let put = json!({ "key": "L2E=", "value": "bGF0ZQ==" });
        for (path, body, token, why) in [
            ("/v3/kv/put", put, token.as_str(), "invalid auth token"),
            (
                "/v3/auth/authenticate",
                credentials.clone(),
                "",
                "authentication failed",
            ),
        ] {
            let (done, answer) = post(&etcd, &server, path, body, token).await?;
            let said = answer["message"].as_str().unwrap_or_default();
            assert!(!done && said.contains(why), "{server} {path}: {answer}");
            println!("refused {path}: {why}");
        }
    }
    Ok(())
}

static KEPT: Mutex<Option<EtcdClient>> = Mutex::new(None);

/// The client outlives its test, in the process that runs the next.
#[armadillo::test]
async fn c_client_is_kept(client: EtcdClient) -> TestResult {
    client.put("key", "in time").await?;
    *KEPT.lock().map_err(|_| "poisoned")? = Some(client);
    Ok(())
}

/// It is refused without asking anybody.
#[armadillo::test]
async fn d_client_has_ended(client: EtcdClient) -> TestResult {
    let kept = KEPT.lock().map_err(|_| "poisoned")?.take();
    let refused = kept.ok_or("no client was kept")?.put("key", "late").await;
    let error = refused
        .err()
        .ok_or("the client of an ended test was served")?;
    assert!(
        error.is_refused() && error.to_string().ends_with("has ended"),
        "{error}"
    );
    client.put("key", "in time").await?;
    Ok(())
}

/// Every server of a cluster, what it answers to a token, and what is expected.
async fn asked(
    cluster: &Cluster,
    tokens: &Tokens,
    token: &Token,
    path: &str,
    expected: impl Fn(&str) -> u16,
) -> TestResult {
    for (server, place) in &cluster.view().places {
        let client = tokens.client(token).at(server.clone())?;
        let answer = client.request(Request::get(path)).await?;
        let expected = expected(&place.role);
        assert_eq!(
            answer.status,
            expected,
            "{server} {path} {token:?}: {}",
            answer.text()
        );
    }
    Ok(())
}

const VERSION: &str = "/_api/version";

/// Which token is good where, and when it no longer is, at every server.
#[armadillo::test(cluster(coordinators = 2))]
async fn f_tokens_end(cluster: Cluster, auth: Auth, tokens: Tokens) -> TestResult {
    let everywhere = |_: &str| 200;
    let nowhere = |_: &str| 401;
    let where_users_are = |role: &str| if role == "coordinator" { 200 } else { 401 };

    // Long enough to be seen to be good.
    let service = tokens
        .service("tests")
        .lifetime(Duration::from_secs(12))
        .sign()?;
    tokens.verify(&service)?;
    asked(&cluster, &tokens, &service, VERSION, everywhere).await?;
    let narrow = tokens.service("tests").allowed_paths([VERSION]).sign()?;
    asked(&cluster, &tokens, &narrow, VERSION, everywhere).await?;
    asked(&cluster, &tokens, &narrow, "/_admin/status", nowhere).await?;
    let revoked = tokens.revoke(&narrow).await;
    assert!(revoked.is_err_and(|error| error.to_string().contains("cannot be revoked")));

    let user = auth.create_user().await?;
    auth.grant(&user, "_system", Grant::ReadOnly).await?;
    let signed = tokens.user(&user).sign()?;
    let made = tokens.log_in(&user).await?;
    let renewed = tokens.renew(&made).await?;
    let holder = Holder::User(user.name().to_owned());
    for token in [&signed, &made, &renewed] {
        assert_eq!(token.claims().holder, holder);
        tokens.verify(token)?;
        asked(&cluster, &tokens, token, VERSION, where_users_are).await?;
    }
    assert!(made.time_left().is_some() && signed.time_left().is_none());
    assert_eq!(tokens.alive().len(), 5);

    let mut forged = service.secret().reveal().to_owned();
    forged.truncate(forged.len() - 4);
    let forged = Token::read(&Secret::new(format!("{forged}AAAA")))?;
    assert_eq!(tokens.verify(&forged), Err(TokenError::Foreign));
    asked(&cluster, &tokens, &forged, VERSION, nowhere).await?;

    tokens.revoke(&made).await?;
    for token in [&signed, &made, &renewed] {
        asked(&cluster, &tokens, token, VERSION, nowhere).await?;
    }
    assert!(tokens.log_in(&user).await.is_err());

    let left = service.time_left().ok_or("it has no end")?;
    tokio::time::sleep(left + Duration::from_millis(20)).await;
    assert!(matches!(
        tokens.verify(&service),
        Err(TokenError::Expired { .. })
    ));
    asked(&cluster, &tokens, &service, VERSION, nowhere).await?;
    assert_eq!(tokens.alive(), [narrow]);
    Ok(())
}

/// Programs that cannot log in have a cluster that asks for none.
#[armadillo::test(etcd(members = 1, no_auth))]
async fn e_cluster_is_open(etcd: Etcd) -> TestResult {
    assert_eq!(etcd.connection().await?.login, None);
    let put = json!({ "key": "L2E=", "value": "b3Blbg==" });
    for server in etcd.endpoints() {
        let (done, answer) = post(&etcd, &server, "/v3/kv/put", put.clone(), "").await?;
        assert!(done, "{answer}");
        let gone = json!({ "key": "L2E=" });
        post(&etcd, &server, "/v3/kv/deleterange", gone, "").await?;
    }
    Ok(())
}

fn main() -> std::process::ExitCode {
    intruder::is_one().unwrap_or_else(armadillo::main)
}
