//! The orchestrator with real processes on the loopback interface.
//!
//! A process can have one process table, and only the thread that installed it may start processes. So every test here
//! is this executable once more, as `scenario NAME`, and its servers are this executable again, as `serve ...`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crashes;
mod expectations;
mod faults;
mod membership;
mod orphans;
mod preparing;
mod server;
mod spawning;
mod starting;
mod statistics;
mod stopping;
mod support;
mod system;
mod unstarted;

use std::process::{Command, ExitCode, Stdio};

use armadillo_orchestrator::Deadline;
use libtest_mimic::{Arguments, Trial};
use support::{LIMIT, Scenario};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("serve") => server::main(&args[2..]),
        Some("scenario") => support::run(&scenarios(), &args[2]),
        Some("abandon") => orphans::abandon(&args[2]),
        _ => {
            let trials = scenarios().into_iter().map(trial).collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
    }
}

fn scenarios() -> Vec<Scenario> {
    [
        spawning::SCENARIOS,
        starting::SCENARIOS,
        preparing::SCENARIOS,
        statistics::SCENARIOS,
        faults::SCENARIOS,
        crashes::SCENARIOS,
        expectations::SCENARIOS,
        stopping::SCENARIOS,
        membership::SCENARIOS,
        unstarted::SCENARIOS,
        orphans::SCENARIOS,
    ]
    .concat()
}

fn trial((name, _): Scenario) -> Trial {
    Trial::test(name, move || {
        let mut child = Command::new("/proc/self/exe")
            .args(["scenario", name])
            .env("ONLY_IN_THE_PARENT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let outputs = [
            support::collect(child.stdout.take()),
            support::collect(child.stderr.take()),
        ];
        let deadline = Deadline::after(2 * LIMIT);
        let status = loop {
            match child.try_wait()? {
                Some(status) => break Some(status),
                None if deadline.passed() => break None,
                None => support::nap(),
            }
        };
        if status.is_none() {
            child.kill()?;
            child.wait()?;
        }
        let output: String = outputs
            .into_iter()
            .map(|output| output.join().unwrap_or_default())
            .collect();
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("{status}\n{output}").into()),
            None => Err(format!("it did not end in time\n{output}").into()),
        }
    })
}
