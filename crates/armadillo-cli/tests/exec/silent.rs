//! A session whose daemon never answers.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use armadillo_harness::session;
use armadillo_orchestrator::process::proc_fs;
use serde_json::json;

use super::Scene;

/// It is gone when this is dropped.
pub(super) struct Silent {
    directory: PathBuf,
    _socket: UnixListener,
}

impl Silent {
    pub(super) fn in_scene(scene: &Scene) -> Self {
        Self::of_version(scene, session::PROTOCOL)
    }

    /// One that another version of Armadillo holds.
    fn of_version(scene: &Scene, protocol: u32) -> Self {
        let pid = std::process::id();
        Self::of_holder(scene, protocol, (pid, proc_fs::start_time(pid).unwrap()))
    }

    /// One that this process holds, which was started then.
    fn of_holder(scene: &Scene, protocol: u32, (pid, start_time): (u32, u64)) -> Self {
        let directory = scene.file("private").join("0");
        std::fs::create_dir_all(&directory).unwrap();
        let socket = directory.join("socket");
        let listening = UnixListener::bind(&socket).unwrap();
        let session = json!({
            "protocol": protocol,
            "command": "up",
            "pid": pid,
            "start_time": start_time,
            "socket": socket,
            "lease": "0",
            "token": "0",
            "deployments": ["0"],
            "variables": {},
            "files": directory,
        });
        std::fs::write(directory.join("session.json"), session.to_string()).unwrap();
        Self {
            directory,
            _socket: listening,
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn servers_of_another_version_are_left_alone() {
    let scene = Scene::new();
    for (theirs, help) in [(0, "use the program"), (2, "update this program")] {
        let _silent = Silent::of_version(&scene, theirs);
        let kill = ["kill", "member-1"];
        let of_run = [&kill[..], &["--run", "0"]].concat();
        for (args, code) in [(&["ps"][..], 0), (&kill[..], 1), (&of_run, 1)] {
            let said = scene.run(args);
            assert_eq!(said.code, Some(code), "{args:?}: {}", said.stderr);
            let versions = format!("protocol {theirs}, this is 1");
            for part in [versions.as_str(), help] {
                assert!(said.stderr.contains(part), "{args:?}: {}", said.stderr);
            }
        }
    }
}

/// Whatever another version has written: nobody can end it, so nobody is told to.
#[test]
fn what_is_left_of_another_version_is_not_up() {
    let scene = Scene::new();
    let mut holder = Command::new("true").spawn().unwrap();
    holder.wait().unwrap();
    let this = std::process::id();
    let before_this = proc_fs::start_time(this).unwrap() - 1;
    for protocol in [0, session::PROTOCOL + 1] {
        // It has ended, or another process has its id now.
        for holder in [(holder.id(), 1), (this, before_this)] {
            let _silent = Silent::of_holder(&scene, protocol, holder);
            let seen = scene.run(&["ps"]).ended(0);
            assert!(seen.stdout.contains("nothing is up"), "{}", seen.stdout);
            assert_eq!(seen.stderr, "", "protocol {protocol}, holder {holder:?}");
            let json = scene.run(&["ps", "--json"]).ended(0);
            assert_eq!((json.stdout.as_str(), json.stderr.as_str()), ("[]\n", ""));
            for kill in [
                &["kill", "member-1"][..],
                &["kill", "member-1", "--run", "0"],
            ] {
                let said = scene.run(kill).ended(1).stderr;
                assert!(said.contains("no deployments are up"), "{kill:?}: {said}");
            }
        }
    }
}
