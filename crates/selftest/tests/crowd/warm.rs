//! `--reuse`: deployments that outlive a run, and what the next run does with them.

#![expect(
    clippy::expect_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use armadillo_selftest::wait::{LIMIT, until};
use armadillo_selftest::{remains, suite};
use rustix::process::Signal;
use serde_json::Value;

const SUITE: &str = env!("CARGO_BIN_EXE_warm");

/// Where runs follow each other.
pub(super) struct Scene {
    pub(super) home: tempfile::TempDir,
    token: String,
}

/// A server as a test had it.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    deployment: String,
    at: String,
    directory: PathBuf,
}

/// A run that has ended.
pub(super) struct Ran {
    pub(super) said: String,
    /// Where its notes begin.
    notes: Vec<String>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let name = home
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        Self {
            token: format!("warm-{}-{name}", std::process::id()),
            home,
        }
    }

    fn notes(&self) -> PathBuf {
        self.home.path().join("notes")
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("ARMADILLO_")) {
            command.env_remove(name);
        }
        command
            .current_dir(self.home.path())
            .env("CARGO_MANIFEST_DIR", self.home.path())
            .env("ARMADILLO_OUTPUT_DIR", self.home.path().join("runs"))
            .env("ARMADILLO_RUNTIME_DIR", self.home.path().join("private"))
            .env("SELFTEST_NOTES", self.notes())
            .env("SELFTEST_TOKEN", &self.token);
        command
    }

    /// Runs `program` with these arguments; all tests pass.
    fn run_program(&self, program: &Path, args: &[&str]) -> Ran {
        let before = self.all_notes().len();
        let output = self.command(program).args(args).output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = format!("{}\n{}", text(&stdout), text(&stderr));
        assert!(status.success(), "{said}");
        Ran {
            notes: self.all_notes().split_off(before),
            said,
        }
    }

    pub(super) fn run(&self, args: &[&str]) -> Ran {
        self.run_program(Path::new(SUITE), args)
    }

    fn all_notes(&self) -> Vec<String> {
        let notes = std::fs::read_to_string(self.notes()).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    }

    /// The shared daemons.
    fn daemons(&self) -> Vec<Value> {
        let runs = std::fs::read_dir(self.home.path().join("private"));
        let files = runs.into_iter().flatten().flatten();
        let files = files.filter_map(|run| std::fs::read(run.path().join("shared.json")).ok());
        files
            .filter_map(|content| serde_json::from_slice(&content).ok())
            .collect()
    }

    /// The ids of the shared daemons.
    fn ids(&self) -> Vec<String> {
        let daemons = self.daemons().into_iter();
        let ids = daemons.filter_map(|daemon| {
            let directory = Path::new(daemon["started"]["run_dir"].as_str()?).to_owned();
            Some(directory.file_name()?.to_str()?.to_owned())
        });
        ids.collect()
    }

    /// Ends them, and everything is gone.
    pub(super) fn end(self) {
        let ids = self.ids();
        for daemon in self.daemons() {
            let socket = daemon["started"]["socket"].as_str().expect("a socket");
            let mut stream = UnixStream::connect(socket).expect("a daemon");
            let request = "POST /v1/end HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(request.as_bytes()).expect("it takes it");
            stream
                .read_to_string(&mut String::new())
                .expect("it answers");
        }
        self.is_gone(&ids);
    }

    /// Nothing is left of the daemons with these ids, after a while.
    fn is_gone(&self, ids: &[String]) {
        assert!(!ids.is_empty());
        assert_eq!(remains::after(LIMIT, &self.token, ids), [""; 0]);
        let gone = until(LIMIT, || self.daemons().is_empty().then_some(()));
        assert!(gone.is_some(), "{:?}", self.daemons());
    }
}

impl Ran {
    /// The server of the test that says which one it has.
    fn server(&self) -> Server {
        let mut lines = self
            .notes
            .iter()
            .filter_map(|note| note.strip_prefix("on "));
        let mut words = lines.next().expect("a server").split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        Server {
            deployment: word(),
            at: word(),
            directory: word().into(),
        }
    }
}

/// Asks a server.
fn ask(at: &str, line: &str) {
    let mut stream = TcpStream::connect(at).expect("a server");
    stream
        .write_all(format!("{line}\n").as_bytes())
        .expect("it listens");
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("it answers");
}

#[test]
fn the_next_run_has_the_servers_of_the_last() {
    let scene = Scene::new();
    let first = scene.run(&["shows", "--reuse"]);
    assert!(
        first.said.contains("1 deployment started"),
        "{}",
        first.said
    );
    let second = scene.run(&["shows", "--reuse=5m"]);
    assert_eq!(first.server(), second.server());
    assert!(second.said.contains("already running"), "{}", second.said);
    assert!(
        second.said.contains("0 deployments started, 1 already"),
        "{}",
        second.said
    );
    // Without the flag, a run has its own.
    assert_ne!(scene.run(&["shows"]).server(), first.server());
    scene.end();
}

#[test]
fn what_a_run_keeps_for_a_deployment_ends_with_it() {
    let scene = Scene::new();
    for _ in 0..2 {
        let ran = scene.run(&["keeps", "--reuse"]);
        assert_eq!(ran.notes, ["set up", "torn down"], "{}", ran.said);
    }
    scene.end();
}

#[test]
fn runs_at_the_same_time_have_servers_of_their_own() {
    let scene = Scene::new();
    let start = |_| {
        let mut command = scene.command(Path::new(SUITE));
        command
            .args(["--reuse", "--repeat", "20"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts")
    };
    let both: Vec<_> = (0..2).map(start).collect();
    for mut child in both {
        let ended = until(LIMIT, || child.try_wait().expect("a child"));
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    }
    scene.end();
}

#[test]
fn they_end_when_nobody_has_used_them_for_a_while() {
    let scene = Scene::new();
    let ran = scene.run(&["shows", "--reuse=2s"]);
    let deployment = ran.server().deployment;
    // The last word of its name begins with the id of the daemon: eight hexadecimal digits, of which `d` is one.
    let last = deployment.rsplit('-').next();
    let id = last.and_then(|last| last.get(..8)).expect("an id");
    scene.is_gone(&[id.to_owned()]);
}

/// What is done to a server between two runs, and what the second says of it.
fn spoilt(spoil: impl FnOnce(&Scene, &Server), args: &[&str], says: &str) {
    let scene = Scene::new();
    let first = scene.run(&["shows", "--reuse"]).server();
    spoil(&scene, &first);
    let second = scene.run(&[&["shows", "--reuse"], args].concat());
    assert_ne!(second.server(), first, "{}", second.said);
    assert!(second.said.contains(says), "{}", second.said);
    scene.end();
}

#[test]
fn a_server_that_was_killed_by_hand_is_started_again() {
    let scene = Scene::new();
    let first = scene.run(&["shows", "--reuse"]).server();
    let marks = scene
        .ids()
        .into_iter()
        .map(|id| format!("ARMADILLO_RUN={id}"));
    let servers = remains::processes(&marks.collect::<Vec<_>>());
    let mut servers = servers
        .iter()
        .filter(|found| found.command.contains("__armadillo tally"));
    let server = servers.next().unwrap_or_else(|| panic!("{servers:?}"));
    suite::send(server.pid, Signal::KILL);
    // At the same place: it is the same deployment, repaired, and the test finds it whole.
    let second = scene.run(&["shows", "--reuse"]);
    assert_eq!(second.server(), first, "{}", second.said);
    scene.end();
}

#[test]
fn what_was_left_on_a_server_is_not_handed_on() {
    spoilt(
        |_, server| ask(&server.at, "add leftovers 1"),
        &[],
        "replaced: it is from an earlier run: ",
    );
}

#[test]
fn servers_whose_files_are_gone_are_replaced() {
    spoilt(
        |_, server| std::fs::remove_dir_all(&server.directory).expect("its files"),
        &[],
        "somebody has removed",
    );
}

#[test]
fn another_option_is_another_deployment() {
    spoilt(
        |_, _| {},
        &["--brittle-word", "other"],
        "it was started with a different program or different settings",
    );
}

/// The same executable, but for a comment in the source file of the server.
fn with_other_server(mut content: Vec<u8>) -> Vec<u8> {
    let source = include_str!("../../../../examples/tally/src/server.rs");
    let comment = source.lines().next().expect("a first line").as_bytes();
    let places = content.windows(comment.len());
    let places = places.enumerate().filter(|(_, bytes)| *bytes == comment);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(
        !places.is_empty(),
        "the source file is not in the executable"
    );
    for place in places {
        content[place + comment.len() - 1] = b'!';
    }
    content
}

#[test]
fn a_program_that_was_replaced_is_another_program() {
    let scene = Scene::new();
    let program = scene.home.path().join("suite");
    let put = |content: &[u8]| {
        let new = program.with_extension("new");
        std::fs::copy(SUITE, &new).expect("a copy");
        std::fs::write(&new, content).expect("its content");
        std::fs::rename(&new, &program).expect("in its place");
    };
    let content = std::fs::read(SUITE).expect("the suite");
    put(&content);
    let first = scene.run_program(&program, &["shows", "--reuse"]);
    // A test was changed, and the executable built again: the server in it is the same.
    put(&content);
    let same = scene.run_program(&program, &["shows", "--reuse"]);
    assert_eq!(first.server(), same.server());
    // The server's source file, which is in the executable to tell its builds apart.
    put(&with_other_server(content));
    let other = scene.run_program(&program, &["shows", "--reuse"]);
    assert_ne!(other.server(), first.server(), "{}", other.said);
    scene.end();
}
