//! `exec`, `up` and what can be done to servers that are up, as a person types it. The servers are those of the stand-in.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod completed;
mod operations;
mod packed;
mod silent;
mod usage;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const ARMADILLO: &str = env!("CARGO_BIN_EXE_armadillo");

/// How long servers may take to come or go.
const LIMIT: Duration = Duration::from_secs(60);

/// A user of their own: nobody else's sessions are seen.
struct Scene {
    home: TempDir,
}

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Scene {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_of(Path::new(ARMADILLO), args)
    }

    fn command_of(&self, armadillo: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(armadillo);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ARMADILLO_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .env("ARMADILLO_RUNTIME_DIR", self.home.path().join("private"))
            .env("ARMADILLO_OUTPUT_DIR", self.home.path().join("runs"))
            .env("ARMADILLO_ARANGOD", "emulator")
            .env_remove("CARGO")
            // Settings are looked for where the command is called, as at a terminal.
            .env_remove("CARGO_MANIFEST_DIR")
            .current_dir(self.home.path());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        said(&self.command(args).output().unwrap())
    }

    /// `exec` of this script.
    fn exec(&self, topology: &[&str], script: &str) -> Said {
        let words = [&["exec"], topology, &["--", "sh", "-c", script]].concat();
        self.run(&words)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }
}

fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

impl Said {
    #[track_caller]
    fn ended(self, code: i32) -> Self {
        let (stdout, stderr) = (&self.stdout, &self.stderr);
        assert_eq!(
            self.code,
            Some(code),
            "--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        self
    }
}

/// Waits until it is so.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "timed out waiting for {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "nothing announces what another process does"
        )]
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Servers that are up; they end with the test.
struct Up<'a> {
    scene: &'a Scene,
    child: Option<Child>,
}

impl<'a> Up<'a> {
    fn start(scene: &'a Scene, topology: &str) -> Self {
        let mut command = scene.command(&["up", topology]);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let up = Self {
            scene,
            child: Some(child.unwrap()),
        };
        wait_for("a session", || {
            scene.run(&["ps"]).stdout.contains("pid").then_some(())
        });
        up
    }

    /// What it has said, once it has ended.
    fn end(mut self) -> Said {
        said(&self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = self.scene.run(&["down", "--all"]);
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_command_reaches_its_servers_and_its_exit_code_counts() {
    let scene = Scene::new();
    let script = "env > variables; echo to stdout; exit 7";
    let said = scene
        .exec(&["single", "--env", "URL=<{ARANGO_ENDPOINTS}>"], script)
        .ended(7);
    assert_eq!(said.stdout, "to stdout\n");
    assert!(
        said.stderr.contains("`sh` exited with code 7"),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr.contains("rerun: armadillo exec single"),
        "{}",
        said.stderr
    );
    let variables = std::fs::read_to_string(scene.file("variables")).unwrap();
    let value = |name: &str| {
        let line = variables
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.map(str::to_owned)
    };
    let endpoint = value("ARANGO_ENDPOINTS").unwrap();
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    assert_eq!(value("URL"), Some(format!("<{endpoint}>")));
    assert_eq!(value("ARANGO_USERNAME").as_deref(), Some("root"));
    // What is said to the harness is not said to the command.
    assert_eq!(value("ARMADILLO_OUTPUT_DIR"), None);
    // The password is in no file of the run.
    let password = value("ARANGO_PASSWORD").unwrap();
    assert!(password.len() > 20);
    let runs = scene.file("runs");
    assert!(runs.join("latest/junit.xml").is_file());
    let found = Command::new("grep")
        .args(["-rlF", "-e", &password])
        .arg(&runs)
        .output()
        .unwrap();
    let files = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!((found.status.code(), files.as_str()), (Some(1), ""));
    // Afterwards nothing is up.
    let ps = scene.run(&["ps"]).ended(0);
    assert!(ps.stdout.contains("nothing is up"), "{}", ps.stdout);
}

#[test]
fn a_command_may_disturb_its_servers_but_a_crash_is_a_failure() {
    let scene = Scene::new();
    let meant = format!("{ARMADILLO} kill single-1 && {ARMADILLO} start single-1");
    let said = scene.exec(&["single"], &meant).ended(0);
    assert!(
        said.stdout.contains("single-1: killed after"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("single-1: started, ready after"),
        "{}",
        said.stdout
    );
    let crash = format!(
        "pid=$({ARMADILLO} ps | awk '$1 == \"single-1\" {{ print $4 }}'); kill -SEGV $pid; \
         while kill -0 $pid 2>/dev/null; do sleep 0.05; done"
    );
    let said = scene.exec(&["single"], &crash).ended(101);
    assert!(said.stderr.contains("server crashed: "), "{}", said.stderr);
    assert!(said.stderr.contains("SIGSEGV"), "{}", said.stderr);
}

#[test]
fn several_deployments_have_variables_and_names_of_their_own() {
    let scene = Scene::new();
    let script = format!(
        "env | grep -c ^ARANGO_ENDPOINTS; {ARMADILLO} ps; {ARMADILLO} kill arangodb-2/single-1; \
         {ARMADILLO} kill arangodb-2/single-1; {ARMADILLO} kill single-2; {ARMADILLO} kill single-1"
    );
    let said = scene.exec(&["single", "single"], &script).ended(1);
    assert_eq!(said.stdout.lines().next(), Some("2"));
    for says in [
        "\n  arangodb/single-1 ",
        "\n  arangodb-2/single-1 ",
        "\narangodb-2/single-1: killed after",
    ] {
        assert!(said.stdout.contains(says), "{says}: {}", said.stdout);
    }
    for says in [
        "error: arangodb-2/single-1: cannot kill single-1: it is stopped",
        "the servers are arangodb/single-1, arangodb-2/single-1",
        "several deployments have a server named `single-1`: write arangodb/single-1 or arangodb-2/single-1",
    ] {
        assert!(said.stderr.contains(says), "{says}: {}", said.stderr);
    }
}

#[test]
fn a_command_is_told_to_end_before_its_servers_are() {
    let scene = Scene::new();
    // Its server still runs after it was told.
    let script = format!(
        "trap '{ARMADILLO} ps > after; exit 3' TERM; touch ready; while :; do sleep 0.05; done"
    );
    let script = script.as_str();
    let mut command = scene.command(&["exec", "single", "--", "sh", "-c", script]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the command", || scene.file("ready").exists().then_some(()));
    let told = Command::new("kill").arg(child.id().to_string()).status();
    assert!(told.unwrap().success());
    let said = said(&child.wait_with_output().unwrap()).ended(3);
    let after = std::fs::read_to_string(scene.file("after")).unwrap();
    assert!(
        after.contains("single  running"),
        "{after}\n{}",
        said.stderr
    );
}

#[test]
fn servers_are_up_until_somebody_ends_them() {
    let scene = Scene::new();
    let up = Up::start(&scene, "cluster(agents = 1, links)");
    let ps = scene.run(&["ps"]).ended(0).stdout;
    let row = |ps: &str, server: &str| {
        let rows = ps
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        rows.into_iter()
            .find(|row| row.starts_with(server))
            .unwrap()
    };
    assert!(row(&ps, "dbserver-1").contains("dbserver running"), "{ps}");
    for (verb, done, state) in [
        ("kill", "killed", "stopped"),
        ("start", "started, ready", "running"),
        ("pause", "paused", "paused"),
        ("resume", "resumed", "running"),
        ("restart", "restarted, ready", "running"),
        ("stop", "stopped", "stopped"),
    ] {
        let said = scene.run(&[verb, "dbserver-1"]).ended(0);
        assert!(
            said.stdout.contains(&format!("dbserver-1: {done} after")),
            "{}",
            said.stdout
        );
        let ps = scene.run(&["ps"]).ended(0).stdout;
        assert!(
            row(&ps, "dbserver-1").contains(&format!("dbserver {state}")),
            "{verb}: {ps}"
        );
    }
    let twice = scene.run(&["stop", "dbserver-1"]).ended(1);
    let why = "error: cannot stop dbserver-1: it is stopped\n";
    assert_eq!(twice.stderr, why);
    let unknown = scene.run(&["kill", "dbserver-2", "dbserver-9"]).ended(1);
    assert!(
        unknown
            .stderr
            .contains("no server named `dbserver-9`; the servers are agent-1")
    );
    let ps = scene.run(&["ps"]).ended(0).stdout;
    assert!(row(&ps, "dbserver-2").contains("dbserver running"), "{ps}");
    let log = scene
        .run(&["logs", "coordinator-1", "-n", "1"])
        .ended(0)
        .stdout;
    assert!(
        log.lines().count() == 1 && log.contains("ready for business"),
        "{log}"
    );
    assert!(
        scene
            .run(&["cut", "dbserver-2", "agent-1"])
            .ended(0)
            .stdout
            .contains("cut off")
    );
    scene.run(&["heal"]).ended(0);
    the_variables_work(&scene);
    let down = scene.run(&["down"]).ended(0);
    assert!(down.stdout.contains(": stopped"), "{}", down.stdout);
    let said = up.end().ended(0);
    assert!(said.stdout.contains("In another shell:"), "{}", said.stdout);
    assert!(!said.stderr.contains("the command"), "{}", said.stderr);
    assert!(scene.run(&["ps"]).stdout.contains("nothing is up"));
    let late = scene.run(&["kill", "dbserver-2"]).ended(1);
    assert!(late.stderr.contains("armadillo up"), "{}", late.stderr);
}

#[test]
fn servers_that_are_up_are_upgraded_one_after_the_other() {
    let scene = Scene::new();
    let _up = Up::start(&scene, "cluster(agents = 1, dbservers = 2)");
    // As the function of the shell asks, when somebody has typed `armadillo kill dbs` and the tab key.
    let mut asked = scene.command(&["--", "armadillo", "kill", "dbs"]);
    let completed = said(&asked.env("_ARMADILLO_COMPLETE", "fish").output().unwrap());
    assert_eq!(completed.ended(0).stdout, "dbserver-1\ndbserver-2\n");
    // A daemon that does not answer keeps nobody waiting for the others.
    let silent = silent::Silent::in_scene(&scene);
    let began = Instant::now();
    let completed = said(&asked.output().unwrap());
    assert_eq!(completed.ended(0).stdout, "dbserver-1\ndbserver-2\n");
    assert!(began.elapsed() < Duration::from_secs(8));
    drop(silent);
    let plan = scene
        .run(&["upgrade", "emulator@3.12.20", "--plan"])
        .ended(0);
    let restart = "dbserver-2: restart with 3.12.20";
    assert!(plan.stdout.contains(restart), "{}", plan.stdout);
    let said = scene.run(&["upgrade", "emulator@3.12.20", "--without-gate", "x"]);
    let why = "the plan has no gate named `x`; its gates are healthy, in-sync";
    assert!(said.ended(1).stderr.contains(why));
    let said = scene.run(&["upgrade", "emulator@3.12.20", "--deployment", "etcd"]);
    let why = "error: no deployment named `etcd`; the deployments are arangodb\n";
    assert_eq!(said.ended(1).stderr, why);
    // Nothing has happened so far.
    let back = scene.run(&["downgrade", "emulator@3.12.20"]).ended(1);
    assert!(back.stderr.contains("is newer than"), "{}", back.stderr);
    let done = scene.run(&["upgrade", "emulator@3.12.20"]).ended(0).stdout;
    let steps = done
        .lines()
        .filter(|line| line.contains(": restart with 3.12.20 ("));
    assert_eq!(steps.count(), 4, "{done}");
    assert!(done.contains("\ndone after "), "{done}");
    let again = scene.run(&["rolling-restart"]).ended(0).stdout;
    let steps = again.lines().filter(|line| line.contains(": restart ("));
    assert_eq!(steps.count(), 4, "{again}");
}

/// The file that `up` names is for its owner only, and a shell reads it.
fn the_variables_work(scene: &Scene) {
    let runs = std::fs::read_dir(scene.file("private")).unwrap().flatten();
    let mut files = runs.map(|run| run.path().join("environment"));
    let file = files.find(|path| path.is_file()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&file.with_file_name("session.json")), 0o600);
    let script = format!(
        ". {} && echo $ARANGO_ENDPOINTS $ARANGO_USERNAME $(echo $ARANGO_PASSWORD | wc -c) && {ARMADILLO} ps",
        file.display()
    );
    let asked = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = said(&asked).ended(0).stdout;
    let words: Vec<&str> = said.lines().next().unwrap().split(' ').collect();
    let [endpoint, "root", length] = words.as_slice() else {
        panic!("{said}");
    };
    assert!(length.parse::<usize>().unwrap() > 20, "{said}");
    // It is the coordinator's.
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut rows = said.lines().skip(1);
    let row = rows.find(|line| line.contains(address)).unwrap();
    assert!(row.contains("coordinator-1"), "{said}");
}

#[test]
fn settings_about_tests_do_not_concern_commands() {
    let scene = Scene::new();
    let settings = "timeout = \"200ms\"\nrun-timeout = \"200ms\"\nretries = 2\nrepeat = 3\nthread-per-test = true\n\
                    [system.etcd]\nmissing = \"ignore\"\n";
    std::fs::write(scene.file("armadillo.toml"), settings).unwrap();
    let said = scene
        .exec(&["single"], "sleep 0.5; echo once; exit 5")
        .ended(5);
    assert_eq!(said.stdout, "once\n");
    // Nothing is passed over that is not there.
    let said = scene
        .run(&["exec", "etcd", "--etcd", "/no/such/etcd", "--", "true"])
        .ended(3);
    assert!(said.stderr.contains("/no/such/etcd"), "{}", said.stderr);
    let said = scene
        .run(&["exec", "etcd", "--etcd", "3.99", "--", "true"])
        .ended(3);
    assert!(
        said.stderr.contains("armadillo get etcd 3.99"),
        "{}",
        said.stderr
    );
    // On the command line, a limit is meant for the command, which is told to end.
    let script = "trap 'echo told; exit 1' TERM; while :; do sleep 0.05; done";
    let said = scene
        .exec(&["single", "--timeout", "4s"], script)
        .ended(124);
    assert_eq!(said.stdout, "told\n");
    let says = "timed out: `sh` did not end within 4s, the limit of --timeout";
    assert!(said.stderr.contains(says), "{}", said.stderr);
    for about_tests in ["thread", "the test"] {
        assert!(!said.stderr.contains(about_tests), "{}", said.stderr);
    }
    let status = "runs/latest/tests/command/single-1-status.json";
    assert!(scene.file(status).is_file(), "evidence of the servers");
}

#[test]
fn who_cuts_servers_without_links_is_told_how_to_get_them() {
    let scene = Scene::new();
    let script = format!("{ARMADILLO} cut dbserver-1");
    let said = scene.exec(&["cluster(agents = 1)"], &script).ended(1);
    assert!(
        said.stderr
            .contains("write the topology as 'cluster(links)'"),
        "{}",
        said.stderr
    );
}

#[test]
fn who_asks_sees_what_clients_see() {
    let scene = Scene::new();
    let script = format!("echo $ARANGO_ENDPOINTS; {ARMADILLO} ps --json; {ARMADILLO} heal");
    let said = scene
        .exec(&["single(client_links)"], &script)
        .ended(0)
        .stdout;
    let mut lines = said.lines();
    let endpoint = lines.next().unwrap().strip_prefix("http://").unwrap();
    let runs: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let server = &runs[0]["deployments"][0]["servers"][0];
    assert_eq!(server["endpoints"]["http"], endpoint, "{said}");
}

#[test]
fn a_shell_whose_session_is_over_is_told() {
    let scene = Scene::new();
    let mut command = scene.command(&["ps"]);
    let asked = command
        .env("ARMADILLO_SESSION", "/no/such/session.json")
        .output();
    let said = said(&asked.unwrap()).ended(1);
    assert!(
        said.stderr.contains("unset ARMADILLO_SESSION"),
        "{}",
        said.stderr
    );
    let inner = format!("{ARMADILLO} down");
    let said = scene.exec(&["single"], &inner).ended(1);
    assert!(
        said.stderr
            .contains("this shell runs in armadillo exec single"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_log_is_followed_across_restarts() {
    let scene = Scene::new();
    let _up = Up::start(&scene, "single");
    let logs = scene.file("logs");
    let mut command = scene.command(&["logs", "single-1", "--follow"]);
    let mut follows = command
        .stdout(std::fs::File::create(&logs).unwrap())
        .spawn()
        .unwrap();
    let ready = || {
        let text = std::fs::read_to_string(&logs).unwrap();
        text.matches("ready for business").count()
    };
    wait_for("the first start in the log", || {
        (ready() == 1).then_some(())
    });
    scene.run(&["restart", "single-1"]).ended(0);
    wait_for("the second start in the log", || {
        (ready() == 2).then_some(())
    });
    follows.kill().unwrap();
    follows.wait().unwrap();
}
