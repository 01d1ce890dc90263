//! The same tests by our workers, by libtest-mimic in our runner, and by the real libtest: the same lines, the same exit
//! code, whatever is selected. `armadillo-harness` compares the printers; this compares what is run.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use armadillo_selftest::Suite;

/// Builds the tests with the real libtest.
fn build(directory: &Path) -> PathBuf {
    let tests = include_str!("../src/bin/twins.rs").replace("#[armadillo::test]", "#[test]");
    let (tests, _our_main) = tests.split_once("fn main()").unwrap();
    let (source, binary) = (directory.join("twins.rs"), directory.join("twins"));
    std::fs::write(&source, tests).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--test", "--edition=2024", "--crate-name=twins", "-o"])
        .args([&binary, &source])
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    binary
}

/// What the tests print. libtest-mimic captures nothing, so it stands in the middle of its lines.
const PRINTED: [&str; 2] = ["hello\n", "before\n"];

/// stdout without times and without the inside of failure blocks, the lines of tests sorted; and the exit code.
fn run(program: &Path, args: &[&str], more: &[&str]) -> (Vec<String>, Option<i32>) {
    let ran = Suite::new(program).args(args).args(more).run();
    let mut lines = Vec::new();
    let mut in_block = false;
    let stdout = PRINTED
        .iter()
        .fold(ran.stdout, |text, printed| text.replace(printed, ""));
    for line in stdout.lines() {
        if line == "failures:" || line.starts_with("---- ") {
            in_block = line.starts_with("---- ");
        } else if in_block {
            continue;
        }
        let line = line.split("; finished in ").next().unwrap_or(line);
        // The one word of libtest's that only libtest says.
        let line = line.replace(" - should panic ...", " ...");
        let words: Vec<&str> = line.split_whitespace().collect();
        lines.push(words.join(" "));
    }
    let is_test = |line: &&String| line.starts_with("test ") && line.contains(" ... ");
    let first = lines.iter().position(|line| is_test(&line)).unwrap_or(0);
    let count = lines[first..].iter().take_while(is_test).count();
    lines[first..first + count].sort();
    (lines, ran.code)
}

/// What libtest-mimic writes otherwise: it knows no reasons of ignored tests, and calls a
/// block by the test's name alone. What it does not run because it was filtered out is not handed to it.
fn as_mimic(lines: &[String]) -> Vec<String> {
    let cut = |line: &str, at: &str| line.split(at).next().unwrap_or_default().to_owned();
    let line = |line: &String| match line {
        line if line.contains(" ... ignored, ") => cut(line, ", "),
        line if line.ends_with(" stdout ----") => line.replace(" stdout ----", " ----"),
        line if line.contains(" measured; ") => cut(line, "; 0 measured"),
        line => line.clone(),
    };
    lines.iter().map(line).collect()
}

#[test]
fn the_same_lines_and_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let libtest = build(directory.path());
    let ours = Path::new(env!("CARGO_BIN_EXE_twins"));
    for args in [
        &[][..],
        &["--include-ignored"],
        &["--ignored"],
        &["inner"],
        &["inner::k", "a_passes"],
        &["a_passes", "--exact"],
        &["passes", "--skip", "prints"],
        &["--skip", "fails", "--skip=g_", "--skip=h_", "--skip=j_"],
        &["no_such_test"],
    ] {
        let (theirs, their_code) = run(&libtest, args, &["--test-threads=1"]);
        let (workers, code) = run(ours, args, &["-n", "1", "--isolation=workers"]);
        assert_eq!(workers, theirs, "workers against libtest, {args:?}");
        assert_eq!(code, their_code, "{args:?}");
        let (none, code) = run(ours, args, &["-n", "1", "--isolation=none"]);
        assert_eq!(
            as_mimic(&none),
            as_mimic(&theirs),
            "libtest-mimic against libtest, {args:?}"
        );
        assert_eq!(code, their_code, "{args:?}");
    }
}
