//! The test suite of the official Go driver.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::expected::Expected;
use super::verdicts::{Ending, Verdicts};
use crate::clusters::Cluster;
use crate::support::Place;

/// The package whose tests judge.
const SUITE: &str = "github.com/arangodb/go-driver/v2/tests";

/// Set where a missing Go is a failure.
const REQUIRE: &str = "ARMADILLO_REQUIRE_GO";

/// The list of expected failures.
const EXPECTED: &str = include_str!("../../../judges/go-driver/expected-failures.txt");

/// The longest that the suite may take on a single server, and on a cluster.
const LIMIT_SINGLE: Duration = Duration::from_secs(170);
const LIMIT_CLUSTER: Duration = Duration::from_secs(900);

/// arangod's own timers. With the emulator's short ones, servers count as failed on a machine that has more to do than
/// this for minutes.
const TIMERS: [&str; 4] = [
    "--agency.election-timeout-min=1",
    "--agency.election-timeout-max=5",
    "--agency.supervision-grace-period=10",
    "--agency.supervision-ok-threshold=5",
];

/// Where Go builds: nothing of it is outside of cargo's target directory.
fn workshop() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-driver")
}

/// Go where the module is, with caches of its own that `cargo clean` can remove.
fn go(args: &[&str]) -> std::io::Result<Output> {
    let caches = workshop();
    Command::new("go")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/go-driver"))
        .env("GOCACHE", caches.join("cache"))
        .env("GOMODCACHE", caches.join("modules"))
        .env("GOFLAGS", "-mod=readonly -modcacherw -buildvcs=false")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
}

/// The suite's program, built once; nothing where it cannot be built and need not be: without Go, with
/// one that is too old, or without a network at the first time.
fn suite() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| match build() {
        Ok(program) => Some(program),
        Err(reason) => {
            let required = std::env::var_os(REQUIRE).is_some();
            assert!(!required, "{reason}, and {REQUIRE} is set");
            println!("not checked: {reason}; with {REQUIRE} set, that fails");
            None
        }
    });
    built.as_deref()
}

fn build() -> Result<PathBuf, String> {
    let program = workshop().join("suite");
    let target = program.display().to_string();
    let args = [
        "test",
        "-c",
        "-vet=off",
        "-ldflags=-s -w",
        "-o",
        &target,
        SUITE,
    ];
    match go(&args) {
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(format!("the suite cannot be built: {}", text.trim()))
        }
        Err(error) => Err(format!("`go` does not work here: {error}")),
    }
}

/// A deployment that is judged.
#[derive(Debug, Clone, Copy)]
struct Deployment {
    /// As the list of expected failures calls it.
    name: &'static str,
    /// What the suite is told that it is.
    mode: &'static str,
    /// With authentication, and with what the suite calls extra features: compressed bodies, and
    /// databases with extended names.
    guarded: bool,
    /// After so long the suite gives up.
    limit: Duration,
}

impl Deployment {
    /// The arguments of its servers.
    fn args(self) -> Vec<&'static str> {
        match self.guarded {
            true => vec![
                // The name that this option had before 3.12; ArangoDB's own scripts use it.
                "--database.extended-names-databases=true",
                "--http.compress-response-threshold=1",
                "--http.handle-content-encoding-for-unauthenticated-requests=true",
            ],
            false => vec!["--server.authentication=false"],
        }
    }

    /// Runs the suite on these endpoints, and fails if it does not end as the list says.
    fn judge(self, suite: &Path, endpoints: &[String]) {
        let began = Instant::now();
        let mut command = Command::new(suite);
        command
            .args(["-test.v=test2json", "-test.parallel=8"])
            .arg(format!("-test.timeout={}s", self.limit.as_secs()))
            .current_dir(workshop())
            .env_clear()
            .env("TEST_MODE", self.mode)
            .env("TEST_ENDPOINTS", endpoints.join(","))
            .stdin(Stdio::null());
        match self.guarded {
            true => command
                .env("TEST_AUTHENTICATION", "basic:root:")
                .env("ENABLE_DATABASE_EXTRA_FEATURES", "true"),
            false => command.env("TEST_AUTH", "none"),
        };
        let output = command.output().unwrap();
        let verdicts = Verdicts::read(&String::from_utf8_lossy(&output.stdout));
        let record = workshop().join(format!("{}.txt", self.name));
        std::fs::write(record, &output.stdout).unwrap();
        let count = |ending| verdicts.count(ending);
        println!(
            "go-driver on {}: {} passed, {} failed, {} skipped in {:.0} s",
            self.name,
            count(Ending::Passed),
            count(Ending::Failed) + count(Ending::Lost),
            count(Ending::Skipped),
            began.elapsed().as_secs_f64(),
        );
        let expected = Expected::read(EXPECTED, self.name);
        for (reason, count) in expected.reasons(&verdicts) {
            println!("  {count} failures: {reason}");
        }
        let wrong = expected.compare(&verdicts);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(wrong.is_empty(), "{wrong}{errors}");
        // 0 or 1; everything else is a panic, or a signal.
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| code < 2),
            "{}: {errors}",
            output.status
        );
    }
}

fn single(name: &'static str, guarded: bool) {
    let Some(suite) = suite() else { return };
    let deployment = Deployment {
        name,
        mode: "single",
        guarded,
        limit: LIMIT_SINGLE,
    };
    let place = Place::new();
    let server = place.start(&deployment.args());
    deployment.judge(suite, &[format!("http://{}", server.address)]);
}

fn cluster(name: &'static str, guarded: bool) {
    let Some(suite) = suite() else { return };
    let deployment = Deployment {
        name,
        mode: "cluster",
        guarded,
        limit: LIMIT_CLUSTER,
    };
    let args = deployment.args();
    let agents: Vec<&str> = args.iter().copied().chain(TIMERS).collect();
    let cluster = Cluster::start_with(&agents, &args, 3, 3);
    cluster.wait_until_healthy(9);
    let places = cluster.coordinators.iter();
    let endpoints: Vec<String> = places
        .map(|(place, _)| format!("http://{}", place.port.address))
        .collect();
    deployment.judge(suite, &endpoints);
}

#[test]
fn go_driver_on_a_single_server() {
    single("single", true);
}

#[test]
#[ignore = "takes minutes: `just judges` runs it"]
fn go_driver_on_a_single_server_without_authentication() {
    single("open-single", false);
}

#[test]
#[ignore = "takes minutes: `just judges` runs it"]
fn go_driver_on_a_cluster() {
    cluster("cluster", true);
}

#[test]
#[ignore = "takes minutes: `just judges` runs it"]
fn go_driver_on_a_cluster_without_authentication() {
    cluster("open-cluster", false);
}
