//! Tests that want a deployment alone, two of which can only pass at the same time; and some that share one.

use armadillo::prelude::*;
use armadillo_selftest::meeting;
use tally_system::Tally;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

mod meet {
    use super::*;

    #[armadillo::test]
    async fn one(_tally: Exclusive<Tally>) -> TestResult {
        meeting::with("one", "other").await
    }

    #[armadillo::test]
    async fn other(_tally: Exclusive<Tally>) -> TestResult {
        meeting::with("other", "one").await
    }
}

mod alone {
    use super::*;

    #[armadillo::test(cases(a(1), b(2), c(3), d(4)))]
    async fn adds(tally: Exclusive<Tally>, #[case] number: i64) -> TestResult {
        tally.add("tally-1", "sum", number).await?;
        Ok(())
    }
}

mod shared {
    use super::*;

    #[armadillo::test(cases(a(1), b(2)))]
    async fn adds(tally: Tally, #[case] number: i64) -> TestResult {
        tally.add("tally-1", "sum", number).await?;
        Ok(())
    }
}

/// They pass only at the same time, on one deployment.
mod company {
    use super::*;

    #[armadillo::test(cases(one("one", "other"), other("other", "one")))]
    async fn meets(
        _tally: Tally,
        #[case] me: &'static str,
        #[case] other: &'static str,
    ) -> TestResult {
        meeting::with(me, other).await
    }
}
