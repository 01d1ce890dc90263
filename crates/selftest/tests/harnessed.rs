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
