//! Operations on servers that are up, seen from other commands than the one that began them.

use std::process::Stdio;

use super::{Scene, Up, wait_for};

#[test]
fn an_operation_outlives_its_command_and_can_be_seen_and_cancelled() {
    let scene = Scene::new();
    let _up = Up::start(&scene, "cluster(agents = 1, dbservers = 1)");
    let none = scene.run(&["cancel"]).ended(1).stderr;
    assert!(none.contains("no operation is in progress"), "{none}");
    let empty = scene.run(&["operations"]).ended(0).stdout;
    assert_eq!(empty, "no operation has been begun\n");

    // The gate behind the first server cannot open.
    scene.run(&["pause", "coordinator-1"]).ended(0);
    let upgrade = ["upgrade", "emulator@3.12.20", "--force"];
    let mut upgrade = scene.command(&upgrade);
    let mut upgrade = upgrade.stdout(Stdio::null()).spawn().unwrap();
    let shown = || scene.run(&["ps"]).ended(0).stdout;
    let waits = |text: &String| text.contains("3.12.20") && text.contains("wait for healthy");
    wait_for("a server with the new version, and a gate", || {
        Some(shown()).filter(waits)
    });
    upgrade.kill().unwrap();
    upgrade.wait().unwrap();
    let line = shown();
    let line = line.lines().find(|line| line.contains("wait for healthy"));
    let line = line.expect("the operation goes on");
    assert!(
        line.contains("rolling upgrade to emulator@3.12.20: step "),
        "{line}"
    );
    assert!(line.contains("armadillo cancel"), "{line}");
    let second = scene.run(&["rolling-restart", "--force"]).ended(1).stderr;
    assert!(second.contains("is in progress"), "{second}");

    let cancelled = scene.run(&["cancel"]).ended(0).stdout;
    assert!(cancelled.contains(": cancelled\n"), "{cancelled}");
    scene.run(&["resume", "coordinator-1"]).ended(0);
    let all = scene.run(&["operations", "--json"]).ended(0).stdout;
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    assert_eq!(all[0]["outcome"], "cancelled", "{all}");
    assert_eq!(all[0]["steps"][0]["state"], "done", "{all}");
    assert!(!shown().contains("armadillo cancel"));
}

#[test]
fn what_is_done_cannot_be_cancelled() {
    let scene = Scene::new();
    let _up = Up::start(&scene, "single");
    scene.run(&["rolling-restart", "--force"]).ended(0);
    let shown = || scene.run(&["operations"]).ended(0).stdout;
    let done = shown();
    assert!(done.contains(": rolling restart: done\n"), "{done}");
    for cancel in [&["cancel"][..], &["cancel", "--deployment", "arangodb"]] {
        let said = scene.run(cancel).ended(1);
        let why = "error: no operation is in progress; `armadillo operations` shows those that have ended\n";
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", why));
    }
    assert_eq!(shown(), done);
}

#[test]
fn an_option_that_keeps_a_server_from_starting_is_gone_afterwards() {
    let scene = Scene::new();
    let _up = Up::start(&scene, "single");
    let wrong = [
        "rolling-restart",
        "--force",
        "--option",
        "server.endpoint=nowhere",
    ];
    let said = scene.run(&wrong).ended(1).stderr;
    assert!(
        said.contains("stopped, and not ready since: single-1"),
        "{said}"
    );
    scene.run(&["start", "single-1"]).ended(0);
}
