//! However a run is killed, nothing of it is left: no process, no socket, no directory; and the next run starts clean.

use std::time::{Duration, Instant};

use armadillo_selftest::remains;
use armadillo_selftest::rounds::{Moments, Times, rounds, third};
use armadillo_selftest::suite::send;
use armadillo_selftest::wait::{LIMIT, pause, until};
use armadillo_selftest::{Running, Suite};
use rustix::process::Signal;

const BUSY: &str = env!("CARGO_BIN_EXE_busy");

/// How many tests the suite has.
const TESTS: usize = 9;

/// One of the three processes that a run consists of, besides workers and servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Runner,
    Warden,
    Daemon,
}

/// When to kill.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// This long after the start of the victims.
    Early(Duration),
    /// This long after the last test.
    Teardown(Duration),
}

fn busy() -> Suite {
    Suite::new(BUSY).args(["-n", "4"])
}

/// The process, if it is there and belongs to this run.
fn find(running: &Running, victim: Victim) -> Option<u32> {
    // The runner has other children too, for a moment: programs that are asked for their versions.
    let child = |pid: u32, role: &str| {
        let mut children = remains::children(pid).into_iter();
        children.find(|child| remains::command(*child).contains(&format!("__armadillo {role}")))
    };
    let pid = match victim {
        Victim::Runner => Some(running.pid()),
        Victim::Warden => child(running.pid(), "warden"),
        Victim::Daemon => child(child(running.pid(), "warden")?, "daemon"),
    }?;
    remains::carries(pid, running.token()).then_some(pid)
}

/// Waits for the moment, kills the victims in this order, and looks until nothing is left. How long that took.
fn kill(victims: &[Victim], moment: Moment) -> Duration {
    kill_in(busy(), victims, moment)
}

/// The same for this suite.
fn kill_in(suite: Suite, victims: &[Victim], moment: Moment) -> Duration {
    let mut running = suite.start();
    // Whoever is not there yet is waited for: their number is what the kernel gives, not what we know.
    let mut pids = Vec::new();
    for victim in victims {
        let found = until(LIMIT, || match find(&running, *victim) {
            Some(pid) => Some(Some(pid)),
            // It may be over before anybody has looked.
            None => running.has_ended().then_some(None),
        });
        pids.extend(found.flatten());
    }
    match moment {
        Moment::Early(time) => pause(time),
        Moment::Teardown(time) => {
            until(LIMIT, || {
                let all = running.stdout().matches(" ... ").count() >= TESTS;
                (all || running.has_ended()).then_some(())
            });
            pause(time);
        }
    }
    for pid in &pids {
        // A run that is over already has taken its processes' numbers back.
        if remains::carries(*pid, running.token()) {
            send(*pid, Signal::KILL);
        }
    }
    let killed = Instant::now();
    let said = format!("{victims:?} at {moment:?}");
    let everybody = victims.len() == 3;
    if !victims.contains(&Victim::Runner) {
        let status = running.ended_within(LIMIT);
        let code = status.and_then(|status| status.code());
        let (stdout, stderr) = (running.stdout(), running.stderr());
        let passed = stdout.contains("test result: ok.");
        let expected = if passed { 0 } else { 3 };
        assert_eq!(code, Some(expected), "{said}\n{stdout}\n{stderr}");
        assert!(passed || stderr.contains("daemon"), "{said}\n{stderr}");
    }
    let (token, runs) = (running.token().to_owned(), running.runs());
    let gone = until(LIMIT, || running.has_ended().then_some(()));
    assert!(gone.is_some(), "{said}: the runner lives");
    if everybody {
        // What has no parent that could end it is left to the next run.
        assert_eq!(next_run_says(), "", "{said}");
    }
    let left = remains::after(LIMIT, &token, &runs);
    let took = killed.elapsed();
    assert!(left.is_empty(), "{said}: {left:#?}\n{}", running.stderr());
    took
}

/// A program that does not say its version is asked by the runner itself, before there is a daemon.
#[test]
fn a_program_that_is_asked_for_its_version_ends_with_the_runner() {
    use std::os::unix::fs::PermissionsExt;
    let suite = Suite::new(env!("CARGO_BIN_EXE_commands"));
    let program = suite.home().join("program");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let mut running = suite
        .env("ARMADILLO_BRITTLE", &program)
        .args(["needs_a_program"])
        .start();
    let is_it = |pid: &u32| remains::command(*pid).starts_with("sleep 600");
    let asked = until(LIMIT, || {
        let mut children = remains::children(running.pid()).into_iter();
        children.find(is_it)
    });
    running.signal(Signal::KILL);
    assert!(running.ended_within(LIMIT).is_some());
    let asked = asked.unwrap();
    let gone = until(LIMIT, || (!is_it(&asked)).then_some(()));
    assert!(gone.is_some(), "process {asked} lives");
}

/// One that never says it, and has a daemon: it has a limit, and is ended with what it has started.
#[test]
fn a_program_that_says_no_version_ends_with_all_it_has_started() {
    use std::os::unix::fs::PermissionsExt;
    let suite = Suite::new(env!("CARGO_BIN_EXE_commands"));
    let program = suite.home().join("program");
    let seconds = remains::seconds(suite.token());
    let daemon =
        format!("setsid sh -c 'sleep {seconds} & sleep {seconds} & setsid sleep {seconds} &'");
    let script = format!("#!/bin/sh\n{daemon}\nexec sleep {seconds}\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let ran = suite
        .env("ARMADILLO_BRITTLE", &program)
        .args(["needs_a_program"])
        .run();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stderr.contains("it did not exit within 5s"),
        "{}",
        ran.said()
    );
    assert_eq!(ran.remains(), [""; 0]);
}

/// Runs one test; returns what it complains about.
fn next_run_says() -> String {
    let ran = Suite::new(BUSY)
        .args(["--exact", "has_one_of_its_own"])
        .run();
    let is_fine = ran.code == Some(0) && ran.stdout.contains("1 passed");
    if is_fine { String::new() } else { ran.said() }
}

/// In the first 20 ms, at any time, after the last test.
fn moments(name: &str, rounds: u32) -> Vec<Moment> {
    let begun = Instant::now();
    let ran = busy().run();
    let whole = begun.elapsed();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(
        ran.stdout.matches(" ... ok").count(),
        TESTS,
        "{}",
        ran.said()
    );
    assert_eq!(ran.remains(), [""; 0]);
    let mut random = Moments::new(name);
    let moment = |round: u32| match round % 3 {
        0 => Moment::Early(random.below(Duration::from_millis(20))),
        1 => Moment::Early(random.below(whole)),
        _ => Moment::Teardown(random.below(Duration::from_millis(40))),
    };
    (0..rounds).map(moment).collect()
}

fn kill_many(name: &str, rounds: u32, orders: &[&[Victim]]) {
    let mut times = Times::default();
    for (moment, order) in moments(name, rounds).into_iter().zip(orders.iter().cycle()) {
        times.add(kill(order, moment));
    }
    assert_eq!(next_run_says(), "");
    println!("{name}, until nothing was left: {times}");
}

use Victim::{Daemon, Runner, Warden};

#[test]
fn the_runner_is_killed() {
    kill_many("runner killed", rounds(), &[&[Runner]]);
}

#[test]
fn the_daemon_is_killed() {
    kill_many("daemon killed", third(), &[&[Daemon]]);
}

#[test]
fn runner_and_daemon_are_killed() {
    kill_many(
        "runner and daemon killed",
        third(),
        &[&[Runner, Daemon], &[Daemon, Runner]],
    );
}

#[test]
fn the_warden_is_killed() {
    let orders: &[&[Victim]] = &[
        &[Warden],
        &[Warden, Runner],
        &[Warden, Daemon],
        &[Daemon, Warden],
    ];
    kill_many("warden and others killed", third() + 1, orders);
}

#[test]
fn all_three_are_killed() {
    let orders: &[&[Victim]] = &[
        &[Runner, Warden, Daemon],
        &[Daemon, Warden, Runner],
        &[Warden, Daemon, Runner],
    ];
    kill_many("all three killed", third(), orders);
}

/// Any of the three, in any order, at any moment; with a control group and without.
#[test]
fn a_storm() {
    let every: [&[Victim]; 8] = [
        &[Warden, Daemon],
        &[Runner],
        &[Daemon, Warden],
        &[Daemon],
        &[Runner, Warden, Daemon],
        &[Warden],
        &[Daemon, Runner],
        &[Warden, Runner],
    ];
    for word in ["auto", "off"] {
        let name = format!("storm, control group {word}");
        let mut random = Moments::new(&name);
        let mut times = Times::default();
        for (moment, order) in moments(&name, rounds())
            .into_iter()
            .zip(every.iter().cycle())
        {
            // Most have daemons only after a while.
            let moment = match moment {
                Moment::Early(time) => Moment::Early(time + random.below(Duration::from_secs(1))),
                teardown => teardown,
            };
            let suite = busy().args(["--cgroup", word]);
            times.add(kill_in(suite, order, moment));
        }
        println!("{name}, until nothing was left: {times}");
    }
    assert_eq!(next_run_says(), "");
}
