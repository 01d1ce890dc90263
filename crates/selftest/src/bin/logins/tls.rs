//! Clusters with TLS: what their clients need, and certificates that are not right.

use std::process::Command;

use armadillo::orchestrator::ServerKey;

use super::*;

/// What a client that checks certificates says of one server.
async fn said_of(
    server: &ServerKey,
    port: &str,
    path: &str,
    view: &armadillo::orchestrator::View,
) -> Result<String, TestError> {
    let client = view.client(server, port).ok_or("no such server")?;
    let answer = client.send(Request::get(path), LIMIT).await;
    Ok(answer.map_or_else(
        |error| error.to_string(),
        |answer| answer.status.to_string(),
    ))
}

const WRONG: [(Certificate, &str); 3] = [
    (
        Certificate::UnknownAuthority,
        "issued by an unknown authority",
    ),
    (Certificate::WrongHost, "but for DNS wrong-host.invalid"),
    (Certificate::Expired, "the server's certificate expired 36"),
];

/// The test leaves a member with an expired certificate. Whoever comes next has a cluster that is right again.
#[armadillo::test(etcd(tls), cases(first(1), second(2)))]
async fn a_member_shows_what_it_should_not(
    cluster: Exclusive<Etcd>,
    #[case] _number: u8,
) -> TestResult {
    let view = cluster.orchestrator().view();
    for server in cluster.members() {
        assert_eq!(said_of(&server, "client", "/version", view).await?, "200");
    }
    let member = cluster.members().remove(1);
    let old = view.client(&member, "client").ok_or("no client port")?;
    assert!(
        old.send(Request::get("/version"), LIMIT)
            .await?
            .is_success()
    );
    for (which, words) in WRONG {
        cluster.server(&member).certificate(which).await?;
        let said = said_of(&member, "client", "/version", view).await?;
        assert!(said.contains(words), "{said}");
        assert!(
            old.send(Request::get("/version"), LIMIT)
                .await?
                .is_success()
        );
        cluster.wait_until(healthy().except(&member)).await?;
    }
    println!("{member} shows an expired certificate");
    Ok(())
}

/// The same of ArangoDB, whose servers do not check each other's certificates: the data stays within reach.
#[armadillo::test(cluster(minimal, tls), cases(first(1), second(2)))]
async fn a_server_shows_what_it_should_not(
    cluster: Exclusive<Cluster>,
    db: Database,
    #[case] _number: u8,
) -> TestResult {
    let view = cluster.view();
    let connection = db.connection();
    let tls = connection.tls.as_ref().ok_or("no authority")?;
    let authority = std::fs::read_to_string(&connection.env()["ARMADILLO_ARANGODB_CA"])?;
    assert!(authority == tls.authority && tls.client.is_none());
    assert!(connection.endpoints[0].starts_with("https://"));
    for (server, place) in &view.places {
        let plain = Client::tcp(place.reach["http"].as_str());
        assert!(
            plain
                .send(Request::get("/_api/version"), LIMIT)
                .await
                .is_err()
        );
        assert_eq!(said_of(server, "http", "/_api/version", view).await?, "401");
    }
    let docs = db.create_collection("docs").await?;
    for role in ["agent-1", "dbserver-1", "coordinator-1"] {
        let server = ServerKey::from(role);
        let old = view.client(&server, "http").ok_or("no port")?;
        old.send(Request::get("/_api/version"), LIMIT).await?;
        for (which, words) in WRONG {
            cluster.server(&server).certificate(which).await?;
            let said = said_of(&server, "http", "/_api/version", view).await?;
            assert!(said.contains(words), "{server}: {said}");
            assert_eq!(
                old.send(Request::get("/_api/version"), LIMIT).await?.status,
                401
            );
            if role != "coordinator-1" {
                docs.insert(&json!({})).await?;
            }
        }
        if role == "coordinator-1" {
            println!("{server} shows an expired certificate");
        } else {
            cluster
                .server(&server)
                .certificate(Certificate::Valid)
                .await?;
        }
    }
    Ok(())
}

/// `--tls` makes every cluster one with TLS, unless somebody says no.
#[armadillo::test(etcd(members = 1))]
async fn a_cluster_is_as_the_run_says(etcd: Etcd, client: EtcdClient) -> TestResult {
    let wanted = std::env::var("LOGINS_WITH_TLS").is_ok();
    assert_eq!(etcd.endpoints()[0].starts_with("https://"), wanted);
    assert_eq!(etcd.connection().await?.tls.is_some(), wanted);
    client.put("key", "value").await?;
    Ok(())
}

/// What a kept deployment says for a person works when it is pasted.
#[armadillo::test(cluster(minimal, tls))]
fn a_person_can_paste_the_lines(cluster: Cluster) -> TestResult {
    if Command::new("curl").arg("--version").output().is_err() {
        skip!("curl is not installed");
    }
    let view = cluster.view();
    let system = armadillo::orchestrator::system("arangodb").ok_or("no system")?;
    let credentials = std::env::temp_dir().join("credentials");
    let content = system.credentials(view).ok_or("no credentials")?;
    std::fs::write(&credentials, content.reveal())?;
    for server in view.places.keys() {
        for line in system.access(view, server, &credentials) {
            let output = Command::new("sh").args(["-c", &line]).output()?;
            assert!(output.status.success(), "{line}: {output:?}");
            let answer: Value = serde_json::from_slice(&output.stdout)?;
            assert!(answer.get("error") != Some(&json!(true)), "{answer}");
        }
    }
    println!("pasted");
    Ok(())
}
