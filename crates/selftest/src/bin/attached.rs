//! Tests for servers that somebody else started, and tests with requirements: some can run, others need more.

use armadillo::arangodb::Grant;
use armadillo::prelude::*;
use armadillo_selftest::{broken, meeting};
use serde::{Deserialize, Serialize};
use serde_json::json;

fn main() -> std::process::ExitCode {
    broken::link();
    armadillo::main()
}

#[armadillo::test]
fn needs_no_server() {}

mod documents {
    use super::*;

    #[armadillo::test]
    async fn are_written(docs: Collection, cx: TestContext) -> TestResult {
        docs.insert(&json!({"_key": cx.unique_name("k")})).await?;
        assert_eq!(docs.count().await?, 1);
        Ok(())
    }

    #[armadillo::test]
    async fn are_written_with_a_token(db: Database, auth: Auth) -> TestResult {
        let token = db.connection().token;
        let reader = auth.with_token(&token).database(db.name());
        assert!(reader.collections().await?.is_empty());
        let user = auth.create_user().await?;
        auth.grant(&user, db.name(), Grant::ReadOnly).await?;
        let user = auth.with_token(&user.token()).database(db.name());
        assert!(user.collections().await?.is_empty());
        Ok(())
    }

    #[armadillo::test]
    async fn are_found_on_a_healthy_server(server: SingleServer, db: Database) -> TestResult {
        assert!(server.health().await?.is_good());
        assert!(server.version().await?.version.starts_with("3."));
        assert_eq!(server.endpoint(), db.connection().endpoints[0]);
        Ok(())
    }

    #[armadillo::test(retries = 2)]
    async fn are_left_behind(client: ArangoClient, cx: TestContext) -> TestResult {
        client.create_database(&cx.unique_name("left")).await?;
        Ok(())
    }

    #[armadillo::test]
    async fn are_being_written_when_the_run_ends(
        db: Database,
        client: ArangoClient,
        cx: TestContext,
    ) -> TestResult {
        client.create_database(&cx.unique_name("left")).await?;
        db.create_collection("docs").await?;
        meeting::come("written")?;
        meeting::wait_for("over").await?;
        client.databases().await?;
        Ok(())
    }

    #[armadillo::test]
    async fn are_killed(server: Exclusive<SingleServer>) -> TestResult {
        server.server(server.key()).kill().await?;
        Ok(())
    }

    #[armadillo::test]
    async fn are_new(_server: Fresh<SingleServer>) {}

    #[armadillo::test]
    async fn are_not_there_yet(_server: Unstarted<SingleServer>) {}

    #[armadillo::test(single(option("log.level", "debug")))]
    async fn are_logged(_server: SingleServer) {}

    #[armadillo::test(single(binary = "/opt/arangod"))]
    async fn are_old(_server: SingleServer) {}

    #[armadillo::test]
    async fn are_sharded(_cluster: Cluster) {}

    #[armadillo::test(markers(performance))]
    async fn are_measured(_db: Database) {}
}

mod clusters {
    use super::*;

    #[armadillo::test]
    async fn are_read(cluster: Cluster, db: Database) -> TestResult {
        cluster.wait_until(healthy()).await?;
        assert_eq!((cluster.agents().len(), cluster.dbservers().len()), (1, 2));
        let members = cluster.members().await?;
        assert!(
            members.iter().all(|member| member.server.is_some()),
            "{members:?}"
        );
        let docs = db.create_collection("docs").replication_factor(2).await?;
        docs.wait_in_sync().await?;
        let leader = docs.shard_leader().await?;
        assert!(cluster.dbservers().contains(&leader), "{leader}");
        let client = cluster.client_at(&leader);
        assert_eq!(client.version().await?.server, "arango");
        let agency = cluster.agency();
        assert_eq!(agency.leader().await?.server, cluster.agents()[0]);
        let plan = agency
            .get::<serde_json::Value>("/arango/Plan/DBServers")
            .await?;
        assert_eq!(
            plan.as_ref()
                .and_then(|plan| plan.as_object())
                .map(|all| all.len()),
            Some(2)
        );
        Ok(())
    }

    #[armadillo::test]
    async fn are_asked_for_any_role(
        coordinators: Coordinators,
        dbservers: DbServers,
    ) -> TestResult {
        assert_eq!((coordinators.keys().len(), dbservers.keys().len()), (1, 2));
        assert!(!coordinators.is_in_maintenance().await?);
        Ok(())
    }

    #[armadillo::test(cluster(agents = 1, dbservers = 2))]
    async fn have_this_size(_cluster: Cluster) {}

    #[armadillo::test(cluster(dbservers = 3))]
    async fn have_another_size(_cluster: Cluster) {}

    #[armadillo::test(cluster(replication_factor = 2))]
    async fn have_so_many_copies(_cluster: Cluster) {}

    #[armadillo::test]
    async fn are_broken(_cluster: Exclusive<Cluster>) {}

    #[armadillo::test]
    async fn are_any(docs: Collection) -> TestResult {
        docs.insert(&json!({"n": 1})).await?;
        assert_eq!(docs.count().await?, 1);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Shelf {
    database: String,
}

/// Nothing removes it but the end of the run.
#[armadillo::fixture(per = "deployment")]
async fn shelf(client: ArangoClient, cx: &TestContext) -> Result<Shelf, TestError> {
    let database = cx.unique_name("shelf");
    client.create_database(&database).await?;
    Ok(Shelf { database })
}

#[armadillo::test]
async fn a_shelf_is_shared(shelf: &Shelf, client: ArangoClient) -> TestResult {
    assert!(client.databases().await?.contains(&shelf.database));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Label(String);

#[armadillo::fixture(per = "deployment")]
async fn label(etcd: &Etcd) -> Result<Label, TestError> {
    let client = etcd.client().for_deployment();
    client.put("label", "red").await?;
    Ok(Label(client.prefix().to_owned()))
}

mod requirements {
    use super::*;

    #[armadillo::test(requires(version = ">=3.12.4, <4"))]
    async fn are_met(_db: Database) {}

    #[armadillo::test(requires(real))]
    async fn are_a_real_one(_server: SingleServer) {}

    #[armadillo::test(requires(version = ">=4.0"))]
    async fn are_a_newer_one(_server: SingleServer) {}

    #[armadillo::test(requires(aql))]
    async fn are_queries(_server: Fresh<SingleServer>) {}

    #[armadillo::test(requires(signing_key))]
    async fn are_a_key(auth: Auth) -> TestResult {
        auth.sign(&json!({}))?;
        Ok(())
    }
}

mod keys {
    use super::*;

    #[armadillo::test]
    async fn are_put(client: EtcdClient, etcd: Etcd) -> TestResult {
        client.put("k", "v").await?;
        assert!(client.get("k").await?.is_some());
        etcd.leader().await?;
        assert!(etcd.health().await?.is_good());
        Ok(())
    }

    #[armadillo::test]
    async fn have_a_label(label: &Label, client: EtcdClient) -> TestResult {
        assert!(
            !label.0.contains("deployment"),
            "others would find it: {}",
            label.0
        );
        assert!(client.for_deployment().get("label").await?.is_some());
        Ok(())
    }

    #[armadillo::test(etcd(members = 3))]
    async fn are_on_three_members(_etcd: Etcd) {}

    #[armadillo::test(requires(etcd(version = ">=3.4"), arangodb(version = "=3.12")))]
    async fn are_copied(client: EtcdClient, docs: Collection) -> TestResult {
        client.put("k", "v").await?;
        docs.insert(&json!({"k": "v"})).await?;
        Ok(())
    }

    #[armadillo::test]
    async fn are_lost(_etcd: Exclusive<Etcd>) {}
}
