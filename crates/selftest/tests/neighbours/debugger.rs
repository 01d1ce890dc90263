//! A debugger: `gdb --args EXECUTABLE --exact NAME` stops in the body of the test.

use std::process::Command;

use armadillo_selftest::cargo::has;

use super::{cargo, output};

/// The executable of the harness target, as cargo names it.
fn executable() -> String {
    let args = [
        "test",
        "--workspace",
        "--test",
        "harnessed",
        "--no-run",
        "--message-format=json",
    ];
    let (code, stdout, stderr) = output(cargo(&args));
    assert_eq!(code, Some(0), "{stderr}");
    let messages = stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut executables = messages.filter_map(|message: serde_json::Value| {
        let is_it = message["target"]["name"] == "harnessed";
        is_it.then(|| message["executable"].as_str().map(str::to_owned))?
    });
    executables.next().unwrap()
}

#[test]
fn a_breakpoint_in_a_test_body_is_hit() {
    if !has("gdb", &["--version"], "ARMADILLO_REQUIRE_GDB") {
        return;
    }
    let source = include_str!("../harnessed.rs");
    let line = source
        .lines()
        .position(|line| line.ends_with("// gdb stops here"));
    let stop = format!("break harnessed.rs:{}", line.unwrap() + 1);
    let directory = tempfile::tempdir().unwrap();
    let mut gdb = Command::new("gdb");
    // Containers often forbid what turning randomization off takes.
    gdb.args([
        "-nx",
        "-batch",
        "-ex",
        "set debuginfod enabled off",
        "-ex",
        "set disable-randomization off",
    ])
    .args([
        "-ex",
        &stop,
        "-ex",
        "run",
        "-ex",
        "print sum",
        "-ex",
        "continue",
        "--args",
    ])
    .args([&executable(), "--exact", "adds"])
    .env("ARMADILLO_OUTPUT_DIR", directory.path());
    let (_, stdout, stderr) = output(gdb);
    let said = format!("{stdout}\n{stderr}");
    let hit = stdout
        .lines()
        .find(|line| line.contains("hit Breakpoint 1"));
    assert!(
        hit.is_some_and(|line| line.contains("harnessed::adds")),
        "{said}"
    );
    assert!(stdout.contains("$1 = 5"), "{said}");
    assert!(stdout.contains("ok. 1 passed; 0 failed;"), "{said}");
    assert!(stdout.contains("exited normally"), "{said}");
}
