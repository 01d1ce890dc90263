//! A suite to be run wherever tests can run: in workers, a process each, in the runner, as trials of libtest-mimic.

use std::process::ExitCode;
use std::time::Duration;

use armadillo::libtest_mimic::{Arguments, Trial};
use armadillo::prelude::*;
use armadillo_selftest::meeting;
use serde::{Deserialize, Serialize};
use tally_system::{Tally, tally};

/// The variable that says which main function this executable has.
const MAIN: &str = "SELFTEST_MAIN";

fn main() -> ExitCode {
    match std::env::var(MAIN).as_deref() {
        Ok("own") => own_main(),
        Ok("forgetful") => trials_of_ours_and_others(),
        _ => armadillo::main(),
    }
}

/// One of one's own.
fn own_main() -> ExitCode {
    armadillo::init();
    trials_of_ours_and_others()
}

fn trials_of_ours_and_others() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = armadillo::trials(&arguments);
    trials.push(Trial::test("not_ours", || Ok(())));
    armadillo::libtest_mimic::run(&arguments, trials).exit_code()
}

/// Where somebody may look whether it is still there: a file in the meeting place.
#[derive(Serialize, Deserialize)]
struct Kept {
    deployment: String,
}

#[armadillo::fixture(per = "deployment", teardown = give_up)]
async fn kept(tally: &Tally) -> Result<Kept, TestError> {
    let deployment = tally.orchestrator().view().deployment.clone();
    meeting::come(&format!("set-up.{deployment}"))?;
    Ok(Kept { deployment })
}

/// Fails when the deployment has been stopped before.
async fn give_up(kept: &Kept) -> Result<(), TestError> {
    meeting::come(&format!("torn-down.{}", kept.deployment))
}

mod keeps {
    use super::*;

    #[armadillo::test(cases(a(1), b(2)))]
    async fn on_one(kept: &Kept, #[case] _number: u8) {
        assert!(!kept.deployment.is_empty());
    }

    #[armadillo::test(tally(servers = 2))]
    async fn on_another(kept: &Kept) {
        assert!(!kept.deployment.is_empty());
    }
}

mod retried {
    use super::*;

    #[armadillo::test]
    fn three_times(cx: TestContext) {
        assert!(cx.attempt() > 3, "attempt {}", cx.attempt());
    }

    #[armadillo::test]
    async fn three_times_on_a_server(cx: TestContext, _tally: Tally) {
        assert!(cx.attempt() > 3, "attempt {}", cx.attempt());
    }
}

#[armadillo::test(cases(a(1), b(2), c(3), d(4), e(5), f(6)))]
fn many(#[case] _number: u8) {}

#[armadillo::test]
fn goes_elsewhere(cx: TestContext) -> TestResult {
    Ok(std::env::set_current_dir(cx.temporary_directory())?)
}

#[armadillo::test]
fn fails() {
    panic!("on purpose");
}

#[armadillo::test]
fn prints() {
    println!("printed by a test that passes");
}

#[armadillo::test(isolated, cases(a(1), b(2)))]
fn alone(#[case] _number: u8) {}

mod endless {
    use super::*;

    /// Says that it has begun.
    #[armadillo::test]
    async fn waits() -> TestResult {
        meeting::come("waits")?;
        std::future::pending().await
    }

    #[armadillo::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that blocks its thread is what this one is"
    )]
    fn blocks() {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
}

/// Tests whose verdicts tell whether a setting holds.
mod told {
    use armadillo_selftest::brittle::Brittle;

    use super::*;

    #[armadillo::test(markers(slow))]
    fn slow() {}

    #[armadillo::test(markers(stress_test))]
    fn stress() {}

    #[armadillo::test(markers(flaky))]
    fn flaky() {}

    #[armadillo::test(ignore)]
    fn ignored() {}

    #[armadillo::test]
    async fn takes_five_seconds() {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    #[armadillo::test]
    fn plays_seven_rounds(cx: TestContext) {
        assert_eq!(cx.rounds(3), 7);
    }

    #[armadillo::test]
    fn cannot_tell() {
        armadillo::inconclusive!("nothing was seen");
    }

    #[armadillo::test]
    fn has_a_thread_of_another_name() {
        let name = std::thread::current().name().map(str::to_owned);
        assert_ne!(name.as_deref(), Some("told::has_a_thread_of_another_name"));
    }

    #[armadillo::test]
    async fn leaves_something(brittle: Exclusive<Brittle>) -> TestResult {
        brittle.leave().await
    }

    #[armadillo::test]
    async fn fails_on_a_server(_tally: Tally) {
        panic!("on purpose");
    }

    #[armadillo::test]
    async fn has_a_server_without_cores(brittle: Brittle) -> TestResult {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", brittle.pid().await?))?;
        let cores = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<&str> = cores.unwrap_or_default().split_whitespace().collect();
        assert_eq!(words[4], "0");
        Ok(())
    }

    #[armadillo::test(cases(a(1), b(2), c(3)))]
    fn fails(#[case] _number: u8) {
        panic!("on purpose");
    }

    /// They pass only at the same time.
    #[armadillo::test(cases(one("one", "other"), other("other", "one")))]
    async fn meet(
        _tally: Exclusive<Tally>,
        #[case] me: &'static str,
        #[case] other: &'static str,
    ) -> TestResult {
        meeting::with(me, other).await
    }
}
