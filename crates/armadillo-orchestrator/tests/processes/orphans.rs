//! What descends from servers, and what outlives everybody.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use armadillo_orchestrator::process::{
    CoreLimit, Environment, Ledger, Output, Processes, Spawn, proc_fs, tree,
};
use armadillo_orchestrator::{Operation, RunDir, run_dir};

use crate::support::{
    Ground, LIMIT, Scenario, block_on, is_alive, key, pid_of, row, sleepers, until,
};

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("orphans::what_a_server_daemonised_dies_with_it", daemonised),
    (
        "orphans::a_tree_is_killed_until_nothing_is_left",
        whole_tree,
    ),
    ("orphans::the_warden_kills_all_but_the_excepted", warden),
    (
        "orphans::what_clears_its_environment_keeps_the_mark",
        without_environment,
    ),
    ("orphans::a_sweep_ends_what_both_deaths_left", both_died),
    (
        "orphans::a_sweep_believes_the_ledger_only_with_the_start_time",
        ledger_evidence,
    ),
];

fn daemonised() {
    block_on(async {
        let ground = Ground::new();
        let daemonises = row("by-pid", 1, &[("node-1", "daemonises")]);
        let deployment = ground.start(&daemonises).await.unwrap();
        let sleeper = sleepers(ground.processes.run_id())[0];
        let sleeper_stat = proc_fs::stat(sleeper).unwrap();
        let server = proc_fs::stat(pid_of(&deployment, &key(1))).unwrap();
        assert_ne!(sleeper_stat.session, server.session);
        assert_eq!(sleeper_stat.parent, std::process::id());
        deployment
            .operate(&key(1), Operation::Kill, LIMIT)
            .await
            .unwrap();
        until("the orphan is dead", || !is_alive(sleeper)).await;
    });
}

fn sh(script: &str) -> Spawn {
    Spawn {
        label: "sh".into(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        directory: None,
        environment: Environment::Empty(BTreeMap::new()),
        stdout: Output::Null,
        stderr: Output::Null,
        cores: CoreLimit::Inherited,
    }
}

/// Three levels, two of them in sessions of their own.
const TREE: &str = "setsid sh -c 'setsid sleep 1000 & sleep 1000 & wait' & sleep 1000 & wait";

fn whole_tree() {
    block_on(async {
        let ground = Ground::new();
        let process = ground.processes.spawn(sh(TREE)).unwrap();
        until("all there", || process.descendants().len() >= 4).await;
        let below: Vec<u32> = process.descendants().iter().map(|stat| stat.pid).collect();
        let killed = process.kill_tree(LIMIT).await.unwrap();
        assert!(
            below.iter().all(|pid| killed.contains_key(pid)),
            "{killed:?}"
        );
        assert!(!below.into_iter().any(is_alive));
        assert!(tree::descendants(std::process::id()).is_empty());
        assert!(process.try_exit().is_some());
    });
}

fn warden() {
    block_on(async {
        let ground = Ground::new();
        let spared = ground.processes.spawn(sh("exec sleep 1000")).unwrap();
        let process = ground.processes.spawn(sh(TREE)).unwrap();
        until("all there", || process.descendants().len() >= 4).await;
        let own = std::process::id();
        let killed = tree::kill_descendants(own, &[spared.pid()], LIMIT);
        assert!(
            killed.left.is_empty() && killed.killed.len() >= 5,
            "{killed:?}"
        );
        assert!(is_alive(spared.pid()));
        let left: Vec<u32> = tree::descendants(own).iter().map(|stat| stat.pid).collect();
        assert_eq!(left, [spared.pid()]);
        let exit = process.exited().await;
        assert_eq!(exit.signal, Some(libc::SIGKILL));
    });
}

/// A daemon that starts a server which daemonises, says so, and waits to be killed.
pub(crate) fn abandon(option: &str) -> ExitCode {
    block_on(async {
        let run = RunDir::create().unwrap();
        let ledger = Ledger::open(&run.ledger()).unwrap();
        let processes = Processes::install(run.id(), ledger).unwrap();
        let mut spawn = sh("");
        spawn.program = "/proc/self/exe".into();
        let port = armadillo_orchestrator::ports::HeldPort::take().unwrap();
        spawn.args = ["serve", option, &format!("port={}", port.port())]
            .map(Into::into)
            .to_vec();
        let server = processes.spawn(spawn).unwrap();
        until("daemonised", || !sleepers(run.id()).is_empty()).await;
        let mut stdout = std::io::stdout();
        writeln!(
            stdout,
            "{} {} {}",
            run.id(),
            server.pid(),
            sleepers(run.id())[0]
        )
        .unwrap();
        stdout.flush().unwrap();
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

fn both_died() {
    let mut daemon = Command::new("/proc/self/exe")
        .args(["abandon", "daemonises"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(daemon.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (run, server): (&str, u32) = (words[0], words[1].parse().unwrap());
    let sleeper: u32 = words[2].parse().unwrap();
    let path = std::path::PathBuf::from(format!(
        "/tmp/armadillo-{}/{run}",
        rustix::process::getuid().as_raw()
    ));
    assert!(
        !run_dir::sweep()
            .unwrap()
            .iter()
            .any(|swept| swept.id == run)
    );
    assert!(path.exists() && is_alive(server) && is_alive(sleeper));
    // Keeps the sweeps of other runs on this machine away.
    let attached = RunDir::attach(&path).unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    // The server dies of its parent's death; what it had daemonised does not.
    block_on(until("the server is dead", || !is_alive(server)));
    assert!(is_alive(sleeper));
    drop(attached);
    let swept = run_dir::sweep().unwrap();
    // Another run on this machine may have swept it a moment earlier.
    if let Some(swept) = swept.iter().find(|swept| swept.id == run) {
        assert!(
            swept.killed.iter().any(|(pid, _)| *pid == sleeper),
            "{swept:?}"
        );
        assert_eq!(swept.problem, None);
    }
    block_on(until("all is gone", || {
        !path.exists() && !is_alive(sleeper)
    }));
}

fn without_environment() {
    block_on(async {
        let ground = Ground::new();
        let run = ground.processes.run_id();
        let script = "exec env -i sleep 1000";
        let process = ground.processes.spawn(sh(script)).unwrap();
        let has_none = |pid| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .unwrap()
                .is_empty()
        };
        until("its environment is cleared", || has_none(process.pid())).await;
        let marked = tree::marked(run);
        assert!(
            marked.iter().any(|stat| stat.pid == process.pid()),
            "{marked:?}"
        );
        assert!(tree::marked("00000000").is_empty());
        process.kill().unwrap();
    });
}

fn ledger_evidence() {
    let mut children = [0, 1].map(|_| {
        Command::new("/bin/sh")
            .args(["-c", "sleep 1000 & wait"])
            .spawn()
            .unwrap()
    });
    let pids = [0, 1].map(|index: usize| children[index].id());
    let below = |pid| tree::descendants(pid).iter().map(|stat| stat.pid).next();
    block_on(until("all there", || {
        pids.iter().all(|pid| below(*pid).is_some())
    }));
    let grandchildren = pids.map(|pid| below(pid).unwrap());
    let run = RunDir::create().unwrap();
    let ledger = Ledger::open(&run.ledger()).unwrap();
    let start = |index: usize| proc_fs::start_time(pids[index]).unwrap();
    ledger.record(pids[0], start(0), "right").unwrap();
    ledger.record(pids[1], start(1) + 1, "wrong").unwrap();
    let path = run.path().to_owned();
    drop(run);
    // Another run on this machine may sweep it a moment earlier.
    let _ = run_dir::sweep().unwrap();
    block_on(until("swept", || {
        !path.exists() && !is_alive(pids[0]) && !is_alive(grandchildren[0])
    }));
    assert!(is_alive(pids[1]) && is_alive(grandchildren[1]));
    assert!(tree::kill_descendants(pids[1], &[], LIMIT).left.is_empty());
    for child in &mut children {
        // The one that was spared may have ended with what it waited for.
        let _ = child.kill();
        child.wait().unwrap();
    }
}
