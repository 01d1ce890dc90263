//! The test suite of the official Go driver, run by `armadillo exec` on a cluster of the stand-in: it fails where the list of
//! expected failures says so, and nowhere else. The suite, its list and what compares them are the emulator's.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "../../../arangod-emulator/tests/emulator/judges/expected.rs"]
mod expected;
#[path = "../../../arangod-emulator/tests/emulator/judges/verdicts.rs"]
mod verdicts;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use armadillo_selftest::cargo::workspace;

use expected::Expected;
use verdicts::{Ending, Verdicts};

/// The package with the suite.
const SUITE: &str = "github.com/arangodb/go-driver/v2/tests";

/// Set where a missing Go is a failure.
const REQUIRE: &str = "ARMADILLO_REQUIRE_GO";

const EXPECTED: &str =
    include_str!("../../../arangod-emulator/judges/go-driver/expected-failures.txt");

/// What the list calls this deployment: with authentication, and without what the suite calls extra features.
const DEPLOYMENT: &str = "exec-cluster";

/// What the names of the tests begin with that wait for timers most of the time, so that only the whole has them.
const SLOW: [&str; 3] = [
    "TestAsyncJob",
    "Test_ClusterMoveShards",
    "Test_ClusterResignLeadership",
];

/// The variables that the suite reads, made of those of the servers.
const VARIABLES: [&str; 3] = [
    "TEST_ENDPOINTS={ARANGO_ENDPOINTS}",
    "TEST_AUTHENTICATION=basic:{ARANGO_USERNAME}:{ARANGO_PASSWORD}",
    "TEST_MODE=cluster",
];

/// The module of Go that pins the driver's version.
fn module() -> PathBuf {
    workspace().join("crates/arangod-emulator/judges/go-driver")
}

/// A program where the module is, for which Go keeps everything in cargo's target directory, as for the emulator's own
/// tests: what they have built is not built again.
fn command(program: &str) -> Command {
    let caches = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-driver");
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        let is_meddling = ["ARMADILLO_", "CARGO", "ENABLE_", "TEST_"]
            .iter()
            .any(|prefix| name_text.starts_with(prefix));
        if is_meddling {
            command.env_remove(name);
        }
    }
    command
        .current_dir(module())
        .env("GOCACHE", caches.join("cache"))
        .env("GOMODCACHE", caches.join("modules"))
        .env("GOFLAGS", "-mod=readonly -modcacherw -buildvcs=false")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null());
    command
}

/// Whether Go can build the suite: it is new enough, and the modules are there or can be fetched.
fn has_suite() -> bool {
    let listed = command("go")
        .args(["list", "-deps", "-test", SUITE])
        .output();
    let reason = match listed {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("`go` does not work here: {error}"),
    };
    let required = std::env::var_os(REQUIRE).is_some();
    assert!(!required, "{reason}, and {REQUIRE} is set");
    println!("not checked: {reason}; with {REQUIRE} set, that fails");
    false
}

/// Runs the suite without the tests whose names begin like this, for at most so many minutes.
fn judge(without: &[&str], minutes: u32) {
    if !has_suite() {
        return;
    }
    let began = Instant::now();
    let output = tempfile::tempdir().unwrap();
    let mut exec = command(env!("CARGO_BIN_EXE_armadillo"));
    // As arangod's own timers have it, servers do not count as failed on a machine that has more to do.
    exec.args(["exec", "cluster", "--arangod=emulator"])
        .args(["--failover=standard", "--output-dir"])
        .arg(output.path());
    for variable in VARIABLES {
        exec.args(["--env", variable]);
    }
    // `test2json` marks the lines that do not come from tests.
    exec.args(["--", "go", "test", "-v=test2json", "-count=1", "-vet=off"])
        .args(["-parallel=8", &format!("-timeout={minutes}m")]);
    if !without.is_empty() {
        exec.arg(format!("-skip=^({})", without.join("|")));
    }
    let ran = exec.arg(SUITE).output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    let verdicts = Verdicts::read(&stdout);
    let count = |ending| verdicts.count(ending);
    println!(
        "go-driver under armadillo exec: {} passed, {} failed, {} skipped in {:.0} s",
        count(Ending::Passed),
        count(Ending::Failed) + count(Ending::Lost),
        count(Ending::Skipped),
        began.elapsed().as_secs_f64(),
    );
    let expected = Expected::read(EXPECTED, DEPLOYMENT).without(without);
    for (reason, count) in expected.reasons(&verdicts) {
        println!("  {count} failures: {reason}");
    }
    let wrong = expected.compare(&verdicts);
    assert!(wrong.is_empty(), "{wrong}{stderr}");
    // It is that of `go test`, some of whose tests have failed.
    assert_eq!(ran.status.code(), Some(1), "{stderr}");
    assert!(!stderr.contains("server crashed: "), "{stderr}");
}

#[test]
fn the_go_drivers_suite_fails_only_as_expected() {
    judge(&SLOW, 5);
}

#[test]
#[ignore = "takes minutes: `just long` runs it"]
fn the_whole_of_the_go_drivers_suite_fails_only_as_expected() {
    judge(&[], 15);
}
