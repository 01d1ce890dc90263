//! An ordinary harness target whose tests pass. `tests/neighbours` has other tools run it: nextest, an editor, a debugger.

use std::process::ExitCode;

use armadillo::prelude::*;
use tally_system::Tally;

fn main() -> ExitCode {
    armadillo::main()
}

#[armadillo::test]
fn adds() {
    let sum = 2 + 3;
    assert_eq!(sum, 5); // gdb stops here
}

#[armadillo::test]
async fn waits() -> TestResult {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    Ok(())
}

mod inner {
    #[armadillo::test]
    fn adds() {
        println!("inner::adds was here");
    }

    #[armadillo::test(ignore = "to be seen as ignored")]
    fn is_ignored() {}

    #[armadillo::test(markers(slow))]
    fn is_slow() {}
}

#[armadillo::test]
async fn counts(tally: Tally) -> TestResult {
    assert_eq!(tally.add("tally-1", "apples", 1).await?, 1);
    Ok(())
}

/// Where tests leave a note for whoever has started nextest.
fn note(name: &str, text: &str) -> TestResult {
    if let Some(directory) = std::env::var_os("SELFTEST_NOTES") {
        std::fs::write(std::path::Path::new(&directory).join(name), text)?;
    }
    Ok(())
}

/// Tests that share a server, although under nextest each has a process of its own.
mod together {
    use armadillo::prelude::*;
    use serde::{Deserialize, Serialize};
    use tally_system::Tally;

    use super::note;

    #[derive(Serialize, Deserialize)]
    struct Maker {
        process: u32,
    }

    /// Made once for the server, in whichever process comes first.
    #[armadillo::fixture(per = "deployment")]
    async fn maker(_tally: &Tally) -> TestResult<Maker> {
        Ok(Maker {
            process: std::process::id(),
        })
    }

    async fn counts(tally: &Tally, maker: &Maker, name: &str) -> TestResult {
        assert_eq!(tally.add("tally-1", "apples", 1).await?, 1);
        let server = tally.orchestrator().view().deployment.clone();
        note(name, &format!("{server} {}", maker.process))
    }

    #[armadillo::test]
    async fn one(tally: &Tally, maker: &Maker) -> TestResult {
        counts(tally, maker, "one").await
    }

    #[armadillo::test]
    async fn two(tally: &Tally, maker: &Maker) -> TestResult {
        counts(tally, maker, "two").await
    }

    #[armadillo::test]
    async fn three(tally: &Tally, maker: &Maker) -> TestResult {
        counts(tally, maker, "three").await
    }

    #[armadillo::test]
    async fn four(tally: &Tally, maker: &Maker) -> TestResult {
        counts(tally, maker, "four").await
    }

    #[armadillo::test]
    async fn alone(tally: Exclusive<Tally>, maker: &Maker) -> TestResult {
        tally.server("tally-1").kill().await?;
        tally.server("tally-1").start().await?;
        counts(&tally, maker, "alone").await
    }
}

/// Tests that do harm, for whoever asks for them.
mod on_demand {
    use armadillo::prelude::*;
    use tally_system::Tally;

    use super::note;

    /// The first attempt breaks the server and ends its own process.
    #[armadillo::test(ignore = "on demand")]
    async fn dies_at_first(tally: Exclusive<Tally>) -> TestResult {
        if std::env::var("NEXTEST_ATTEMPT").as_deref() == Ok("1") {
            tally.server("tally-1").kill().await?;
            std::process::abort();
        }
        assert_eq!(tally.add("tally-1", "apples", 1).await?, 1);
        Ok(())
    }

    /// Holds a server for as long as it may.
    #[armadillo::test(ignore = "on demand")]
    async fn holds(tally: &Tally) -> TestResult {
        note("holds", &tally.orchestrator().view().deployment)?;
        std::future::pending().await
    }
}
