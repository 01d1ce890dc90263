//! What other programs read of a run is as their formats say: JUnit's XML by the schemas of Jenkins and Surefire, `results.json`
//! by the schema in `docs`, and the trace.

use std::path::Path;
use std::process::Command;

use armadillo_selftest::Suite;
use armadillo_selftest::cargo::{has, workspace};

/// Says what is not as the formats have it.
const CHECK: &str = include_str!("formats.py");

fn check(run: &Path, trace: &Path) -> Result<(), String> {
    let mut python = Command::new("python3");
    python.args(["-c", CHECK]).args([run, trace]);
    python.arg(workspace().join("docs/results.schema.json"));
    let output = python.output().unwrap_or_else(|error| panic!("{error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{}{}", text(&output.stdout), text(&output.stderr))),
    }
}

#[test]
fn other_programs_can_read_the_reports() {
    let script =
        "import os, jsonschema, junitparser, xmlschema; os.environ['SELFTEST_JUNIT_SCHEMAS']";
    if !has("python3", &["-c", script], "ARMADILLO_REQUIRE_SCHEMAS") {
        return;
    }
    // Every kind of verdict, attempts that failed before others, and output that XML cannot carry.
    for (suite, args) in [
        (
            env!("CARGO_BIN_EXE_verdicts"),
            &["-n", "4", "--retries", "1"][..],
        ),
        (
            env!("CARGO_BIN_EXE_crowd"),
            &[
                "plays_with_the_terminal",
                "--include-ignored",
                "--retries",
                "1",
            ],
        ),
    ] {
        let suite = Suite::new(suite);
        let trace = suite.home().join("trace.json");
        let ran = suite
            .args(args)
            .args(["--trace".as_ref(), trace.as_os_str()])
            .run();
        assert_ne!(ran.code, Some(0), "{}", ran.said());
        assert_eq!(check(&ran.directory(), &trace), Ok(()), "{}", ran.said());
        // What is not as it should be is found.
        for (file, right, wrong) in [
            ("junit.xml", "<testcase ", "<testcase colour=\"red\" "),
            ("results.json", "\"tests\":", "\"tests\": 7, \"others\":"),
        ] {
            let path = ran.directory().join(file);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(text.contains(right), "no {right} in {file}");
            let spoilt = std::fs::write(&path, text.replacen(right, wrong, 1));
            spoilt.unwrap_or_else(|error| panic!("{error}"));
            let found = check(&ran.directory(), &trace);
            assert!(found.is_err_and(|said| said.contains(file)), "{file}");
            let mended = std::fs::write(&path, text);
            mended.unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
