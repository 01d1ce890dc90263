//! A suite for everything that can be said on a command line.

use std::process::{Command, Stdio};
use std::time::Duration;

use armadillo::prelude::*;
use armadillo_selftest::brittle::{Brittle, brittle};
use armadillo_selftest::meeting;
use tally_system::Tally;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

mod pass {
    #[armadillo::test(cases(a(1), b(2), c(3), d(4), e(5)))]
    fn one(#[case] _number: u8) {}

    #[armadillo::test(markers(slow))]
    fn slowly() {}

    #[armadillo::test(markers(smoke_test, regression))]
    fn prints() {
        println!("printed by a test that passes");
    }

    #[armadillo::test(ignore = "not today")]
    fn another_day() {}
}

mod fail {
    #[armadillo::test(cases(a(1), b(2), c(3), d(4)))]
    fn one(#[case] number: u8) {
        panic!("on purpose, {number}");
    }
}

/// Tests that run until they are ended: with a deployment, with children, blocking their thread.
mod endless {
    use super::*;

    #[armadillo::test(timeout = "10m")]
    async fn on_a_server(tally: Tally) -> TestResult {
        println!("it counts");
        loop {
            tally.add("tally-1", "rounds", 1).await?;
            meeting::come("endless")?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[armadillo::test(timeout = "10m")]
    fn with_a_child() -> TestResult {
        let shell = Command::new("sh")
            .args(["-c", "sleep 600 & setsid sleep 600 &"])
            .stdin(Stdio::null())
            .status()?;
        assert!(shell.success());
        println!("it parks");
        meeting::come("blocking")?;
        loop {
            std::thread::park();
        }
    }
}

/// Fails when both tests of `endless` run.
#[armadillo::test]
async fn errs_while_others_run() -> TestResult {
    meeting::wait_for("endless").await?;
    meeting::wait_for("blocking").await?;
    Err("as it should".into())
}

#[armadillo::test]
async fn needs_a_program(brittle: Brittle) -> TestResult {
    brittle.add(0).await
}

#[armadillo::test(brittle(server_binary = "9.9"), ignore = "nobody has this version")]
async fn names_another_version(brittle: Brittle) -> TestResult {
    brittle.add(0).await
}

#[armadillo::test(
    brittle(server_binary = "/nonexistent/other"),
    ignore = "its program is nowhere"
)]
async fn names_another_program(brittle: Brittle) -> TestResult {
    brittle.add(0).await
}
