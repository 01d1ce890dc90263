//! What tests need is known from their arguments and attributes, before they run. The deployments are of a system that
//! exists for the compiler only, so the tests here are registered and never run.

#[path = "ui/fake/mod.rs"]
mod fake;

use armadillo::harness::inventory;
use armadillo::harness::needs::{LeaseMode, Needs};
use armadillo::harness::test_def::TestDef;
use armadillo::orchestrator::Topology;
use armadillo::prelude::*;
use fake::{Cluster, Database, Single, cluster};

#[armadillo::test]
fn nothing() {}

#[armadillo::test(
    should_panic = "no",
    markers(slow, rta_suite("auth")),
    timeout = "2s",
    retries = 1,
    isolated,
    ignore = "because",
    cluster(servers = 5, minimal)
)]
async fn everything(cluster: Exclusive<Cluster>, db: &Database, cx: TestContext) -> TestResult {
    cluster.server("a").kill().await?;
    cluster.wait_until(healthy().except("a")).await?;
    cluster
        .wait_until(|health: &Health| health.percent() > 50)
        .await?;
    let leader = cluster.leader("raft").await?;
    let named = when("a leader", move |health| {
        health.leader("raft") == Some(&leader)
    });
    let _ = cx.lease();
    let _ = db;
    cluster.wait_until(named.or(healthy())).await?;
    Ok(())
}

#[armadillo::test(cases(small(1, "a"), large(1000, "b")))]
#[should_panic(expected = "text")]
#[ignore]
fn cases(cx: &TestContext, #[case] number: u32, #[case] text: &str) -> Result<(), String> {
    let _ = (cx, number);
    Err(text.into())
}

trait Handle: Clone {}
impl Handle for Cluster {}
impl Handle for Single {}

#[armadillo::test(types(cluster = Cluster, single = Single), cases(one(1), two(2)))]
async fn generic<T: Handle>(handle: T, #[case] _number: u8) {
    drop(handle);
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Users(Vec<String>);

#[armadillo::fixture(per = "deployment", teardown = drop_users)]
async fn users(cluster: &Cluster, pool: &Pool, cx: &TestContext) -> TestResult<Users> {
    let _ = (cluster, pool);
    Ok(Users(vec![cx.unique_name("user")]))
}

async fn drop_users(_: &Users) -> Result<(), std::io::Error> {
    Ok(())
}

struct Pool;

#[armadillo::fixture(per = "worker", teardown = close)]
fn pool() -> Pool {
    Pool
}

async fn close(_: &Pool) {}

#[armadillo::test]
fn only_users(_: &Users) {}

#[armadillo::test]
async fn with_users(users: &Users, _cluster: Fresh<Cluster>) {
    if users.0.is_empty() {
        armadillo::skip!("no {}", "users");
    }
}

#[armadillo::test(cluster(servers = 3), markers(crash_test))]
fn whatever_the_attribute_names(_: Orchestrator) {}

#[armadillo::test(markers(slow))]
fn whatever_a_marker_names(_: &Orchestrator) {}

fn needs(name: &str) -> Needs {
    let mut all = inventory::iter::<TestDef>.into_iter();
    match all.find(|def| def.name() == name) {
        Some(def) => def.needs,
        None => panic!("no test {name}"),
    }
}

fn topology(name: &str) -> Option<Topology> {
    needs(name).topology.map(|topology| topology.to_topology())
}

#[test]
fn a_test_without_a_handle_needs_no_deployment() {
    assert_eq!(topology("nothing"), None);
    assert_eq!(topology("cases::small"), None);
}

#[test]
fn fixtures_bring_their_topology_and_the_attribute_refines_it() {
    let refined = topology("everything").unwrap();
    assert_eq!(refined.to_string(), "fake cluster(servers = 1)");
    assert_eq!(needs("everything").lease, LeaseMode::Exclusive);
    let one = topology("generic::single::one").unwrap();
    assert_eq!(one.to_string(), "fake single");
    assert_eq!(needs("generic::single::one").lease, LeaseMode::Shared);
    let other = topology("generic::cluster::two").unwrap();
    assert_eq!(other.to_string(), "fake cluster");
}

#[test]
fn a_topology_in_the_attribute_is_enough_for_an_orchestrator() {
    let named = topology("whatever_the_attribute_names").unwrap();
    assert_eq!(named.to_string(), "fake cluster(servers = 3)");
    assert!(needs("whatever_a_marker_names").acts);
    assert_eq!(topology("whatever_a_marker_names"), None);
}

#[test]
fn what_a_fixture_is_made_from_counts_and_the_strongest_lease_wins() {
    assert_eq!(topology("with_users").unwrap().shape, "cluster");
    assert_eq!(needs("with_users").lease, LeaseMode::Fresh);
    assert_eq!(topology("only_users").unwrap().shape, "cluster");
    assert_eq!(needs("only_users").lease, LeaseMode::Shared);
}
