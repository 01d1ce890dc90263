//! Where the program is found, and what is run there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use armadillo_selftest::{Ran, Suite, cargo};

use crate::{PROGRAM, SUITE};

/// What the official tarball has as `bin/arangod`, in short.
const WRAPPER: &str = "#!/bin/sh
DIR=$(dirname \"$0\")
exec \"$DIR/../usr/sbin/arangod\" --server.endpoint tcp://127.0.0.1:8529 --server.authentication true \"$@\"
";

/// Makes this file executable, with the directories above it.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Puts the program there.
fn program(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(PROGRAM, path).unwrap();
}

/// An unpacked tarball.
fn tarball(directory: &Path) -> PathBuf {
    let root = directory.join("arangodb3-linux-3.12.10");
    script(&root.join("bin/arangod"), WRAPPER);
    program(&root.join("usr/sbin/arangod"));
    fs::create_dir_all(root.join("usr/share/arangodb3/js/server")).unwrap();
    root
}

/// A suite whose `PATH` has nothing but these directories.
fn suite(path: &[&Path]) -> Suite {
    let path = std::env::join_paths(path).unwrap();
    Suite::new(SUITE)
        .env("PATH", path)
        .args(["--exact", "a_single_server"])
}

/// What a server was started with, as it has logged it.
fn options(ran: &Ran) -> String {
    logged(ran, "single-1", "options: ")
}

/// The first line of a server's log that begins so.
fn logged(ran: &Ran, server: &str, begin: &str) -> String {
    let servers = ran.directory().join("servers");
    let deployment = fs::read_dir(servers).unwrap().next().unwrap().unwrap();
    let log = fs::read_to_string(deployment.path().join(server).join("log")).unwrap();
    let line = log.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_default().to_owned()
}

fn passed(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert_eq!(ran.verdict("a_single_server"), "passed");
}

#[test]
fn a_tarballs_script_is_not_run_but_what_it_starts() {
    let directory = tempfile::tempdir().unwrap();
    let root = tarball(directory.path());
    let bin = root.join("bin");
    let link = directory.path().join("link/arangod");
    fs::create_dir(link.parent().unwrap()).unwrap();
    symlink(bin.join("arangod"), &link).unwrap();
    let root_of = root.display();
    let arangod = |path: &Path| suite(&[]).args(["--arangod".as_ref(), path.as_os_str()]);
    for (suite, found) in [
        (
            arangod(&bin.join("arangod")),
            format!("{root_of}/bin/arangod"),
        ),
        (arangod(&link), link.display().to_string()),
        (suite(&[&bin]), format!("{root_of}/bin/arangod")),
    ] {
        let ran = suite.run();
        passed(&ran);
        let header = format!(
            "  arangodb: {root_of}/usr/sbin/arangod 3.12.10\n    instead of {found}, a script that adds an endpoint on a fixed port\n"
        );
        assert!(ran.printed(&header), "{}", ran.said());
        let options = options(&ran);
        let startup =
            format!(r#""javascript.startup-directory": ["{root_of}/usr/share/arangodb3/js"]"#);
        assert!(options.contains(&startup), "{options}");
    }
    // The tarball itself.
    passed(&arangod(&root).run());
    // Others may have scripts of their own.
    let own = directory.path().join("own");
    script(
        &own,
        &format!("#!/bin/sh\nexec {root_of}/usr/sbin/arangod \"$@\"\n"),
    );
    let ran = arangod(&own).run();
    passed(&ran);
    assert!(!ran.printed("instead of"), "{}", ran.said());
    fs::remove_file(root.join("usr/sbin/arangod")).unwrap();
    let ran = arangod(&bin.join("arangod")).run();
    assert_eq!(ran.code, Some(3));
    let expected = format!(
        "{root_of}/bin/arangod is a script that adds an endpoint, and the program that it starts is not {root_of}/usr/sbin/arangod"
    );
    assert!(ran.printed(&expected), "{}", ran.said());
}

/// How soon the supervision of a cluster acts, and what its servers inherit.
#[test]
fn a_real_program_keeps_its_own_periods_unless_told_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let arangod = directory.path().join("arangod");
    program(&arangod);
    let run = |test: &str, args: &[&str], file: &str| {
        let suite = Suite::new(SUITE).args(["--exact", test, "--arangod"]);
        let suite = suite.args([&arangod]).args(args);
        suite
            .file("armadillo.toml", file)
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .env("ICU_DATA", "/icu")
            .run()
    };
    let standard = ("1", "5", "10");
    let fast = ("0.5", "1.5", "2.5");
    for (test, args, file, periods) in [
        ("a_cluster", &[][..], "", standard),
        ("a_cluster", &["--failover", "fast"][..], "", fast),
        ("a_cluster", &[][..], "failover = \"fast\"\n", fast),
        ("a_cluster_that_fails_over_soon", &[][..], "", fast),
    ] {
        let ran = run(test, args, file);
        assert_eq!(ran.code, Some(0), "{}", ran.said());
        let options = logged(&ran, "agent-1", "options: ");
        let (frequency, ok, grace) = periods;
        for (name, value) in [
            ("frequency", frequency),
            ("ok-threshold", ok),
            ("grace-period", grace),
        ] {
            let option = format!(r#""agency.supervision-{name}": ["{value}"]"#);
            assert!(options.contains(&option), "{test} {args:?}: {options}");
        }
        let inherited = logged(&ran, "coordinator-1", "environment: ");
        let expected = r#"environment: ["detect_leaks=0", "/icu", ""]"#;
        assert_eq!(inherited, expected);
    }
}

#[test]
fn a_build_directory_is_a_program() {
    let directory = tempfile::tempdir().unwrap();
    let sources = directory.path();
    let build = sources.join("build");
    program(&build.join("bin/arangod"));
    fs::create_dir_all(build.join("etc/arangodb3")).unwrap();
    fs::create_dir_all(sources.join("js/server")).unwrap();
    let built = build.display().to_string();
    let ran = suite(&[]).args(["--arangod", &built]).run();
    passed(&ran);
    let header = format!("  arangodb: {built}/bin/arangod 3.12.10\n");
    assert!(ran.printed(&header), "{}", ran.said());
    let startup = format!(
        r#""javascript.startup-directory": ["{}/js"]"#,
        sources.display()
    );
    let options = options(&ran);
    assert!(options.contains(&startup), "{options}");
    fs::remove_dir_all(build.join("bin")).unwrap();
    let ran = suite(&[]).args(["--arangod", &built]).run();
    assert_eq!(ran.code, Some(3));
    let expected =
        format!("{built} is a directory without usr/sbin/arangod, bin/arangod, sbin/arangod");
    assert!(ran.printed(&expected), "{}", ran.said());
}

/// Where packages and people put it, in a namespace of mounts in which these directories are the test's own.
#[test]
fn usual_places_are_looked_at_and_named() {
    let probe = ["-rm", "mount", "--bind", "/tmp", "/opt"];
    if !cargo::has("unshare", &probe, "ARMADILLO_REQUIRE_MOUNT") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (sbin, opt) = (directory.path().join("sbin"), directory.path().join("opt"));
    for place in [&sbin, &opt] {
        fs::create_dir(place).unwrap();
    }
    let run = || {
        let script = "mount --bind \"$1\" /usr/local/sbin && mount --bind \"$2\" /opt || exit 99; \
                      PATH=$1/nothing exec \"$3\" --exact a_single_server";
        let suite = Suite::new("unshare").args(["-rm", "sh", "-c", script, "sh"]);
        suite
            .args([sbin.as_os_str(), opt.as_os_str(), SUITE.as_ref()])
            .run()
    };
    let ran = run();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    let places = "arangodb program not found: no arangod in PATH; no /usr/sbin/arangod; no /usr/local/sbin/arangod; \
                  no /opt/arangodb3*/usr/sbin/arangod; no /opt/arangodb3*/bin/arangod; no /opt/arangodb3*/sbin/arangod\n";
    assert!(ran.printed(places), "{}", ran.said());
    assert!(ran.printed("--arangod emulator"), "{}", ran.said());
    tarball(&opt);
    let ran = run();
    passed(&ran);
    let header = "  arangodb: /opt/arangodb3-linux-3.12.10/usr/sbin/arangod 3.12.10\n";
    assert!(ran.printed(header), "{}", ran.said());
    program(&sbin.join("arangod"));
    let ran = run();
    passed(&ran);
    assert!(
        ran.said()
            .contains("  arangodb: /usr/local/sbin/arangod 3.12.10\n")
    );
}
