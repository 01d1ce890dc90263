//! `get`, with programs in the place of Go and Debian's that do at once what these take a minute for.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A `go` that builds a shell script which reports the version it was asked to get. Each build leaves a line in `builds`. While
/// there is a file `hold`, a build waits.
const GO: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$1" in
  mod|install) ;;
  get) echo "$2" | sed 's/.*@v//' > version ;;
  env) echo go1.99 ;;
  list) echo "module v3.6.9 v3.6.16 v3.7.0-rc.0" ;;
  build)
    echo build >> "$here/builds"
    while [ -e "$here/hold" ]; do sleep 0.01; done
    printf '#!/bin/sh\necho "etcd Version: %s"\n' "$(cat version)" > "$3"
    chmod 755 "$3" ;;
esac
"#;

/// A `go` without a network.
const OFFLINE: &str = "#!/bin/sh\n[ \"$1\" = get ] && echo 'dial tcp: lookup proxy: no such host' >&2 && exit 1\nexit 0\n";

struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn with(go: Option<&str>) -> Self {
        let scene = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(scene.bin()).unwrap();
        if let Some(go) = go {
            let path = scene.bin().join("go");
            fs::write(&path, go).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // Only these: there is no Go, no pip and no Debian but ours.
        for tool in ["sh", "sed", "cat", "chmod", "dirname", "sleep"] {
            let found = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
            let found = found.iter().find(|path| path.exists()).unwrap();
            std::os::unix::fs::symlink(found, scene.bin().join(tool)).unwrap();
        }
        scene
    }

    fn bin(&self) -> PathBuf {
        self.directory.path().join("bin")
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("servers")
    }

    fn command(&self, version: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_armadillo"));
        command
            .args(["get", "etcd", version])
            .env_clear()
            .env("PATH", self.bin())
            .env("ARMADILLO_SERVERS_DIR", self.cache())
            .stdin(Stdio::null());
        command
    }

    fn get(&self, version: &str) -> (bool, String) {
        let Output { status, stderr, .. } = self.command(version).output().unwrap();
        (
            status.success(),
            String::from_utf8_lossy(&stderr).into_owned(),
        )
    }

    fn start(&self, version: &str) -> Child {
        self.command(version)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn builds(&self) -> usize {
        let builds = fs::read_to_string(self.bin().join("builds"));
        builds.unwrap_or_default().lines().count()
    }

    /// Waits for the first build: it leaves a line.
    fn wait_for_a_build(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if self.builds() > 0 {
                return;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing tells that a file has grown"
            )]
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nothing is built");
    }

    /// What is in the cache, but for the files of locks.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.cache().join("etcd"))
            .into_iter()
            .flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
        names.sort();
        names
    }
}

#[test]
fn a_version_is_built_once_and_says_where_it_comes_from() {
    let scene = Scene::with(Some(GO));
    let (done, said) = scene.get("3.6.16");
    assert!(done, "{said}");
    let origin = fs::read_to_string(scene.cache().join("etcd/3.6.16/origin.json")).unwrap();
    assert!(
        origin.contains("go.etcd.io/etcd/server/v3@v3.6.16, go1.99"),
        "{origin}"
    );
    let (done, said) = scene.get("3.6");
    assert!(done && said.contains("is already there"), "{said}");
    assert_eq!(
        (scene.builds(), scene.kept()),
        (1, vec!["3.6.16".to_owned()])
    );
}

#[test]
fn two_at_once_build_once() {
    let scene = Scene::with(Some(GO));
    fs::write(scene.bin().join("hold"), "").unwrap();
    let first = scene.start("3.6.16");
    scene.wait_for_a_build();
    let second = scene.start("3.6.16");
    fs::remove_file(scene.bin().join("hold")).unwrap();
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(scene.builds(), 1);
    assert_eq!(scene.kept(), ["3.6.16"]);
}

#[test]
fn what_an_interrupted_build_left_is_removed_by_the_next() {
    let scene = Scene::with(Some(GO));
    fs::write(scene.bin().join("hold"), "").unwrap();
    let mut first = scene.start("3.6.16");
    scene.wait_for_a_build();
    first.kill().unwrap();
    first.wait().unwrap();
    let left = scene.kept();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].starts_with(".unfinished-3.6.16-"), "{left:?}");
    fs::remove_file(scene.bin().join("hold")).unwrap();
    let (done, said) = scene.get("3.6.16");
    assert!(done, "{said}");
    assert_eq!(scene.kept(), ["3.6.16"]);
}

#[test]
fn without_go_or_network_it_says_so_and_keeps_nothing() {
    let scene = Scene::with(None);
    let (done, said) = scene.get("3.6.16");
    assert!(!done && said.contains("there is no `go` in PATH"), "{said}");
    assert!(said.contains("install Go"), "{said}");
    let scene = Scene::with(Some(OFFLINE));
    let (done, said) = scene.get("3.6.16");
    assert!(!done && said.contains("no such host"), "{said}");
    assert_eq!(scene.kept(), Vec::<String>::new());
    let (done, said) = scene.get("3.4.23");
    assert!(
        !done && said.contains("there is no package etcd-server here"),
        "{said}"
    );
}

#[test]
fn a_program_of_another_version_is_not_kept() {
    let other = GO.replace("$(cat version)", "3.6.1");
    let scene = Scene::with(Some(&other));
    let (done, said) = scene.get("3.6.16");
    assert!(
        !done && said.contains("reports version 3.6.1, not 3.6.16"),
        "{said}"
    );
    assert_eq!(scene.kept(), Vec::<String>::new());
}
