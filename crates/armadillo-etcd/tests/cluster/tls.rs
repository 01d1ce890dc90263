#![allow(clippy::unwrap_used, reason = "a test as a whole")]
//! Clusters with TLS: who can connect at all, and certificates that are not right.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use armadillo_etcd::{EtcdClient, etcd};
use armadillo_orchestrator::{Certificate, Client, Operation, Request, ServerKey, State};

use super::auth::{PAGES, REQUESTS};
use super::support::{Cluster, LIMIT, with_cluster};

/// Everybody who may connect without a certificate: nobody.
async fn is_refused(client: &Client, request: Request) -> String {
    let what = format!("{} {}", request.method, request.path);
    match client.send(request, LIMIT).await {
        Ok(answer) => panic!("{what} was answered with {}", answer.status),
        Err(error) => error.to_string(),
    }
}

#[test]
fn nobody_without_a_certificate_reaches_a_member_or_its_peer_port() {
    with_cluster(etcd().tls(), async |cluster| {
        println!("ready after {:.0?}", cluster.start_took);
        cluster.client.put("k", "v").await.unwrap();
        let view = cluster.view();
        let mut without = view.tls.clone().unwrap();
        without.client = None;
        for server in cluster.members() {
            for port in ["client", "peer"] {
                let address = view.reach(&server, port).unwrap();
                let plain = Client::tcp(address);
                let anonymous = Client::tls(address, &without);
                let requests = REQUESTS
                    .iter()
                    .map(|(path, body, _)| Request::post(*path).body(*body))
                    .chain(PAGES.iter().map(|page| Request::get(*page)))
                    .chain([Request::get("/members"), Request::get("/raft")]);
                for request in requests {
                    let why = is_refused(&anonymous, request.clone()).await;
                    assert!(why.contains("certificate"), "{why}");
                    // Go answers those who speak no TLS that they should.
                    let answer = plain.send(request, LIMIT).await;
                    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 400));
                }
            }
        }
        let connection = cluster.client.connection().await.unwrap();
        assert!(connection.login.is_some());
        assert!(
            connection
                .endpoints
                .iter()
                .all(|url| url.starts_with("https://127.0.0.1:"))
        );
        let env = connection.env();
        let tls = connection.tls.unwrap();
        for (name, content) in [
            ("ETCDCTL_CACERT", tls.authority.as_str()),
            (
                "ETCDCTL_CERT",
                tls.client.as_ref().unwrap().certificate.as_str(),
            ),
            ("ETCDCTL_KEY", tls.client.as_ref().unwrap().key.reveal()),
        ] {
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            let path = Path::new(&env[name]);
            assert_eq!(mode(path), 0o600, "{name}");
            assert_eq!(mode(path.parent().unwrap()), 0o700, "{name}");
            assert_eq!(
                std::fs::read_to_string(&env[name]).unwrap(),
                content,
                "{name}"
            );
        }
    });
}

#[test]
fn with_a_certificate_a_login_is_needed_as_without_tls() {
    with_cluster(etcd().members(1).tls(), async |cluster| {
        let server = &cluster.members()[0];
        let client = cluster.view().client(server, "client").unwrap();
        let read = Request::post("/v3/kv/range").body(r#"{"key":"L2E="}"#);
        let answer = client.send(read.clone(), LIMIT).await.unwrap();
        assert!(
            answer.text().contains("permission denied"),
            "{}",
            answer.text()
        );
        // With this, a member knows that the request came through its gateway.
        let read = read.header("accept", "*/*");
        let answer = client.send(read, LIMIT).await.unwrap();
        assert!(
            answer.text().contains("user name is empty"),
            "{}",
            answer.text()
        );
    });
    with_cluster(etcd().members(1).tls().no_auth(), async |cluster| {
        cluster.client.put("k", "v").await.unwrap();
    });
}

/// The health of one member, and why it is so.
async fn look(cluster: &Cluster, server: &ServerKey, state: State) -> String {
    let health = cluster
        .wait("the member's state", |health| {
            health.servers[server].0 == state
        })
        .await;
    health.servers[server].1.clone()
}

#[test]
fn a_certificate_that_is_not_right_is_named_and_old_connections_live_on() {
    with_cluster(etcd().members(1).tls(), async |cluster| {
        let server = &cluster.members()[0];
        let old = cluster.view().client(server, "client").unwrap();
        let version = || Request::get("/version");
        old.send(version(), LIMIT).await.unwrap();
        let words = [
            (Certificate::Expired, "the server's certificate expired 36"),
            (
                Certificate::WrongHost,
                "the server's certificate is not for 127.0.0.1, but for DNS wrong-host.invalid",
            ),
            (
                Certificate::UnknownAuthority,
                "the server's certificate was issued by an unknown authority",
            ),
        ];
        for (which, words) in words {
            cluster.operate(server, Operation::Certify(which)).await;
            let new = cluster.view().client(server, "client").unwrap();
            let why = new.send(version(), LIMIT).await.unwrap_err();
            assert!(why.is_tls() && why.to_string().contains(words), "{why}");
            let fresh = EtcdClient::without_prefix(cluster.view()).with_limit(LIMIT);
            let why = fresh.put("k", "v").await.unwrap_err();
            assert!(why.is_refused() && why.to_string().contains(words), "{why}");
            assert!(look(cluster, server, State::Failed).await.contains(words));
            old.send(version(), LIMIT).await.unwrap();
        }
        assert_eq!(cluster.deployment.spoilt_certificates().len(), 1);
        let valid = Operation::Certify(Certificate::Valid);
        cluster.operate(server, valid).await;
        cluster.wait_good().await;
        cluster.operate(server, valid).await;
        let fresh = EtcdClient::without_prefix(cluster.view());
        fresh.put("k", "v").await.unwrap();
        assert!(cluster.deployment.spoilt_certificates().is_empty());
    });
}

#[test]
fn a_deployment_without_tls_has_no_certificates_to_change() {
    with_cluster(etcd().members(1), async |cluster| {
        let server = &cluster.members()[0];
        let operation = Operation::Certify(Certificate::Expired);
        let changed = cluster.deployment.operate(server, operation, LIMIT).await;
        let why = changed.unwrap_err().to_string();
        assert!(
            why.starts_with("cannot change the certificate of member-1: etcd-")
                && why.ends_with("does not use TLS"),
            "{why}"
        );
    });
}
