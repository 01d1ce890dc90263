//! Tokens of every kind, at servers of every role, and what ends them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use armadillo::arangodb::{Grant, LoginMethod, Token, TokenError, auth};
use armadillo::orchestrator::{Client, Deadline, Poll, Request, Secret};
use armadillo::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LIMIT, VERSION, handed_over};

/// How long it is waited for a server to answer as expected: soon is what is promised, on a machine with time to spare.
const REVOKED: Duration = Duration::from_secs(30);

/// What servers of one role answer to a token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Good {
    Everywhere,
    /// At servers that know users.
    Coordinators,
    Nowhere,
}

impl Good {
    fn at(self, role: &str) -> u16 {
        match self {
            Self::Everywhere => 200,
            Self::Coordinators if role == "coordinator" => 200,
            Self::Coordinators | Self::Nowhere => 401,
        }
    }
}

/// Every server answers as expected soon; how long the slowest took.
async fn seen(
    cluster: &Cluster,
    tokens: &Tokens,
    token: &Token,
    path: &str,
    good: Good,
) -> Result<Duration, TestError> {
    let begun = Instant::now();
    for (server, place) in &cluster.view().places {
        let client = tokens.client(token).at(server.clone())?;
        let expected = good.at(&place.role);
        let deadline = Deadline::after(REVOKED);
        let mut poll = Poll::new(Duration::from_millis(5), Duration::from_millis(50));
        loop {
            let answer = client.request(Request::get(path)).await?;
            if answer.status == expected {
                break;
            }
            let status = answer.status;
            assert!(
                !deadline.passed(),
                "{server} {path} {token:?}: {status}, not {expected}"
            );
            poll.pause(deadline).await;
        }
    }
    Ok(begun.elapsed())
}

/// Tokens x servers x what ends them.
#[armadillo::test(cluster(coordinators = 2), requires(rotation), timeout = "3m")]
async fn a_table(cluster: Exclusive<Cluster>, auth: Auth, tokens: Tokens) -> TestResult {
    let day = Duration::from_secs(86_400);
    let mut users = Vec::new();
    for _ in 0..3 {
        users.push(
            auth.user()
                .grant_named("_system", Grant::ReadOnly)
                .create()
                .await?,
        );
    }
    let [kept, removed, inactive] = &users[..] else {
        return Err("three users were made".into());
    };
    let mut table: BTreeMap<&str, (Token, Good)> = BTreeMap::new();
    for (name, user) in [("kept", kept), ("removed", removed), ("inactive", inactive)] {
        let made: &str = Box::leak(format!("made by a server, user {name}").into());
        let signed: &str = Box::leak(format!("self-signed, user {name}").into());
        table.insert(made, (tokens.log_in(user).await?, Good::Coordinators));
        table.insert(signed, (tokens.user(user).sign()?, Good::Coordinators));
    }
    let superuser = Token::read(&auth::superuser_token(cluster.view()))?;
    table.insert("superuser", (superuser, Good::Everywhere));
    let service = tokens.service("tests").lifetime(day).sign()?;
    table.insert("service", (service, Good::Everywhere));
    let narrow = tokens
        .service("narrow")
        .allowed_paths([VERSION])
        .lifetime(day);
    let narrow = narrow.sign()?;
    table.insert("allowed_paths", (narrow.clone(), Good::Everywhere));
    // It is good while three things happen before.
    let short = tokens
        .service("short")
        .lifetime(Duration::from_secs(20))
        .sign()?;
    table.insert("expired", (short.clone(), Good::Everywhere));
    let compare = async |table: &BTreeMap<&str, (Token, Good)>, after: &str| -> TestResult {
        for (name, (token, good)) in table {
            let took = seen(&cluster, &tokens, token, VERSION, *good).await?;
            println!("{after} | {name} | {good:?} | {took:.0?}");
        }
        // Whatever becomes of it, it is good for nothing else.
        seen(&cluster, &tokens, &narrow, "/_admin/status", Good::Nowhere).await?;
        Ok(())
    };
    compare(&table, "nothing").await?;

    auth.remove_user(removed).await?;
    for name in [
        "made by a server, user removed",
        "self-signed, user removed",
    ] {
        table.get_mut(name).ok_or("no such row")?.1 = Good::Nowhere;
    }
    compare(&table, "user removed").await?;

    // It ends the password. A token's user only has to exist.
    auth.deactivate(inactive).await?;
    assert!(tokens.log_in(inactive).await.is_err());
    let answer = inactive.client().request(Request::get(VERSION)).await?;
    assert_eq!(answer.status, 401);
    compare(&table, "user deactivated").await?;

    let left = short.time_left().ok_or("it has no end")?;
    tokio::time::sleep(left + Duration::from_millis(20)).await;
    table.get_mut("expired").ok_or("no such row")?.1 = Good::Nowhere;
    compare(&table, "exp passed").await?;

    let rotation = tokens.rotate(&cluster).await?;
    assert_eq!(rotation.refused_after.len(), 8);
    for (server, after) in &rotation.refused_after {
        assert!(*after <= rotation.took, "{server}: {after:?}");
    }
    for (_, good) in table.values_mut() {
        *good = Good::Nowhere;
    }
    compare(&table, "key rotated").await?;
    println!("rotated in {:.0?}", rotation.took);
    let slowest = rotation.refused_after.values().max().ok_or("no server")?;
    println!("refused by every server after {slowest:.0?}");
    for (token, _) in table.values() {
        let gone = tokens.verify(token);
        assert!(matches!(gone, Err(TokenError::Foreign)), "{gone:?}");
    }
    assert_eq!(tokens.alive(), []);

    let fresh = tokens.user(kept).sign()?;
    seen(&cluster, &tokens, &fresh, VERSION, Good::Coordinators).await?;
    let made = tokens.log_in(kept).await?;
    seen(&cluster, &tokens, &made, VERSION, Good::Coordinators).await?;
    std::fs::write(
        handed_over("old-key")?,
        table["service"].0.secret().reveal(),
    )?;
    Ok(())
}

/// Who has the cluster next has the new key, and so have servers that start again, and their peers.
#[armadillo::test(cluster(coordinators = 2), requires(rotation), timeout = "3m")]
async fn b_life_goes_on(cluster: Exclusive<Cluster>, db: Database, tokens: Tokens) -> TestResult {
    let old = Secret::new(std::fs::read_to_string(handed_over("old-key")?)?);
    let old = Token::read(&old)?;
    seen(&cluster, &tokens, &old, VERSION, Good::Nowhere).await?;
    let docs = db.create_collection("docs").replication_factor(2).await?;
    docs.insert(&json!({ "n": 1 })).await?;

    // One that is down meanwhile finds the key when it starts.
    let leader = docs.shard_leader().await?;
    cluster.server(&leader).kill().await?;
    let rotation = tokens.rotate(&cluster).await?;
    assert_eq!(rotation.refused_after.len(), 7);
    cluster.server(&leader).start().await?;
    for server in ["agent-1", "coordinator-1"] {
        cluster.server(server).restart().await?;
    }
    cluster.wait_until(healthy()).await?;
    docs.insert(&json!({ "n": 2 })).await?;
    assert_eq!(docs.count().await?, 2);
    assert!(cluster.agency().leader().await.is_ok());
    let service = tokens.service("tests").sign()?;
    seen(&cluster, &tokens, &service, VERSION, Good::Everywhere).await?;
    Ok(())
}

/// The key is a pair.
#[armadillo::test(cluster(minimal, es256), requires(rotation))]
async fn c_pairs(cluster: Exclusive<Cluster>, auth: Auth, tokens: Tokens) -> TestResult {
    let user = auth
        .user()
        .grant_named("_system", Grant::ReadOnly)
        .create()
        .await?;
    let service = tokens.service("tests").sign()?;
    let all = [
        (service, Good::Everywhere),
        (tokens.user(&user).sign()?, Good::Coordinators),
        (tokens.log_in(&user).await?, Good::Coordinators),
    ];
    for (token, good) in &all {
        assert_eq!(token.claims().algorithm, "ES256");
        tokens.verify(token)?;
        seen(&cluster, &tokens, token, VERSION, *good).await?;
    }
    tokens.rotate(&cluster).await?;
    for (token, _) in &all {
        seen(&cluster, &tokens, token, VERSION, Good::Nowhere).await?;
    }
    let service = tokens.service("tests").sign()?;
    seen(&cluster, &tokens, &service, VERSION, Good::Everywhere).await?;
    Ok(())
}

/// A single server has one, too.
#[armadillo::test(single(es256))]
async fn c_pair_of_a_single_server(server: SingleServer, tokens: Tokens) -> TestResult {
    let service = tokens.service("tests").sign()?;
    assert_eq!(service.claims().algorithm, "ES256");
    tokens.client(&service).version().await?;
    server.client().databases().await?;
    Ok(())
}

/// What other programs do with a connection.
async fn accepted(cluster: &Cluster, login: &Value) -> Result<Vec<u16>, TestError> {
    let text = |name: &str| login[name].as_str().unwrap_or_default().to_owned();
    let methods = [
        LoginMethod::Token(Secret::new(text("token"))),
        LoginMethod::Basic {
            user: text("user"),
            password: Secret::new(text("password")),
        },
    ];
    let mut statuses = Vec::new();
    for endpoint in cluster.client().endpoints() {
        let client = Client::tcp(endpoint.trim_start_matches("http://"));
        for method in &methods {
            let (name, value) = method.header();
            let request = Request::get("/_api/database").header(name, value.reveal());
            statuses.push(client.send(request, LIMIT).await?.status);
        }
    }
    Ok(statuses)
}

/// The login administrates, and ends. It is left in a file, as a program would have it that runs on.
#[armadillo::test(cluster(coordinators = 2))]
async fn d_connection_is_handed_over(cluster: Cluster) -> TestResult {
    let connection = cluster.connection().await?;
    assert!(connection.user != "root" && connection.database == "_system");
    let token = Token::read(&connection.token)?;
    assert!(
        token
            .time_left()
            .is_some_and(|left| left <= Duration::from_secs(3601))
    );
    let login = json!({
        "user": connection.user,
        "password": connection.password.reveal(),
        "token": connection.token.reveal(),
    });
    assert_eq!(accepted(&cluster, &login).await?, [200; 4]);
    std::fs::write(handed_over("connection")?, login.to_string())?;
    *LATE.lock().map_err(|_| "poisoned")? = Some(cluster);
    Ok(())
}

/// The handle outlives its test, in the process that runs the next.
static LATE: Mutex<Option<Cluster>> = Mutex::new(None);

/// Every coordinator of the same cluster refuses both when the test has ended, and the daemon refuses the handle.
#[armadillo::test(cluster(coordinators = 2))]
async fn e_connection_has_ended(cluster: Cluster) -> TestResult {
    let login = std::fs::read_to_string(handed_over("connection")?)?;
    let login = serde_json::from_str(&login)?;
    assert_eq!(accepted(&cluster, &login).await?, [401; 4]);
    let late = LATE.lock().map_err(|_| "poisoned")?.take();
    let refused = late.ok_or("no handle was kept")?.agency_log().await;
    let error = refused
        .err()
        .ok_or("the handle of an ended test was served")?;
    assert!(error.to_string().contains("has ended"), "{error}");
    let shared = cluster.orchestrator().advance_keys().await;
    let error = shared.err().ok_or("a shared deployment got another key")?;
    assert!(error.to_string().contains("is shared"), "{error}");
    println!("refused the connection of an ended test");
    Ok(())
}

/// Made once for the deployment, with a client that lives as long as the process.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(skip)]
    client: Option<ArangoClient>,
}

#[armadillo::fixture(per = "deployment")]
async fn kept(cluster: &Cluster) -> Result<Kept, TestError> {
    let client = Some(cluster.client());
    Ok(Kept { client })
}

async fn works(kept: &Kept) -> TestResult {
    let client = kept.client.as_ref().ok_or("made by another process")?;
    client.databases().await?;
    Ok(())
}

#[armadillo::test(cluster(minimal), requires(rotation))]
async fn f_something_is_kept(kept: &Kept, _cluster: Exclusive<Cluster>) -> TestResult {
    works(kept).await
}

#[armadillo::test(cluster(minimal), requires(rotation))]
async fn g_somebody_rotates(cluster: Exclusive<Cluster>, tokens: Tokens) -> TestResult {
    tokens.rotate(&cluster).await?;
    Ok(())
}

/// It signs with the key of today, though it was made under an earlier lease.
#[armadillo::test(cluster(minimal), requires(rotation))]
async fn h_kept_goes_on(kept: &Kept, _cluster: Exclusive<Cluster>) -> TestResult {
    works(kept).await
}

/// A server that does not answer ends the rotation halfway, with every token still good, and the next call goes on.
#[armadillo::test(cluster(minimal), requires(rotation))]
async fn i_what_was_begun_is_ended(cluster: Exclusive<Cluster>, tokens: Tokens) -> TestResult {
    let old = tokens.service("tests").sign()?;
    cluster.server("dbserver-1").pause().await?;
    let failed = tokens.rotate(&cluster).await;
    assert!(failed.is_err_and(|error| error.to_string().contains("dbserver-1")));
    cluster.server("dbserver-1").resume().await?;
    seen(&cluster, &tokens, &old, VERSION, Good::Everywhere).await?;
    // Halfway: it has the new key, and the old one signs.
    cluster.orchestrator().advance_keys().await?;
    seen(&cluster, &tokens, &old, VERSION, Good::Everywhere).await?;
    tokens.rotate(&cluster).await?;
    seen(&cluster, &tokens, &old, VERSION, Good::Nowhere).await?;
    let new = tokens.service("tests").sign()?;
    seen(&cluster, &tokens, &new, VERSION, Good::Everywhere).await?;
    Ok(())
}

/// The same when the new key signs already: what the next call ends is the old one.
#[armadillo::test(cluster(minimal), requires(rotation))]
async fn j_the_last_step_is_taken(cluster: Exclusive<Cluster>, tokens: Tokens) -> TestResult {
    let old = tokens.service("tests").sign()?;
    for _ in 0..2 {
        cluster.orchestrator().advance_keys().await?;
        for server in cluster.servers() {
            let client = cluster.client_at(&server);
            let answer = client.request(Request::post("/_admin/server/jwt")).await?;
            assert_eq!(answer.status, 200, "{server}");
        }
    }
    seen(&cluster, &tokens, &old, VERSION, Good::Everywhere).await?;
    tokens.rotate(&cluster).await?;
    seen(&cluster, &tokens, &old, VERSION, Good::Nowhere).await?;
    Ok(())
}

/// The Community Edition is told apart before anything is changed.
#[armadillo::test(cluster(minimal))]
async fn y_community(cluster: Exclusive<Cluster>, tokens: Tokens) -> TestResult {
    let service = tokens.service("tests").sign()?;
    let refused = tokens.rotate(&cluster).await;
    let error = refused.err().ok_or("it was rotated")?.to_string();
    assert!(
        error.contains("mark the test `requires(rotation)`"),
        "{error}"
    );
    assert_eq!(cluster.view().keys.taken(), 0);
    tokens.verify(&service)?;
    seen(&cluster, &tokens, &service, VERSION, Good::Everywhere).await?;
    Ok(())
}

/// It fails, so that everything is written that a run can write. What must be nowhere is left elsewhere.
#[armadillo::test(cluster(minimal), requires(rotation))]
async fn z_fails(cluster: Exclusive<Cluster>, tokens: Tokens) -> TestResult {
    let view = cluster.view();
    let mut secrets = vec![view.secret.clone(), auth::root_password(view)];
    let keys = |secrets: &mut Vec<Secret>| {
        secrets.extend([auth::jwt_key(view), auth::superuser_token(view)]);
    };
    keys(&mut secrets);
    tokens.rotate(&cluster).await?;
    keys(&mut secrets);
    let secrets: Vec<&str> = secrets.iter().map(Secret::reveal).collect();
    std::fs::write(handed_over("secrets")?, serde_json::to_string(&secrets)?)?;
    cluster.server("dbserver-1").kill().await?;
    Err(format!("{tokens:?} {:?} {:?}", view.secret, cluster.client()).into())
}
