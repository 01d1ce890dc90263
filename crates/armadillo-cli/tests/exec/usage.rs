//! What a person may get wrong on the command line, and what `exec` keeps to itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{ARMADILLO, Scene, said};

#[test]
fn what_makes_no_sense_is_refused_before_anything_starts() {
    let scene = Scene::new();
    fs::write(scene.file("its-tests"), "#!/bin/sh\n").unwrap();
    for (args, says) in [
        (&["exec", "--", "true"][..], "required"),
        (&["exec", "single"], "there is no command to run"),
        (
            &["exec", "triple", "--", "true"],
            "the topologies are cluster, etcd, single",
        ),
        (
            &["exec", "clutser", "--", "true"],
            "there is no topology `clutser`\nhelp: did you mean `cluster`?",
        ),
        (
            &["exec", "single", "true", "single"],
            "write `--` before the command: `armadillo exec single -- true single`",
        ),
        (
            &["exec", "cluster(tsl)", "--", "true"],
            "unknown word `tsl`",
        ),
        (
            &["exec", "cluster(agents = 2)", "--", "true"],
            "error: agents: 2 agents",
        ),
        (
            &["exec", "single", "--", "no-such-program"],
            "no `no-such-program` in PATH",
        ),
        (&["exec", "single", "--", "its-tests"], "is `./its-tests`"),
        (
            &["exec", "single", "--", "./its-tests"],
            "./its-tests is not executable\nhelp: `chmod +x ./its-tests`",
        ),
        (
            &["exec", "single", "--", "./no-such-script"],
            "./no-such-script does not exist",
        ),
        (
            &["exec", "single", "--env", "A={B", "--", "true"],
            "unmatched brace",
        ),
        (
            &["exec", "single", "--env", "A", "--", "true"],
            "write NAME=TEMPLATE",
        ),
        (
            &["exec", "single", "--env", "A={ARANGO_URL}", "--", "true"],
            "they have ARANGO_DATABASE, ARANGO_ENDPOINTS, ",
        ),
        (
            &["exec", "single", "--env", "A={ETCDCTL_API}", "--", "true"],
            "no variable of this name",
        ),
        (
            &[
                "exec",
                "single",
                "--env",
                "A={ARANGO_TOKEN_2}",
                "--",
                "true",
            ],
            "did you mean `{ARANGO_TOKEN}`?",
        ),
        (
            &[
                "exec",
                "single",
                "--env",
                "A={ARMADILLO_ARANGODB_CA}",
                "--",
                "true",
            ],
            "no variable of this name",
        ),
        (
            &["exec", "single", "-m", "slow", "--", "true"],
            "unexpected argument",
        ),
        (
            &["exec", "single", "--cluster", "--", "true"],
            "unexpected argument",
        ),
        (
            &["exec", "cluster", "--dbservers", "0", "--", "true"],
            "dbservers",
        ),
        (&["up", "single", "--no-such-flag"], "unexpected argument"),
    ] {
        let said = scene.run(args).ended(2);
        assert!(said.stderr.contains(says), "{args:?}: {}", said.stderr);
    }
    assert!(!scene.file("runs").exists());
}

#[test]
fn templates_may_name_every_variable_of_the_servers() {
    let scene = Scene::new();
    let topology = ["single", "single", "--tls", "--env"];
    let template = "A={ARANGO_DATABASE_2} {ARMADILLO_ARANGODB_CA} {ARMADILLO_SESSION}";
    let said = scene.exec(&[&topology[..], &[template]].concat(), "echo $A");
    let said = said.ended(0);
    let words: Vec<&str> = said.stdout.split_whitespace().collect();
    assert!(
        matches!(words.as_slice(), ["_system", authority, session]
            if authority.ends_with(".pem") && session.ends_with("session.json")),
        "{}",
        said.stdout
    );
}

#[test]
fn a_flag_that_concerns_no_topology_has_no_effect_and_says_so() {
    let scene = Scene::new();
    let said = scene
        .run(&[
            "exec",
            "single",
            "--dbservers=5",
            "--etcd-members=3",
            "--",
            "true",
        ])
        .ended(0);
    for flag in ["--dbservers", "--etcd-members"] {
        let warning = format!("warning: {flag} has no effect");
        assert!(said.stderr.contains(&warning), "{}", said.stderr);
    }
    let args = ["cluster(agents = 1)", "single", "--dbservers=1"];
    let said = scene.exec(&args, "true").ended(0);
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
}

#[test]
fn the_help_speaks_of_commands() {
    let scene = Scene::new();
    for command in ["exec", "up"] {
        let help = scene.run(&[command, "--help"]).ended(0).stdout;
        for about_tests in ["a test", "the test", "tests that", "of tests", "each test"] {
            assert!(!help.contains(about_tests), "{about_tests}: {help}");
        }
    }
}

#[test]
fn a_quiet_command_is_alone_on_the_terminal_unless_it_fails() {
    let scene = Scene::new();
    let said = scene.exec(&["single", "--quiet"], "echo out; echo err >&2");
    let said = said.ended(0);
    assert_eq!(
        (said.stdout.as_str(), said.stderr.as_str()),
        ("out\n", "err\n")
    );
    let said = scene.exec(&["single", "-q"], "exit 9").ended(9);
    for says in ["  files: ", ": ready after", "`sh` exited with code 9"] {
        assert!(said.stderr.contains(says), "{says}: {}", said.stderr);
    }
}

#[test]
fn variables_of_another_session_do_not_reach_the_command() {
    let scene = Scene::new();
    let seen = |session: bool| {
        let script = "env | grep -c '^ETCDCTL_\\|^ARANGO_TOKEN_3'";
        let mut command = scene.command(&["exec", "single", "--", "sh", "-c", script]);
        command
            .env("ETCDCTL_ENDPOINTS", "http://127.0.0.1:1")
            .env("ETCDCTL_CACERT", "/no/such/file")
            .env("ETCDCTL_USER_2", "root:old")
            .env("ARANGO_TOKEN_3", "old")
            // It is no variable of any session.
            .env("ETCDCTL_DIAL_TIMEOUT", "1s");
        if session {
            command.env("ARMADILLO_SESSION", "/no/such/session.json");
        }
        said(&command.output().unwrap()).ended(0).stdout
    };
    assert_eq!(seen(true), "1\n");
    // Somebody else has set them.
    assert_eq!(seen(false), "5\n");
}

#[test]
fn commands_have_no_history() {
    let scene = Scene::new();
    for _ in 0..2 {
        let said = scene.exec(&["single"], "exit 1").ended(1);
        assert!(!said.stderr.contains("before:"), "{}", said.stderr);
    }
    assert!(!scene.file("runs/history.jsonl").exists());
}

#[test]
fn runs_that_pass_push_out_none_that_failed() {
    let scene = Scene::new();
    scene.exec(&["single"], "exit 1").ended(1);
    let failed = fs::canonicalize(scene.file("runs/latest")).unwrap();
    scene.exec(&["single"], "true").ended(0);
    let passed = fs::canonicalize(scene.file("runs/latest")).unwrap();
    for _ in 0..10 {
        scene.exec(&["single"], "true").ended(0);
    }
    assert!(failed.is_dir() && !passed.is_dir());
}

/// An installed command is below no target directory.
#[test]
fn outside_of_projects_files_go_to_a_directory_of_their_own() {
    let scene = Scene::new();
    let installed = scene.file("armadillo");
    fs::copy(ARMADILLO, &installed).unwrap();
    fs::set_permissions(&installed, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |directory: &std::path::Path| {
        let mut command = scene.command_of(&installed, &["exec", "single", "--", "true"]);
        command
            .env_remove("ARMADILLO_OUTPUT_DIR")
            .env_remove("CARGO_TARGET_DIR")
            .current_dir(directory);
        said(&command.output().unwrap()).ended(0);
    };
    run(scene.home.path());
    assert!(scene.file(".armadillo/latest/report.html").is_file());
    let ignored = fs::read_to_string(scene.file(".armadillo/.gitignore")).unwrap();
    assert_eq!(ignored, "*\n");
    assert!(!scene.file("target").exists());
    let package = scene.file("package");
    fs::create_dir_all(package.join("tests")).unwrap();
    fs::write(package.join("Cargo.toml"), "").unwrap();
    run(&package.join("tests"));
    let report = package.join("target/armadillo/latest/report.html");
    assert!(report.is_file());
}
