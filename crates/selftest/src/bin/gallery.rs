//! One test for each way to fail. `tests/gallery.rs` has what is shown of them.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use armadillo::prelude::*;
use armadillo_selftest::brittle::Brittle;
use tally_system::Tally;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// What the tests have in common: a failure in it is one of whoever calls it.
mod shop {
    use super::*;

    pub(crate) fn check_balance(balance: i64) {
        assert_eq!(balance, 100, "the balance of the account");
    }

    pub(crate) fn read_price(text: &str) -> TestResult<u32> {
        Ok(text.parse::<u32>()?)
    }

    pub(crate) async fn fetch_receipt() -> TestResult {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        drop(sender);
        receiver.await?;
        Ok(())
    }

    pub(crate) async fn pay() -> TestResult {
        let (keeps, receipt) = tokio::sync::oneshot::channel::<()>();
        receipt.await?;
        drop(keeps);
        Ok(())
    }

    pub(crate) fn wait_for_the_bank() {
        let (_keeps, answers) = mpsc::channel::<()>();
        let _ = answers.recv();
    }
}

mod assertion {
    use super::*;

    #[armadillo::test]
    fn in_the_test() {
        println!("the account is opened");
        let balance = 90;
        assert_eq!(balance, 100, "the balance of the account");
    }

    #[armadillo::test]
    fn in_a_helper() {
        shop::check_balance(90);
    }

    #[armadillo::test]
    fn of_several_things() {
        let (balance, limit) = (90, 50);
        expect_eq!(balance, 100, "the balance of the account");
        expect!(balance < limit);
        println!("it goes on");
    }
}

mod error {
    use super::*;

    #[armadillo::test]
    fn in_the_test() -> TestResult {
        let text = std::fs::read_to_string("/nonexistent/prices")?;
        println!("{text}");
        Ok(())
    }

    #[armadillo::test]
    async fn in_a_helper() -> TestResult {
        let price = shop::read_price("twelve")?;
        println!("{price}");
        Ok(())
    }

    #[armadillo::test]
    async fn in_an_asynchronous_helper() -> TestResult {
        shop::fetch_receipt().await
    }
}

mod task {
    use super::*;

    #[armadillo::test]
    async fn panics() -> TestResult {
        let task = tokio::spawn(async { shop::check_balance(90) });
        task.await?;
        Ok(())
    }

    #[armadillo::test]
    fn panics_on_a_thread() {
        let thread = std::thread::spawn(|| shop::check_balance(90));
        if thread.join().is_err() {
            panic!("the thread has no answer");
        }
    }
}

mod hang {
    use super::*;

    #[armadillo::test(timeout = "5s")]
    async fn at_an_await() -> TestResult {
        shop::pay().await
    }

    #[armadillo::test(timeout = "10m", ignore = "it takes ten minutes")]
    async fn for_long() -> TestResult {
        shop::pay().await
    }

    #[armadillo::test(timeout = "5s", ignore = "it stops its process")]
    fn in_a_stopped_process() -> TestResult {
        let this = rustix::process::getpid();
        rustix::process::kill_process(this, rustix::process::Signal::STOP)?;
        shop::wait_for_the_bank();
        Ok(())
    }

    #[armadillo::test(timeout = "5s")]
    async fn for_nothing() {
        std::future::pending::<()>().await;
    }

    #[armadillo::test(timeout = "5s")]
    async fn at_two_awaits() {
        let (_paid, ()) = tokio::join!(shop::pay(), tokio::time::sleep(Duration::from_secs(600)),);
    }

    #[armadillo::test(timeout = "5s")]
    fn in_a_call() {
        shop::wait_for_the_bank();
    }

    #[armadillo::test(timeout = "5s")]
    fn in_a_deadlock() {
        let once = Mutex::new(());
        let _first = once.lock();
        let _second = once.lock();
    }

    #[armadillo::test(timeout = "5s")]
    async fn between_awaits() {
        shop::wait_for_the_bank();
    }
}

mod deployment {
    use super::*;

    #[armadillo::test]
    async fn leaks(brittle: Brittle) -> TestResult {
        brittle.add(1).await
    }

    #[armadillo::test]
    async fn fails_after_a_visit(brittle: Brittle) -> TestResult {
        brittle.add(1).await?;
        println!("lease {}", brittle.orchestrator().lease());
        Err("the visitor is not known".into())
    }

    #[armadillo::test]
    async fn crashes(tally: Exclusive<Tally>) -> TestResult {
        tally.crash("tally-1").await;
        Ok(())
    }

    #[armadillo::test(timeout = "8s")]
    async fn waits_in_vain(tally: Tally) -> TestResult {
        let wanted = when("a thousand visits", |_| false);
        tally.wait_until(wanted).await?;
        Ok(())
    }
}

mod fixtures {
    use super::*;

    struct Account;

    impl Fixture for Account {
        type From = ();

        async fn setup(_: &TestContext, (): ()) -> TestResult<Self> {
            shop::read_price("twelve")?;
            Ok(Self)
        }
    }

    struct Register;

    impl Fixture for Register {
        type From = ();

        async fn setup(_: &TestContext, (): ()) -> TestResult<Self> {
            Ok(Self)
        }

        async fn teardown(&self) -> TestResult {
            shop::read_price("twelve")?;
            Ok(())
        }
    }

    #[armadillo::test]
    fn cannot_be_set_up(_account: &Account) {}

    #[armadillo::test]
    fn cannot_be_torn_down(_register: &Register) {}
}

mod process {
    #[armadillo::test]
    fn aborts() {
        std::process::abort();
    }
}
