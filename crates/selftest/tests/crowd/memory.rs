//! What several runs of a user hold of the machine's memory. The other run is one on paper: a file like those that daemons write.

#![expect(
    clippy::expect_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use armadillo_selftest::wait::{LIMIT, until};
use serde_json::{Value, json};

use super::warm::Scene;

const SUITE: &str = env!("CARGO_BIN_EXE_warm");

/// Another run of this user.
struct Other {
    directory: PathBuf,
    /// While it is locked, the run lives.
    _lock: File,
}

impl Other {
    fn in_scene(scene: &Scene) -> Self {
        let directory = scene.home.path().join("private/0000000a");
        let mut builder = std::fs::DirBuilder::new();
        let builder = builder.recursive(true).mode(0o700);
        builder.create(&directory).expect("a private directory");
        let lock = File::create(directory.join("lock")).expect("a lock");
        lock.lock_shared().expect("it is new");
        Self {
            directory,
            _lock: lock,
        }
    }

    /// It holds so much of `total`, and waits for more since the machine was started, or not.
    fn holds(&self, memory_mib: u64, total: u64, waits: bool) {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("this process");
        let start_time = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split(' ').nth(20));
        let reservation = json!({
            "pid": std::process::id(),
            "start_time": start_time.and_then(|time| time.parse::<u64>().ok()).expect("a time"),
            "memory_mib": memory_mib,
            "total_mib": total,
            "waits": waits.then(|| json!({"since_us": 1, "memory_mib": 100})),
        });
        let new = self.directory.join("new");
        std::fs::write(&new, reservation.to_string()).expect("a file");
        std::fs::rename(new, self.directory.join("reserved.json")).expect("a file");
    }
}

/// What the daemons of the runs in the scene hold.
fn held(scene: &Scene) -> u64 {
    let runs = std::fs::read_dir(scene.home.path().join("private")).expect("runs");
    let others = runs.flatten().filter(|run| run.file_name() != "0000000a");
    let read = |run: &Path| {
        let text = std::fs::read(run.join("reserved.json")).ok()?;
        let content: Value = serde_json::from_slice(&text).ok()?;
        content["memory_mib"].as_u64()
    };
    others.filter_map(|run| read(&run.path())).sum()
}

#[test]
fn a_run_waits_for_what_others_hold() {
    let scene = Scene::new();
    let other = Other::in_scene(&scene);
    other.holds(1_000, 1_000, false);
    let said = scene.home.path().join("said");
    let file = File::create(&said).expect("a file");
    let mut command = scene.command(Path::new(SUITE));
    let command = command
        .arg("shows")
        .stdout(file.try_clone().expect("a file"));
    let mut run = command.stderr(file).spawn().expect("it starts");
    let waits = "waiting for memory: other runs of this user hold 1000 of 1000 MiB";
    let text = || std::fs::read_to_string(&said).unwrap_or_default();
    let found = until(LIMIT, || text().contains(waits).then_some(()));
    assert!(found.is_some(), "{}", text());
    assert_eq!(held(&scene), 0);
    other.holds(900, 1_000, false);
    let ended = until(LIMIT, || run.try_wait().expect("a child"));
    assert!(ended.is_some_and(|status| status.success()), "{}", text());

    // A limit of its own is its own.
    other.holds(1_000, 1_000, false);
    let ran = scene.run(&["shows", "--memory", "100"]);
    assert!(!ran.said.contains("waiting for memory"), "{}", ran.said);
}

#[test]
fn what_is_kept_for_later_makes_room_for_others() {
    let scene = Scene::new();
    scene.run(&["shows", "--reuse"]);
    assert_eq!(held(&scene), 8);
    let other = Other::in_scene(&scene);
    other.holds(1_000, 1_000, true);
    let gone = until(LIMIT, || (held(&scene) == 0).then_some(()));
    assert!(gone.is_some(), "{} MiB are held", held(&scene));
    other.holds(0, 1_000, false);
    let again = scene.run(&["shows", "--reuse"]).said;
    assert!(again.contains("1 deployment started"), "{again}");
    scene.end();
}
