//! What tests need is known from their arguments and attributes, before they run. The deployments are of a system that
//! exists for the compiler only, so the tests here are registered and never run.

#[path = "ui/fake/mod.rs"]
mod fake;

use armadillo::deployment::Health;
use armadillo::harness::inventory;
use armadillo::harness::needs::LeaseMode;
use armadillo::harness::test_def::TestDef;
use armadillo::prelude::*;
use fake::{Any, Cluster, Database, Queue, Single, cluster, queue, single};

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

#[armadillo::test]
fn of_two_systems(_: Cluster, _: &Queue) {}

#[armadillo::test]
fn two_new_ones(_: Fresh<Single>, _: Fresh<Single>) {}

#[armadillo::test]
fn one_alone_and_a_new_one(_: Exclusive<Cluster>, _: Fresh<Cluster>) {}

#[armadillo::test]
fn on_one_of_two(a: Fresh<Single>, b: Fresh<Single>, #[on(b)] _: &fake::Users, #[on(a)] _: Any) {
    let _ = (a, b);
}

#[armadillo::test(cluster(servers = 5), queue(servers = 1))]
fn each_topology_where_it_fits(_: &fake::Users, _: Queue) {}

#[armadillo::test]
fn a_topology_for_each(
    #[topology(cluster(servers = 5))] five: Cluster,
    #[topology(cluster(servers = 3))] three: Cluster,
    #[topology(single)] _: &fake::Users,
    #[on(three)] _: Orchestrator,
) {
    let _ = (five, three);
}

struct App;

#[armadillo::fixture]
fn app(_: Queue, #[topology(cluster(servers = 7))] _: &fake::Users) -> App {
    App
}

#[armadillo::test(queue(servers = 9))]
fn what_the_app_uses(_: Exclusive<Queue>, _: &App) {}

fn needs(name: &str) -> Vec<(String, LeaseMode)> {
    let mut all = inventory::iter::<TestDef>.into_iter();
    let Some(def) = all.find(|def| def.name() == name) else {
        panic!("no test {name}");
    };
    let topology = |need: &armadillo::harness::needs::StaticNeed| match need.topology {
        Some(topology) => topology.to_topology().to_string(),
        None => "whatever".to_owned(),
    };
    let needs = def.needs.iter();
    needs.map(|need| (topology(need), need.lease)).collect()
}

fn needed(name: &str) -> String {
    let needs: Vec<String> = needs(name)
        .iter()
        .map(|(topology, lease)| format!("{lease} {topology}"))
        .collect();
    needs.join(", ")
}

#[test]
fn a_test_without_a_handle_needs_no_deployment() {
    assert_eq!(needed("nothing"), "");
    assert_eq!(needed("cases::small"), "");
}

#[test]
fn fixtures_bring_their_topology_and_the_attribute_refines_it() {
    assert_eq!(needed("everything"), "exclusive fake cluster(servers = 1)");
    assert_eq!(needed("generic::single::one"), "shared fake single");
    assert_eq!(needed("generic::cluster::two"), "shared fake cluster");
}

#[test]
fn a_topology_in_the_attribute_is_enough_for_an_orchestrator() {
    assert_eq!(
        needed("whatever_the_attribute_names"),
        "shared fake cluster(servers = 3)"
    );
    assert_eq!(needed("whatever_a_marker_names"), "shared whatever");
}

#[test]
fn what_a_fixture_is_made_from_counts_and_the_strongest_lease_wins() {
    assert_eq!(needed("with_users"), "fresh fake cluster");
    assert_eq!(needed("only_users"), "shared fake cluster");
}

#[test]
fn several_deployments_are_listed_in_the_order_of_the_arguments() {
    assert_eq!(
        needed("of_two_systems"),
        "shared fake cluster, shared queue cluster"
    );
    assert_eq!(
        needed("two_new_ones"),
        "fresh fake single, fresh fake single"
    );
    assert_eq!(
        needed("one_alone_and_a_new_one"),
        "exclusive fake cluster, fresh fake cluster"
    );
    assert_eq!(
        needed("on_one_of_two"),
        "fresh fake single, fresh fake single"
    );
}

#[test]
fn topologies_are_told_apart() {
    assert_eq!(
        needed("each_topology_where_it_fits"),
        "shared fake cluster(servers = 5), shared queue cluster(servers = 1)"
    );
    assert_eq!(
        needed("a_topology_for_each"),
        "shared fake cluster(servers = 5), shared fake cluster(servers = 3), shared fake single"
    );
    assert_eq!(
        needed("what_the_app_uses"),
        "exclusive queue cluster(servers = 9), shared fake cluster(servers = 7)"
    );
}
