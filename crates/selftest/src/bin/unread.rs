//! A suite that prints more than a pipe holds, for somebody who does not read it.

use std::io::Write;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// How many times 1 KiB are printed: much more than a pipe holds, and than may wait.
const LINES: usize = 24 << 10;

#[armadillo::test]
fn prints_much() -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    let line = format!("{}\n", "x".repeat(1023));
    for _ in 0..LINES {
        stdout.write_all(line.as_bytes())?;
    }
    stdout.flush()
}

#[armadillo::test(timeout = "2s")]
fn hangs() {
    loop {
        std::thread::park();
    }
}

#[armadillo::test(timeout = "10m")]
fn goes_on() {
    loop {
        std::thread::park();
    }
}
