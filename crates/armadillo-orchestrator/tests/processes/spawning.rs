//! How processes are started.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::Duration;

use armadillo_orchestrator::process::{
    CoreLimit, Environment, InstallError, Ledger, Output, Processes, Spawn, SpawnError, proc_fs,
};
use armadillo_orchestrator::{Answers, Program, ProgramError, Settings, Verb};

use crate::support::{Ground, LIMIT, Scenario, block_on, is_alive, until};
use crate::system::Row;

pub(crate) const SCENARIOS: &[Scenario] = &[
    (
        "spawning::a_server_starts_from_an_empty_environment",
        empty_environment,
    ),
    (
        "spawning::a_worker_inherits_all_but_what_is_removed",
        inherited_environment,
    ),
    ("spawning::a_child_is_cut_off_from_its_parent", cut_off),
    (
        "spawning::only_the_installing_thread_may_spawn",
        wrong_thread,
    ),
    ("spawning::a_missing_program_is_named", missing_program),
    ("spawning::many_wait_for_one_exit", many_waiters),
    (
        "spawning::an_ended_process_is_not_signalled",
        signal_after_exit,
    ),
    (
        "spawning::a_program_is_found_and_asked_for_its_version",
        find_program,
    ),
];

fn sh(script: &str, environment: Environment, stdout: Output) -> Spawn {
    Spawn {
        label: "sh".into(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        directory: None,
        environment,
        stdout,
        stderr: Output::Null,
        cores: CoreLimit::Inherited,
    }
}

fn empty() -> Environment {
    Environment::Empty(BTreeMap::new())
}

/// Runs a script to its end and returns what it printed.
async fn printed(ground: &Ground, script: &str, environment: Environment) -> String {
    let path = ground.path().join("printed");
    let stdout = File::create(&path).unwrap();
    let process = ground
        .processes
        .spawn(sh(script, environment, stdout.into()))
        .unwrap();
    process.exited().await;
    fs::read_to_string(path).unwrap()
}

fn empty_environment() {
    block_on(async {
        let ground = Ground::new();
        let given = Environment::Empty([("GIVEN".to_owned(), "1".into())].into());
        let printed = printed(&ground, "exec env", given).await;
        let mut names: Vec<&str> = printed
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0))
            .filter(|name| !["HOME", "TZ", "LANG", "PWD", "_", "SHLVL", "OLDPWD"].contains(name))
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["ARMADILLO_RUN", "GIVEN", "LLVM_PROFILE_FILE", "PATH"]
        );
        let marker = format!("ARMADILLO_RUN={}\n", ground.processes.run_id());
        assert!(printed.contains(&marker));
        assert!(printed.contains("LLVM_PROFILE_FILE=/dev/null\n"));
    });
}

fn inherited_environment() {
    block_on(async {
        let ground = Ground::new();
        let environment = |remove: &[&str]| Environment::Inherit {
            remove: remove.iter().map(Into::into).collect(),
            set: BTreeMap::new(),
        };
        let all = printed(&ground, "exec env", environment(&[])).await;
        assert!(all.contains("ONLY_IN_THE_PARENT=1\n") && all.contains("ARMADILLO_RUN="));
        let rest = printed(&ground, "exec env", environment(&["ONLY_IN_THE_PARENT"])).await;
        assert!(!rest.contains("ONLY_IN_THE_PARENT"));
    });
}

fn cut_off() {
    // SAFETY: SIG_IGN is no handler, and this process has one thread.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
    }
    block_on(async {
        let ground = Ground::new();
        let script = "cat /proc/self/stat; cat; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; \
                      grep SigIgn /proc/self/status";
        let printed = printed(&ground, script, empty()).await;
        let lines: Vec<&str> = printed.lines().collect();
        let [stat, soft, hard, oom, ignored] = lines[..] else {
            panic!("{printed}");
        };
        let session: u32 = stat.split(' ').nth(5).unwrap().parse().unwrap();
        let own = fs::read_to_string("/proc/self/stat").unwrap();
        assert_ne!(own.split(' ').nth(5).unwrap(), session.to_string());
        assert_eq!(soft, hard);
        assert_eq!(oom, "500");
        let mask = u64::from_str_radix(ignored.rsplit('\t').next().unwrap(), 16).unwrap();
        assert_eq!(mask & (1 << (libc::SIGTERM - 1)), 0, "{ignored}");
        let ledger = Ledger::read(&ground.path().join("ledger")).unwrap();
        assert_eq!((ledger.len(), ledger[0].pid), (1, session));
        assert_eq!(ledger[0].label, "sh");
    });
}

fn wrong_thread() {
    block_on(async {
        let ground = Ground::new();
        let ledger = Ledger::open(&ground.path().join("other")).unwrap();
        let twice = Processes::install("x", ledger).map(|_| ()).unwrap_err();
        assert!(matches!(twice, InstallError::Twice));
        let processes = ground.processes.clone();
        let elsewhere = std::thread::spawn(move || {
            processes
                .spawn(sh("exit 0", empty(), Output::Null))
                .map(|_| ())
        });
        let error = elsewhere.join().unwrap().unwrap_err();
        assert!(matches!(error, SpawnError::WrongThread { .. }), "{error}");
    });
}

fn missing_program() {
    block_on(async {
        let ground = Ground::new();
        let mut spawn = sh("", empty(), Output::Null);
        spawn.program = "/nonexistent/program".into();
        let error = ground.processes.spawn(spawn).map(|_| ()).unwrap_err();
        assert!(
            error.to_string().contains("/nonexistent/program"),
            "{error}"
        );
        assert!(ground.processes.running().is_empty());
    });
}

fn many_waiters() {
    block_on(async {
        let ground = Ground::new();
        let process = ground
            .processes
            .spawn(sh("exit 7", empty(), Output::Null))
            .unwrap();
        let other = process.clone();
        let (one, two) = tokio::join!(process.exited(), other.exited());
        assert_eq!((one.code, two), (Some(7), one));
        assert_eq!(process.try_exit(), Some(one));
        assert!(ground.processes.running().is_empty());
    });
}

fn signal_after_exit() {
    block_on(async {
        let ground = Ground::new();
        let spawn = || {
            ground
                .processes
                .spawn(sh("exec sleep 1000", empty(), Output::Null))
        };
        let process = spawn().unwrap();
        let pid = process.pid();
        assert_eq!(proc_fs::start_time(pid), Some(process.start_time()));
        process.signal(Verb::Pause).unwrap();
        until("stopped", || process.is_stopped()).await;
        process.signal(Verb::Resume).unwrap();
        until("running", || process.is_running()).await;
        process.kill().unwrap();
        let exit = process.exited().await;
        assert!(exit.is_by(Verb::Kill), "{exit}");
        assert!(process.signal(Verb::Terminate).is_err());
        assert!(!is_alive(pid));
        let other = spawn().unwrap();
        assert!(!armadillo_orchestrator::process::tree::kill_exactly(
            other.pid(),
            other.start_time() + 1,
            Duration::from_millis(1),
        ));
        assert!(is_alive(other.pid()) && other.try_exit().is_none());
        assert!(other.kill_tree(LIMIT).await.is_some());
    });
}

fn find_program() {
    let error = Program::find(&Row, &Settings::default(), &mut Answers::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("no no-such-program in PATH; nothing is not built in"),
        "{text}"
    );
    assert!(text.ends_with("It cannot be had."), "{text}");
    let named = |path: &str| {
        let mut settings = Settings::default();
        settings.set("row", vec![path.to_owned()]);
        Program::find(&Row, &settings, &mut Answers::default())
    };
    let error = named("/nonexistent/program").unwrap_err();
    assert!(matches!(error, ProgramError::Named { .. }), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
    let error = named("/etc/passwd").unwrap_err().to_string();
    assert!(error.contains("is not executable"), "{error}");
    let found = named("/bin/echo").unwrap();
    assert!(found.version.is_some() && !found.stand_in);
    let error = Program::find_named(
        &Row,
        "/nonexistent/program",
        "node",
        "a test",
        &Settings::default(),
        &mut Answers::default(),
    )
    .unwrap_err();
    assert!(error.is_missing());
    let text = error.to_string();
    assert!(
        text.ends_with("it is set by a test: `node_binary = \"/nonexistent/program\"`"),
        "{text}"
    );
    assert!(
        text.starts_with("for the role node: the row program /nonexistent/program does not exist"),
        "{text}"
    );
    let named = Program::find_named(
        &Row,
        "/bin/echo",
        "node",
        "a test",
        &Settings::default(),
        &mut Answers::default(),
    )
    .unwrap();
    assert_eq!(named, found);
    // It prints nothing.
    let text = Program::find_named(
        &Row,
        "/usr/bin/test",
        "node",
        "a test",
        &Settings::default(),
        &mut Answers::default(),
    )
    .unwrap_err();
    assert!(
        text.to_string()
            .starts_with("for the role node: /usr/bin/test does not report a version of row"),
        "{text}"
    );
}
