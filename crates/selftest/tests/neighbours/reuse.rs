//! `--reuse` through cargo, with the example suite: what fixtures have loaded once for a deployment is loaded again by the next run.

use armadillo_selftest::cargo::has;

use super::{cargo, output};

#[test]
fn what_is_loaded_once_is_loaded_by_each_run() {
    if !has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // The last run lets go of the deployments soon.
    for (reuse, running) in [
        ("--reuse", "2 deployments started"),
        ("--reuse=1s", "0 deployments started, 2 already running"),
    ] {
        let suite = ["test", "--workspace", "--test", "suite"];
        let run = ["--", "loaded_once::", reuse];
        let mut command = cargo(&[&suite[..], &run].concat());
        command
            .env("ARMADILLO_OUTPUT_DIR", directory.path())
            .env("ARMADILLO_ARANGOD", "emulator");
        let (code, stdout, stderr) = output(command);
        assert_eq!(code, Some(0), "{stdout}\n{stderr}");
        assert!(stderr.contains(running), "{stdout}\n{stderr}");
    }
}
