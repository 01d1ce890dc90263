//! Places where a build with failure tests fails on demand.

use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use crate::support::{Place, run};

const FAILAT: &str = "/_admin/debug/failat";

#[test]
fn only_a_build_with_failure_tests_has_them() {
    let place = Place::new();
    let server = place.start(&[]);
    let client = server.client();
    assert_eq!(client.get(FAILAT).error(), (404, 404));
    let path = format!("{FAILAT}/a");
    assert_eq!(client.put(&path, &json!({})).error(), (404, 404));
    let version = client.get("/_api/version?details=true").json();
    assert_eq!(version["details"]["failure-tests"], "false");
    let (_, said, _) = run(&["--failure-tests", "--version"]);
    assert!(said.contains("failure-tests: true\n"), "{said}");
}

#[test]
fn they_are_set_listed_and_cleared() {
    let place = Place::new();
    let server = place.start(&["--failure-tests"]);
    let client = server.client();
    let all = || client.get(&format!("{FAILAT}/all")).json();
    let set = |name: &str| client.put(&format!("{FAILAT}/{name}"), &json!({})).json();
    assert_eq!(client.get(FAILAT).json(), json!(true));
    assert_eq!(all(), json!([]));
    assert_eq!(set("some%3A%3Apoint"), json!(true));
    assert_eq!(set("another"), json!(true));
    assert_eq!(all(), json!(["another", "some::point"]));
    assert!(
        place
            .log()
            .contains("activating intentional failure point 'some::point'")
    );
    assert_eq!(
        client.delete(&format!("{FAILAT}/another")).json(),
        json!(true)
    );
    assert_eq!(all(), json!(["some::point"]));
    assert_eq!(client.delete(FAILAT).json(), json!(true));
    assert_eq!(all(), json!([]));
    assert_eq!(client.put(FAILAT, &json!({})).error(), (501, 9));
    assert_eq!(client.post(FAILAT, &json!({})).error(), (501, 9));
}

#[test]
fn what_is_set_fails_until_it_is_cleared() {
    let place = Place::new();
    let mut server = place.start(&["--failure-tests"]);
    let client = server.client();
    let set = |name: &str| client.put(&format!("{FAILAT}/{name}"), &json!({}));
    client.post("/_api/collection", &json!({ "name": "c" }));
    let insert = |key: &str| client.post("/_api/document/c", &json!({ "_key": key }));
    assert_eq!(insert("a").status, 202);
    set("LogicalCollection::insert");
    assert_eq!(insert("b").error(), (500, 22));
    set("LogicalCollection::read");
    assert_eq!(client.get("/_api/document/c/a").error(), (500, 22));
    set("LogicalCollection::truncate");
    let truncate = || client.try_send("PUT", "/_api/collection/c/truncate", "");
    assert_eq!(truncate().unwrap().error(), (500, 22));
    client.delete(FAILAT);
    assert_eq!(insert("b").status, 202);
    set("RocksDBCollection::read-delay");
    let read: Value = client.get("/_api/document/c/b").json();
    assert_eq!(read["_key"], "b");
    set("SegfaultAfterAllCommits");
    assert!(truncate().is_none());
    assert_eq!(server.wait().signal(), Some(libc::SIGABRT));
    assert!(place.log().contains("SIGABRT"));
}
