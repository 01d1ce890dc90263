//! Tests that disturb each other: one leaves a setting behind that another one does not expect, and two use the same name at the same
//! time. All others are harmless.

use std::time::Duration;

use armadillo::deployment::Observe;
use armadillo::prelude::*;
use tally_system::{Tally, tally};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// How long a test uses what it has made.
const WORK: Duration = Duration::from_millis(300);

/// Adds to a counter that belongs to no test, so nothing removes it when a test ends. Returns the new value.
async fn add(tally: &Tally, name: &str, number: i64) -> Result<i64, TestError> {
    let view = tally.orchestrator().view();
    let address = view.reach(&"tally-1".into(), "main").ok_or("no server")?;
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let line = format!("add everybody.{name} {number}\n");
        stream.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        Ok::<String, std::io::Error>(answer)
    };
    let answer = timeout(Duration::from_secs(10), exchange).await??;
    Ok(answer.trim().parse()?)
}

/// Waits until the counter has at least this value; whether it got it in time.
async fn gets(tally: &Tally, name: &str, value: i64, limit: Duration) -> Result<bool, TestError> {
    let end = Instant::now() + limit;
    loop {
        if add(tally, name, 0).await? >= value {
            return Ok(true);
        }
        if Instant::now() > end {
            return Ok(false);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn counts(tally: &Tally, number: i64) -> TestResult {
    tally.add("tally-1", "sum", number).await?;
    sleep(Duration::from_millis(3)).await;
    assert_eq!(tally.get("tally-1", "sum").await?, number);
    Ok(())
}

mod setting {
    use super::*;

    #[armadillo::test(cases(a(1), b(2), c(3), d(4), e(5), f(6), g(7)))]
    async fn first(tally: Tally, #[case] number: i64) -> TestResult {
        counts(&tally, number).await
    }

    #[armadillo::test]
    async fn leaves_a_limit(tally: Tally) -> TestResult {
        add(&tally, "limit", 1).await?;
        Ok(())
    }

    #[armadillo::test(cases(a(1), b(2), c(3), d(4), e(5), f(6), g(7), h(8), i(9), j(10), k(11)))]
    async fn then(tally: Tally, #[case] number: i64) -> TestResult {
        counts(&tally, number).await
    }

    #[armadillo::test]
    async fn works_without_a_limit(tally: Tally) -> TestResult {
        assert_eq!(add(&tally, "limit", 0).await?, 0);
        Ok(())
    }
}

mod name {
    use super::*;

    #[armadillo::test(
        tally(servers = 2),
        cases(a(1), b(2), c(3), d(4), e(5), f(6), g(7), h(8))
    )]
    async fn first(tally: Tally, #[case] number: i64) -> TestResult {
        counts(&tally, number).await
    }

    /// Uses the name until somebody else has come, and has seen that.
    #[armadillo::test(tally(servers = 2))]
    async fn takes_it(tally: Tally) -> TestResult {
        add(&tally, "shop", 1).await?;
        gets(&tally, "shop", 2, 10 * WORK).await?;
        sleep(WORK).await;
        add(&tally, "shop", -1).await?;
        Ok(())
    }

    /// Fails if somebody else uses it.
    #[armadillo::test(tally(servers = 2))]
    async fn wants_it(tally: Tally) -> TestResult {
        let is_taken = add(&tally, "shop", 1).await? >= 2 || gets(&tally, "shop", 2, WORK).await?;
        // So that the other one sees it, too.
        sleep(WORK).await;
        add(&tally, "shop", -1).await?;
        assert!(!is_taken, "the name is taken");
        Ok(())
    }

    #[armadillo::test(
        tally(servers = 2),
        cases(a(1), b(2), c(3), d(4), e(5), f(6), g(7), h(8), i(9), j(10))
    )]
    async fn then(tally: Tally, #[case] number: i64) -> TestResult {
        counts(&tally, number).await
    }
}

/// Tests that fail only when they have run often enough.
mod again {
    use super::*;

    #[armadillo::test(tally(servers = 4))]
    async fn fails_at_the_fifth(tally: Tally) -> TestResult {
        assert_ne!(add(&tally, "runs", 1).await?, 5);
        Ok(())
    }

    #[armadillo::test(tally(servers = 4))]
    async fn fails_every_other_time(tally: Tally) -> TestResult {
        assert_eq!(add(&tally, "others", 1).await? % 2, 0);
        Ok(())
    }

    #[armadillo::test(tally(servers = 4))]
    async fn passes(tally: Tally) -> TestResult {
        counts(&tally, 1).await
    }

    #[armadillo::test]
    fn needs_nothing() {}
}

mod alone {
    use super::*;

    #[armadillo::test(tally(servers = 3))]
    async fn fails(tally: Tally) -> TestResult {
        counts(&tally, 1).await?;
        Err("on purpose".into())
    }
}
