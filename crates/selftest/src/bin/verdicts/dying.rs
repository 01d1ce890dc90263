//! Tests that end their process, or never end.

use std::time::Duration;

#[armadillo::test]
fn passes() {
    println!("fine");
}

#[armadillo::test]
fn aborts() {
    println!("before the abort");
    std::process::abort();
}

#[armadillo::test]
fn overflows_the_stack() {
    println!("before the overflow");
    println!("{}", deeper(0));
}

#[expect(
    unconditional_recursion,
    reason = "this is what overflowing a stack takes"
)]
fn deeper(depth: u64) -> u64 {
    let page = std::hint::black_box([depth; 512]);
    deeper(depth + 1) + page[0]
}

#[armadillo::test(timeout = "8s")]
fn loops_without_end() {
    println!("before the loop");
    loop {
        std::hint::spin_loop();
    }
}

#[armadillo::test(timeout = "8s")]
#[expect(
    clippy::disallowed_methods,
    reason = "a blocking sleep is what this test is about"
)]
fn sleeps_for_an_hour() {
    println!("before the sleep");
    std::thread::sleep(Duration::from_secs(3600));
}

#[armadillo::test]
#[expect(
    clippy::disallowed_methods,
    reason = "exit in a test's body is what this test is about"
)]
fn exits_with_zero() {
    println!("before the exit");
    std::process::exit(0);
}

#[armadillo::test]
fn is_killed_by_a_signal() {
    println!("before the signal");
    armadillo_selftest::suite::send(std::process::id(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}

#[armadillo::test(retries = 2)]
fn passes_at_the_second_attempt(cx: armadillo::prelude::TestContext) {
    println!("attempt {}", cx.attempt());
    assert_eq!(cx.attempt(), 2, "too early");
}

#[armadillo::test(retries = 1)]
fn never_passes(cx: armadillo::prelude::TestContext) {
    panic!("attempt {} failed", cx.attempt());
}
