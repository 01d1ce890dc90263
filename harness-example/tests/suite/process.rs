//! A worker is a process that runs one test after the other. A test that changes its process asks for one of its own:
//! `isolated`.

use std::env;

use armadillo::prelude::*;
use harness_example::{Order, Prices};

/// The working directory belongs to a whole process. Without `isolated` it would be the next test's, too; a worker that was
/// changed like that is replaced, and the run says so.
#[armadillo::test(isolated)]
fn prices_are_found_in_the_working_directory(cx: &TestContext) -> TestResult {
    env::set_current_dir(cx.temporary_directory())?;
    std::fs::write("prices", "apples 35")?;
    let prices = Prices::load("prices")?;
    assert_eq!(prices.of(&Order::new(1, "apples")), Some(35));
    Ok(())
}

/// What a test prints is shown if it fails, with all that its threads and children printed. `--show-output` shows it
/// always.
#[armadillo::test(markers(fast))]
fn output_of_threads_belongs_to_the_test() -> TestResult {
    let thread = std::thread::Builder::new().spawn(|| {
        println!("counting apples");
        (1..=10).sum::<u64>()
    })?;
    let sum = thread.join().map_err(|_| "the thread panicked")?;
    assert_eq!(sum, 55);
    Ok(())
}
