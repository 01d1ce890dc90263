#![allow(clippy::unwrap_used, reason = "a test as a whole")]
//! Who may do what: everybody needs a login, and what still answers without one is listed.

use armadillo_etcd::{EtcdSystem, etcd};
use armadillo_orchestrator::{Operation, Request, Response, Secret, ServerKey, System};
use serde_json::{Value, json};

use super::support::{Cluster, LIMIT, with_cluster};

/// `/a`, `/b` and `v` as the gateway takes them.
const KEY: &str = "L2E=";
const KEY_AFTER: &str = "L2I=";
const VALUE: &str = "dg==";

/// What anybody on the machine may send to the port for clients, and whether members of 3.4 do it without a login. Later
/// versions do less. `docs/etcd.md` lists these.
pub(super) const REQUESTS: &[(&str, &str, bool)] = &[
    ("/v3/kv/range", r#"{"key":"L2E="}"#, false),
    ("/v3/kv/put", r#"{"key":"L2E=","value":"dg=="}"#, false),
    ("/v3/kv/deleterange", r#"{"key":"L2E="}"#, false),
    (
        "/v3/kv/txn",
        r#"{"success":[{"request_put":{"key":"L2E=","value":"dg=="}}]}"#,
        false,
    ),
    ("/v3/auth/user/list", "{}", false),
    (
        "/v3/auth/user/add",
        r#"{"name":"eve","password":"x"}"#,
        false,
    ),
    ("/v3/auth/disable", "{}", false),
    (
        "/v3/cluster/member/add",
        r#"{"peerURLs":["http://127.0.0.1:1"]}"#,
        false,
    ),
    ("/v3/cluster/member/remove", r#"{"ID":"1"}"#, false),
    ("/v3/maintenance/defragment", "{}", false),
    ("/v3/maintenance/hash", "{}", false),
    ("/v3/maintenance/status", "{}", true),
    ("/v3/maintenance/alarm", r#"{"action":"GET"}"#, true),
    (
        "/v3/maintenance/transfer-leadership",
        r#"{"targetID":"1"}"#,
        true,
    ),
    ("/v3/kv/txn", "{}", true),
    ("/v3/kv/compaction", r#"{"revision":"1"}"#, true),
    ("/v3/lease/leases", "{}", true),
    ("/v3/lease/grant", r#"{"TTL":"100","ID":"77"}"#, true),
    ("/v3/lease/timetolive", r#"{"ID":"77","keys":true}"#, true),
    ("/v3/kv/lease/revoke", r#"{"ID":"77"}"#, true),
];

/// Pages that are for everybody.
pub(super) const PAGES: &[&str] = &["/version", "/health", "/metrics", "/debug/pprof/"];

async fn send(cluster: &Cluster, port: &str, server: &ServerKey, request: Request) -> Response {
    let client = cluster.view().client(server, port).unwrap();
    client.send(request, LIMIT).await.unwrap()
}

async fn post(
    cluster: &Cluster,
    server: &ServerKey,
    path: &str,
    body: &Value,
    token: Option<&Secret>,
) -> Response {
    let mut request = Request::post(path).json(body);
    if let Some(token) = token {
        request = request.header("authorization", token.reveal());
    }
    send(cluster, "client", server, request).await
}

async fn log_in(cluster: &Cluster, server: &ServerKey, user: &str, password: &str) -> Response {
    let body = json!({ "name": user, "password": password });
    post(cluster, server, "/v3/auth/authenticate", &body, None).await
}

fn token(answer: &Response) -> Secret {
    let answer: Value = answer.json().unwrap();
    Secret::new(answer["token"].as_str().unwrap())
}

#[test]
fn without_a_login_nobody_reads_or_changes_data_on_any_member() {
    with_cluster(etcd(), async |cluster| {
        cluster.client.put("/a", "secret").await.unwrap();
        let first = cluster.members().remove(0);
        let version = cluster.client.status(&first).await.unwrap().version;
        for server in cluster.members() {
            for &(path, body, is_open) in REQUESTS {
                let body: Value = serde_json::from_str(body).unwrap();
                let answer = post(cluster, &server, path, &body, None).await;
                let text = answer.text();
                let is_refused = text.contains("user name is empty");
                assert!(is_refused || is_open, "{server} {path}: {text}");
                if version.starts_with("3.4.") {
                    assert_eq!(is_refused, !is_open, "{server} {path}: {text}");
                }
            }
            for page in PAGES {
                let answer = send(cluster, "client", &server, Request::get(*page)).await;
                assert!(answer.is_success(), "{page}");
                assert!(!answer.text().contains("secret"), "{page}");
            }
            let wrong = log_in(cluster, &server, "root", "wrong").await;
            assert!(!wrong.is_success(), "{}", wrong.text());
        }
        let found = cluster.client.get("/a").await.unwrap().unwrap();
        assert_eq!(found.text(), "secret");
        let body = json!({ "key": KEY, "range_end": KEY_AFTER });
        let made_up = Secret::new("AAAAAAAAAAAAAAAA.1");
        for server in cluster.members() {
            let answer = post(cluster, &server, "/v3/kv/range", &body, Some(&made_up)).await;
            assert!(answer.text().contains("invalid auth token"));
        }
    });
}

#[test]
fn who_wants_no_authentication_says_so() {
    with_cluster(etcd().members(1).no_auth(), async |cluster| {
        let server = &cluster.members()[0];
        let body = json!({ "key": KEY, "value": VALUE });
        let answer = post(cluster, server, "/v3/kv/put", &body, None).await;
        assert!(answer.is_success(), "{}", answer.text());
        assert!(cluster.client.get("/a").await.unwrap().is_some());
        let connection = cluster.client.connection().await.unwrap();
        assert_eq!(connection.login, None);
    });
}

#[test]
fn members_that_were_all_started_again_know_the_users() {
    with_cluster(etcd(), async |cluster| {
        cluster.client.put("k", "v").await.unwrap();
        for server in cluster.members() {
            cluster.operate(&server, Operation::Restart).await;
        }
        cluster.wait_good().await;
        // A member forgets its tokens with its memory.
        for server in cluster.members() {
            let client = cluster.client.at(&server).unwrap();
            let found = client.get("k").await.unwrap().unwrap();
            assert_eq!(found.text(), "v");
        }
    });
}

#[test]
fn what_a_dead_test_left_of_users_is_refused_by_every_member() {
    with_cluster(etcd(), async |cluster| {
        let (view, lease) = (cluster.view(), "1f3a9c20");
        let (user, password) = (format!("armadillo-{lease}-0"), "p");
        let first = &cluster.members()[0];
        let root = token(&log_in(cluster, first, "root", view.secret.reveal()).await);
        for (path, body) in [
            ("add", json!({ "name": user, "password": password })),
            ("grant", json!({ "user": user, "role": "root" })),
        ] {
            let path = format!("/v3/auth/user/{path}");
            let answer = post(cluster, first, &path, &body, Some(&root)).await;
            assert!(answer.is_success(), "{}", answer.text());
        }
        let body = json!({ "key": KEY, "value": VALUE });
        let mut tokens = Vec::new();
        for server in cluster.members() {
            let token = token(&log_in(cluster, &server, &user, password).await);
            let put = post(cluster, &server, "/v3/kv/put", &body, Some(&token)).await;
            assert!(put.is_success(), "{}", put.text());
            tokens.push(token);
        }
        let removed = EtcdSystem.purge(view, lease).await.unwrap();
        assert_eq!(removed, [format!("user {user}")]);
        for server in cluster.members() {
            for token in &tokens {
                let put = post(cluster, &server, "/v3/kv/put", &body, Some(token)).await;
                // A member that has not applied the removal yet refuses the older revision of the users.
                let refused = ["invalid auth token", "revision of auth store is old"];
                let text = put.text();
                assert!(refused.iter().any(|words| text.contains(words)), "{text}");
            }
            let again = log_in(cluster, &server, &user, password).await;
            assert!(!again.is_success(), "{}", again.text());
        }
        assert!(EtcdSystem.purge(view, lease).await.unwrap().is_empty());
    });
}
