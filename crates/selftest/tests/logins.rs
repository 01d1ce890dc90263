//! What a test hands to other programs ends with it, at every server.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use armadillo_selftest::Suite;

#[test]
fn a_login_is_refused_by_every_server_when_its_test_has_ended() {
    if !armadillo_selftest::cargo::has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let suite = Suite::new(env!("CARGO_BIN_EXE_logins")).env("LOGINS", place.path());
    let args = ["-n", "1", "--show-output", "--arangod", "emulator"];
    let skipped = [
        "--skip",
        "z_fails",
        "--skip",
        "tls::",
        "--skip",
        "intruder::",
    ];
    let ran = suite.args(args).args(skipped).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let said = ran.text();
    for request in ["/v3/kv/put", "/v3/auth/authenticate"] {
        let refused = said.matches(&format!("refused {request}")).count();
        assert_eq!(refused, 3, "one for each member\n{said}");
    }
    // The password is nowhere in what the run wrote. A token is, once it is refused: etcd logs it then.
    let credentials = std::fs::read_to_string(place.path().join("credentials")).unwrap();
    let credentials: serde_json::Value = serde_json::from_str(&credentials).unwrap();
    let password = credentials["password"].as_str().unwrap();
    assert_eq!(password.len(), 64);
    assert_eq!(files_with(&ran.directory(), password), Vec::<String>::new());
}

/// The suite on the emulator, which needs nothing else.
fn on_the_emulator(place: &std::path::Path, args: &[&str]) -> armadillo_selftest::Ran {
    let suite = Suite::new(env!("CARGO_BIN_EXE_logins")).env("LOGINS", place);
    let common = ["-n", "1", "--show-output", "--arangod", "emulator"];
    suite.args(common).args(args.iter().copied()).run()
}

#[test]
fn every_server_refuses_what_was_revoked_and_life_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let args = [
        "--edition",
        "enterprise",
        "rotation::",
        "permissions::",
        "--skip",
        "z_fails",
        "--skip",
        "y_community",
    ];
    let ran = on_the_emulator(place.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let said = ran.text();
    assert!(said.contains("14 passed; 0 failed; 0 ignored"), "{said}");
    assert!(
        said.contains("refused the connection of an ended test"),
        "{said}"
    );
    let rows = |line: &str| said.matches(line).count();
    for (after, good) in [
        ("nothing |", 10),
        ("user removed |", 8),
        ("user deactivated |", 8),
        ("exp passed |", 7),
        ("key rotated |", 0),
    ] {
        let all: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with(after))
            .collect();
        assert_eq!(all.len(), 10, "{after}\n{said}");
        let refused = all.iter().filter(|line| line.contains("Nowhere")).count();
        assert_eq!(all.len() - refused, good, "{after}\n{said}");
    }
    assert_eq!(rows("rotated in "), 1, "{said}");
    // The events have each step, for whoever reads them later.
    let notices = ran.events("deployment");
    let steps = notices
        .iter()
        .filter_map(|event| event["notice"]["steps"].as_u64());
    let steps: Vec<u64> = steps.collect();
    assert!(steps.len() >= 3 && steps[..3] == [1, 2, 3], "{steps:?}");
}

#[test]
fn a_test_whose_fixtures_are_about_logins_is_marked() {
    let place = tempfile::tempdir().unwrap();
    let args = ["-m", "auth_required", "--plan", "--edition", "enterprise"];
    let ran = on_the_emulator(place.path(), &args);
    let said = ran.text();
    assert_eq!(ran.code, Some(0), "{said}");
    for (test, is_marked) in [
        ("permissions::a_reader_does_not_write", true),
        ("permissions::rights_hold_at_every_coordinator", true),
        ("rotation::z_fails", true),
        ("f_tokens_end", true),
        ("rotation::d_connection_is_handed_over", false),
        ("a_login_is_handed_over", false),
    ] {
        let line = said
            .lines()
            .find(|line| line.trim_start().starts_with(test));
        let shown = line.is_some_and(|line| line.contains("auth_required"));
        let found = (line.is_some(), shown);
        assert_eq!(found, (is_marked, is_marked), "{test}\n{said}");
    }
}

#[test]
fn a_community_build_rotates_nothing_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let ran = on_the_emulator(place.path(), &["rotation::c_pairs", "--exact"]);
    let said = ran.text();
    let why = "requires rotation; the Community Edition cannot read its key again: use --edition enterprise";
    assert!(said.contains(why), "{said}");
    assert!(said.contains("0 passed; 0 failed; 1 ignored"), "{said}");
}

#[test]
fn a_run_that_fails_writes_no_secret_anywhere() {
    let place = tempfile::tempdir().unwrap();
    let private = tempfile::tempdir().unwrap();
    let runtime = private.path().join("own").display().to_string();
    let args = [
        "--edition",
        "enterprise",
        "--runtime-dir",
        &runtime,
        "rotation::z_fails",
    ];
    let ran = on_the_emulator(place.path(), &args);
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    let secrets = std::fs::read_to_string(place.path().join("secrets")).unwrap();
    let secrets: Vec<String> = serde_json::from_str(&secrets).unwrap();
    assert_eq!(secrets.len(), 6);
    assert!(ran.directory().join("junit.xml").is_file());
    let (written, said) = (ran.directory(), ran.text());
    assert!(!files_with(&written, "z_fails").is_empty());
    for secret in &secrets {
        assert!(secret.len() >= 43, "{secret}");
        assert!(!said.contains(secret), "{said}");
        for directory in [written.as_path(), private.path()] {
            assert_eq!(files_with(directory, secret), Vec::<String>::new());
        }
    }
}

#[test]
fn certificates_that_are_not_right_are_refused_and_replaced_after_the_test() {
    if !armadillo_selftest::cargo::has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let suite = Suite::new(env!("CARGO_BIN_EXE_logins"));
    let args = ["-n", "1", "--show-output", "--arangod", "emulator", "tls::"];
    let ran = suite.args(args).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let spoilt = ran.text().matches("shows an expired certificate").count();
    assert_eq!(spoilt, 4, "{}", ran.said());
    // One deployment for both cases of each: it was put in order between them.
    assert_eq!(ran.events("deployment_ready").len(), 3);
    assert_eq!(
        files_with(&ran.directory(), "PRIVATE KEY"),
        Vec::<String>::new()
    );
}

#[test]
fn a_run_with_tls_has_it_everywhere() {
    if !armadillo_selftest::cargo::has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let suite = Suite::new(env!("CARGO_BIN_EXE_logins")).env("LOGINS_WITH_TLS", "1");
    let args = ["--tls", "--exact", "tls::a_cluster_is_as_the_run_says"];
    let ran = suite.args(args).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let ready = ran.events("deployment_ready");
    let name = ready[0]["deployment"].to_string();
    assert!(name.contains("etcd-cluster-members1-tls-"), "{name}");
    assert_eq!(
        files_with(&ran.directory(), "PRIVATE KEY"),
        Vec::<String>::new()
    );
}

/// Of every server of every role, the other user has tried all requests that were recorded of a real server, and more. What answers
/// it is what the pages say, no more and no less.
#[test]
fn another_user_of_the_machine_reads_and_changes_nothing() {
    let probe = ["--reuid=65534", "--regid=65534", "--clear-groups", "true"];
    if !armadillo_selftest::cargo::has("setpriv", &probe, "ARMADILLO_REQUIRE_ROOT")
        || !armadillo_selftest::cargo::has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD")
    {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let private = place.path().join("own").display().to_string();
    let suite = Suite::new(env!("CARGO_BIN_EXE_logins")).env("LOGINS_PRIVATE", &private);
    // What keeps the other user out must be the run's own directories.
    for directory in [place.path(), suite.home()] {
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory, everybody).unwrap();
    }
    let args = ["-n", "2", "--show-output", "--arangod", "emulator"];
    let own = [
        "--failure-tests",
        "--edition",
        "enterprise",
        "--runtime-dir",
        &private,
    ];
    let ran = suite.args(args).args(own).args(["intruder::"]).run();
    let said = ran.text();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(said.contains("5 passed; 0 failed; 0 ignored"), "{said}");
    let is_oldest = ran.printed("/etcd 3.4.");
    let found = |role: &str| -> BTreeSet<String> {
        let begin = format!("open | {role} | ");
        let lines = said.lines().filter_map(|line| line.strip_prefix(&begin));
        lines.map(str::to_owned).collect()
    };
    let mut arangodb = open_in("arangodb.md", "### Without a login");
    // Who has no password gets none.
    assert!(arangodb.remove("http | POST /_open/auth"));
    for role in ["single", "agent", "dbserver", "coordinator"] {
        assert_eq!(found(role), arangodb, "{role}");
    }
    let mut etcd = open_in("etcd.md", "### Without a login");
    let others = found("member")
        .difference(&etcd)
        .cloned()
        .collect::<Vec<_>>();
    assert_eq!(others, [""; 0], "not in docs/etcd.md");
    // Later versions answer less.
    if is_oldest {
        assert!(etcd.remove("peer | GET /downgrade/enabled"));
        assert_eq!(found("member"), etcd);
    }
}

/// The requests that the table below this heading names, behind their port.
fn open_in(page: &str, heading: &str) -> BTreeSet<String> {
    let path = armadillo_selftest::cargo::workspace()
        .join("docs")
        .join(page);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (_, section) = text.split_once(heading).unwrap_or_default();
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let requests = rows.map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
        let port = cells.nth(1).unwrap_or_default();
        format!("{port} | {}", cells.next().unwrap_or_default())
    });
    let requests: BTreeSet<String> = requests.collect();
    assert!(!requests.is_empty(), "{page}");
    requests
}

/// The files below a directory that contain this text.
fn files_with(directory: &std::path::Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}
