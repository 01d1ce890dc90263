//! Which version the emulator is, and what it makes of the data of another.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clusters::{Cluster, spawn_with};
use crate::support::{Place, run, wait_for};

/// The version before that of the contract.
const OLD: [&str; 2] = ["--imitate", "3.11.14"];

#[test]
fn the_version_can_be_chosen() {
    let (code, out, _) = run(&["--imitate", "3.11.14", "--version"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("3.11.14\n"), "{out}");
    assert!(out.contains("server-version: 3.11.14\n"), "{out}");
    for wrong in ["3.11", "3.10.4", "4.0.0", "newest"] {
        let (code, _, err) = run(&["--imitate", wrong, "--version"]);
        assert_eq!(code, 4, "{wrong}");
        assert!(err.contains("a version of 3.11 or 3.12"), "{err}");
    }
}

#[test]
fn versions_of_the_directory() {
    let place = Place::new();
    assert_eq!(place.run(&["--database.auto-upgrade", "true"]), 0);
    let text = |name: &str| std::fs::read_to_string(place.data().join(name)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(place.data().join(name), text).unwrap();
    let says = |ids: &[&str]| {
        let log = place.log();
        for id in ids {
            assert!(log.contains(&format!("[{id}]")), "{id} is missing:\n{log}");
        }
        std::fs::remove_file(place.file("log")).unwrap();
    };
    for name in ["VERSION", "VERSION-1"] {
        says(&["23525", "0de5e", "7da27"]);
        write(name, r#"{"version":31100,"tasks":{}}"#);
        assert_eq!(place.run(&[]), 11, "{name}");
        says(&[
            "3bc7f", "24e3c", "8bcec", "b0360", "13414", "24bd1", "1c156", "2eb08",
        ]);
        assert_eq!(place.run(&["--database.check-version"]), 11);
        says(&["b7514", "40e37"]);
        assert_eq!(place.run(&["--database.auto-upgrade"]), 0);
        assert!(text(name).contains("31210"));

        // What is newer is complained of, and left as it is.
        let newer = r#"{"version":40000,"tasks":{}}"#;
        write(name, newer);
        assert_eq!(place.run(&["--database.check-version"]), 12);
        says(&["ef6ca", "290c2"]);
        let mut server = place.start(&[]);
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
        says(&["fdbd9", "b99ca", "cf3f4"]);
        assert_eq!(place.run(&["--database.auto-upgrade"]), 0);
        assert_eq!(text(name), newer);

        write(name, "nonsense");
        assert_eq!(place.run(&[]), 13, "{name}");
        // Another patch level is no other version.
        write(name, r#"{"version":31201,"tasks":{}}"#);
    }
    assert_eq!(place.run(&["--database.check-version"]), 0);
    // Before 3.11.7, everything that keeps a server from starting was 1.
    for name in ["VERSION", "VERSION-1"] {
        write(name, r#"{"version":31000,"tasks":{}}"#);
    }
    assert_eq!(place.run(&["--imitate", "3.11.6"]), 1);
    assert_eq!(place.run(&["--imitate", "3.11.7"]), 11);
}

#[test]
fn a_single_server_is_upgraded() {
    let place = Place::new();
    let version = || std::fs::read_to_string(place.data().join("VERSION-1")).unwrap();
    let mut server = place.start(&OLD);
    let client = server.client();
    let told = client.get("/_api/version").json();
    assert_eq!(told["version"], "3.11.14");
    assert!(told.get("apiVersions").is_none(), "{told}");
    assert_eq!(client.get("/_admin/status").json()["version"], "3.11.14");
    let made = client.post("/_api/collection", &json!({ "name": "fruits" }));
    assert_eq!(made.status, 200);
    let document = json!({ "_key": "apple", "colour": "red" });
    assert_eq!(client.post("/_api/document/fruits", &document).status, 202);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(version().contains("31114"));

    assert_eq!(place.run(&[]), 11);
    let upgrade = ["--imitate", "3.12.4", "--database.auto-upgrade", "true"];
    assert_eq!(place.run(&upgrade), 0);
    assert!(version().contains("31204"));
    // From one patch level to another, nothing has to be run.
    let server = place.start(&[]);
    assert!(version().contains("31210"));
    let client = server.client();
    let told = client.get("/_api/version").json();
    assert_eq!(
        (&told["version"], &told["apiVersions"]),
        (&json!("3.12.10"), &json!(["v0"]))
    );
    let kept = client.get("/_api/document/fruits/apple").json();
    assert_eq!(kept["colour"], "red");
}

/// A coordinator has no data, so no start is refused; its upgrade run joins the cluster and upgrades what all share.
#[test]
fn a_coordinator_upgrades_the_cluster() {
    let mut cluster = Cluster::start_with(&OLD, &OLD, 3, 1);
    cluster.wait_until_healthy(7);
    let versions = |cluster: &Cluster| -> Vec<(String, Value)> {
        let health = cluster.health();
        let entries = health.as_object().unwrap().values();
        let mut versions: Vec<_> = entries
            .map(|entry| {
                (
                    String::from(entry["Role"].as_str().unwrap()),
                    entry["Version"].clone(),
                )
            })
            .collect();
        versions.sort_by(|one, other| one.0.cmp(&other.0));
        versions
    };
    assert!(
        versions(&cluster)
            .iter()
            .all(|(_, version)| version == "3.11.14")
    );
    let upgraded_to = |cluster: &Cluster| cluster.agents.read("/arango/ClusterUpgradeVersion");
    assert_eq!(upgraded_to(&cluster), 31_114);

    let (place, server) = &mut cluster.coordinators[0];
    let mut old = server.take().unwrap();
    old.signal(Signal::TERM);
    assert_eq!(old.wait().code(), Some(0));
    assert!(!place.data().join("VERSION").exists());
    let run = [
        "--database.auto-upgrade",
        "true",
        "--server.rest-server",
        "false",
    ];
    let mut upgrade = spawn_with(&cluster.agents, place, "COORDINATOR", &run);
    assert_eq!(upgrade.wait().code(), Some(0));
    let log = place.log();
    for id in ["15ac4", "853de", "d6047"] {
        assert!(log.contains(&format!("[{id}]")), "{id} is missing:\n{log}");
    }
    let mut new = spawn_with(&cluster.agents, place, "COORDINATOR", &[]);
    new.wait_until_ready();
    *server = Some(new);
    assert_eq!(upgraded_to(&cluster), 31_210);
    // Supervision needs a moment to see who is there now.
    wait_for("the versions of all", || {
        let are_right = versions(&cluster).iter().all(|(role, version)| {
            let expected = if role == "Coordinator" {
                "3.12.10"
            } else {
                "3.11.14"
            };
            version == expected
        });
        are_right.then_some(())
    });
}
