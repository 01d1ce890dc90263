//! Tests that change the process they run in, or leave something running in it.

use std::process::{Command, Stdio};

#[armadillo::test]
fn changes_the_directory() {
    std::env::set_current_dir("/").unwrap();
}

#[armadillo::test]
fn changes_the_environment() {
    // SAFETY: the worker's main thread waits and reads no variable while a test runs, and there is no third thread.
    unsafe { std::env::set_var("SELFTEST_CHANGED", "yes") };
}

#[armadillo::test]
fn leaves_a_thread() {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
}

/// A child in the background, which keeps the test's stdout.
#[armadillo::test]
fn leaves_a_child() {
    let shell = Command::new("sh")
        .args(["-c", "sleep 600 & sleep 600 > /dev/null & echo started"])
        .stdin(Stdio::null())
        .status();
    assert!(shell.unwrap().success());
}

/// A child that has left its session and its parents, as a daemon does.
#[armadillo::test]
fn leaves_a_daemon() {
    let shell = Command::new("sh")
        .args(["-c", "setsid sh -c 'sleep 600 & sleep 600' & echo started"])
        .stdin(Stdio::null())
        .status();
    assert!(shell.unwrap().success());
}
