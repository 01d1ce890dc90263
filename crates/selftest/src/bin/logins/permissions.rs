//! Rights on databases and collections, and clients that can log in in several ways.

use armadillo::arangodb::fixture::TestUser;
use armadillo::arangodb::{ArangoError, Grant, LoginMethod};
use armadillo::orchestrator::{Client, Request, Secret};
use armadillo::prelude::*;
use serde_json::json;

use super::{LIMIT, VERSION};

/// What a user meets at every coordinator: whether it may read, and write.
async fn met(
    cluster: &Cluster,
    user: &TestUser,
    docs: &Collection,
    expected: (bool, bool),
) -> TestResult {
    for coordinator in cluster.coordinators() {
        let client = user.client().at(coordinator.clone())?;
        let theirs = client.database(docs.database().name());
        let theirs = theirs.collection(docs.name());
        let may = |done: &Result<(), ArangoError>| match done {
            Ok(()) => true,
            Err(error) if matches!(error.status(), Some(401 | 403)) => false,
            Err(error) => panic!("{coordinator}: {error}"),
        };
        let read = theirs.count().await.map(drop);
        let written = theirs.insert(&json!({})).await.map(drop);
        assert_eq!((may(&read), may(&written)), expected, "{coordinator}");
    }
    Ok(())
}

#[armadillo::test(cluster(coordinators = 2))]
async fn rights_hold_at_every_coordinator(
    cluster: Cluster,
    db: Database,
    auth: Auth,
) -> TestResult {
    let docs = db.create_collection("docs").await?;
    let others = db.create_collection("others").await?;
    let reader = auth.user().grant(&db, Grant::ReadOnly);
    let reader = reader.grant_collection(&docs, Grant::None).create().await?;
    met(&cluster, &reader, &docs, (false, false)).await?;
    met(&cluster, &reader, &others, (true, false)).await?;

    let writer = auth.user().grant(&db, Grant::None);
    let writer = writer
        .grant_collection(&docs, Grant::ReadWrite)
        .create()
        .await?;
    met(&cluster, &writer, &others, (false, false)).await?;
    auth.grant(&writer, db.name(), Grant::ReadOnly).await?;
    met(&cluster, &writer, &docs, (true, true)).await?;
    auth.grant_collection(&writer, &docs, Grant::ReadOnly)
        .await?;
    met(&cluster, &writer, &docs, (true, false)).await?;

    let nobody = auth.create_user().await?;
    met(&cluster, &nobody, &docs, (false, false)).await?;
    Ok(())
}

/// A user who may read, for tests that need no more.
#[derive(Clone)]
struct Reader(TestUser);

#[armadillo::fixture]
async fn reader(auth: &Auth) -> Result<Reader, ArangoError> {
    let user = auth.user().grant_named("_system", Grant::ReadOnly);
    user.create().await.map(Reader)
}

#[armadillo::test]
async fn a_reader_does_not_write(server: SingleServer, reader: Reader) -> TestResult {
    let client = reader.0.client();
    client.version().await?;
    let refused = client.create_database("never").await;
    assert!(
        refused.is_err_and(|error| error.status() == Some(403)),
        "{:?}",
        server.endpoint()
    );
    Ok(())
}

#[armadillo::test(cluster(coordinators = 2))]
async fn methods_are_tried_in_order(cluster: Cluster, auth: Auth, tokens: Tokens) -> TestResult {
    let user = auth
        .user()
        .grant_named("_system", Grant::ReadOnly)
        .create()
        .await?;
    let [token, basic] = user.login_methods();
    let broken = LoginMethod::Token(Secret::new("a.b.c"));
    for (methods, status) in [
        (vec![token.clone(), basic.clone()], 200),
        (vec![broken.clone(), basic.clone()], 200),
        (vec![broken.clone(), broken.clone(), token.clone()], 200),
        (vec![broken.clone()], 401),
        (vec![], 401),
    ] {
        let client = auth.client_by(&methods);
        for _ in 0..2 {
            let answer = client.request(Request::get(VERSION)).await?;
            assert_eq!(answer.status, status, "{methods:?}");
        }
    }
    // The token ends under way, and the password goes on.
    let short = tokens.user(&user).claim("exp", 1).sign()?;
    let methods = [LoginMethod::Token(short.secret().clone()), basic.clone()];
    auth.client_by(&methods).version().await?;
    for method in [&token, &basic] {
        for endpoint in cluster.client().endpoints() {
            let mut request = Request::get(VERSION);
            for (name, value) in auth.headers(method) {
                request = request.header(name, &value);
            }
            let client = Client::tcp(endpoint.trim_start_matches("http://"));
            assert_eq!(client.send(request, LIMIT).await?.status, 200);
        }
    }
    let connection = auth.client_by(&methods).connection();
    assert_eq!(
        (connection.user.as_str(), &connection.token),
        (user.name(), short.secret())
    );
    Ok(())
}
