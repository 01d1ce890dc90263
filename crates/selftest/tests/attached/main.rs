//! Tests on servers that somebody else started: what can run there runs, what cannot is ignored with the reason, and nothing
//! else on these servers is touched.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod clusters;

use armadillo_selftest::cargo::has;
use armadillo_selftest::foreign::{Foreign, certificate};
use armadillo_selftest::{Ran, Suite, wait};
use serde_json::{Value, json};

const SUITE: &str = env!("CARGO_BIN_EXE_attached");

const PASSWORD: &str = "not-to-be-shown";

/// `root:not-to-be-shown`
const BASIC: &str = "authorization: Basic cm9vdDpub3QtdG8tYmUtc2hvd24=\r\n";

/// Every test that can run on a single server.
const ON_A_SINGLE_SERVER: [&str; 5] = [
    "a_shelf_is_shared",
    "documents::are_found_on_a_healthy_server",
    "documents::are_written",
    "documents::are_written_with_a_token",
    "requirements::are_met",
];

fn emulator(options: &[&str]) -> Foreign {
    Foreign::emulator(SUITE, PASSWORD, options)
}

fn attach(server: &Foreign) -> Suite {
    Suite::new(SUITE)
        .args([
            "--attach-arangodb",
            &server.url(),
            "--skip",
            "keys",
            "--skip",
            "clusters",
            "--skip",
            "when_the_run_ends",
        ])
        .env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", PASSWORD)
}

fn databases(server: &Foreign) -> Vec<String> {
    let (_, answer) = server.ask("GET /_api/database", BASIC, "").unwrap();
    serde_json::from_value(answer["result"].clone()).unwrap()
}

fn users(server: &Foreign) -> usize {
    let (_, answer) = server.ask("GET /_api/user", BASIC, "").unwrap();
    answer["result"].as_array().unwrap().len()
}

fn create_database(server: &Foreign, name: &str) {
    let body = json!({ "name": name }).to_string();
    let (status, answer) = server.ask("POST /_api/database", BASIC, &body).unwrap();
    assert_eq!(status, 201, "{answer}");
}

/// No file of the run and nothing that it printed has the password.
fn shows_no_password(ran: &Ran) {
    fn look(directory: &std::path::Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                look(&path);
            } else if let Ok(text) = std::fs::read(&path) {
                let text = String::from_utf8_lossy(&text);
                assert!(!text.contains(PASSWORD), "{}", path.display());
            }
        }
    }
    assert!(!ran.printed(PASSWORD), "{}", ran.said());
    look(&ran.home().join("runs"));
}

#[test]
fn what_can_run_runs_and_the_rest_says_why_not() {
    let server = emulator(&[
        "--server.authentication",
        "true",
        "--server.session-timeout",
        "600",
    ]);
    create_database(&server, "of-somebody-else");
    let ran = attach(&server)
        .args(["-n", "2", "--skip", "left_behind"])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    for test in ON_A_SINGLE_SERVER {
        assert_eq!(ran.verdict(test), "passed", "{}", ran.said());
    }
    let url = server.url();
    for (test, reason) in [
        ("are_killed", "needs a deployment to itself"),
        ("are_measured", "needs a deployment to itself"),
        ("are_new", "needs a new deployment"),
        (
            "are_not_there_yet",
            "needs servers that are not running yet",
        ),
        ("are_logged", "needs server options of its own"),
        ("are_old", "needs programs of its own"),
        ("are_sharded", "needs a cluster"),
    ] {
        let line = format!(
            "test documents::{test} ... ignored, {reason}; this run has --attach-arangodb {url}"
        );
        assert!(ran.stdout.contains(&line), "{line}\n{}", ran.said());
    }
    let header = format!(
        "  arangodb: {url} (attached) 3.12.10, arangod-emulator, a stand-in for arangod, not ArangoDB"
    );
    assert!(ran.stderr.contains(&header), "{}", ran.said());
    for says in [": attached\n", "; 0 deployments started, 1 attached\n"] {
        assert!(ran.stderr.contains(says), "{says}{}", ran.said());
    }
    // Somebody else's database is none of the tests' business, so it is only mentioned.
    assert!(
        ran.stderr
            .contains("databases: databases that no test owns: of-somebody-else"),
        "{}",
        ran.said()
    );
    assert_eq!(databases(&server), ["_system", "of-somebody-else"]);
    assert_eq!(users(&server), 1);
    shows_no_password(&ran);
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn what_cannot_run_is_known_before() {
    let server = emulator(&["--server.authentication", "false"]);
    let ran = attach(&server).args(["--plan"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let line = format!(
        "  documents::are_new: needs a new deployment; this run has --attach-arangodb {}\n",
        server.url()
    );
    assert!(ran.stdout.contains(&line), "{}", ran.said());
    assert!(
        ran.stdout.contains("\narangodb single: 6 tests\n"),
        "{}",
        ran.said()
    );
    let ran = attach(&server)
        .args(["--list", "--format", "json", "-Z", "unstable-options"])
        .run();
    let listed = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ignored = |test: &Value| {
        test["ignore"] == true
            && test["ignore_message"]
                .as_str()
                .unwrap()
                .contains("--attach-arangodb")
    };
    assert_eq!(listed.filter(ignored).count(), 8, "{}", ran.said());
    // Scripts need new servers.
    let ran = attach(&server)
        .file(
            "script.json",
            r#"{"script":1,"of":"r","steps":[{"begin":"documents::are_new"}]}"#,
        )
        .args(["--script", "script.json"])
        .run();
    assert_eq!(ran.code, Some(2), "{}", ran.said());
    let refused = "--script cannot be combined with --attach-arangodb: ";
    assert!(ran.stderr.contains(refused), "{}", ran.said());
    // Nothing makes them run, and without authentication the rest needs no password.
    let ran = Suite::new(SUITE)
        .args([
            "--attach-arangodb",
            &server.url(),
            "--include-ignored",
            "--skip",
            "keys",
            "--skip",
            "clusters",
            "--skip",
            "when_the_run_ends",
        ])
        .args(["--skip", "left_behind"])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(
        ran.stdout.contains("6 passed; 0 failed; 11 ignored"),
        "{}",
        ran.said()
    );
}

#[test]
fn a_requirement_that_is_not_met_is_the_reason_to_ignore_a_test() {
    let server = emulator(&["--server.authentication", "true"]);
    let stand_in = "arangod-emulator, a stand-in, not ArangoDB";
    let ran = Suite::new(SUITE)
        .args(["--arangod", "emulator", "--plan", "requirements"])
        .run();
    for line in [
        "\narangodb single: 2 tests\n".to_owned(),
        format!(
            "  requirements::are_a_real_one: requires the real arangodb; this run has {stand_in}\n"
        ),
        "  requirements::are_a_newer_one: requires arangodb >=4.0; this run has 3.12.10\n"
            .to_owned(),
        format!("  requirements::are_queries: requires aql; this run has {stand_in}\n"),
    ] {
        assert!(ran.stdout.contains(&line), "{line}\n{}", ran.said());
    }
    let ran = Suite::new(SUITE)
        .args(["--arangod", "emulator", "requirements", "--include-ignored"])
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    assert!(
        ran.stdout.contains("2 passed; 0 failed; 3 ignored"),
        "{}",
        ran.said()
    );
    let ran = attach(&server).args(["requirements"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    let line = format!(
        "test requirements::are_a_key ... ignored, requires signing_key; the key of {} is not known",
        server.url()
    );
    assert!(ran.stdout.contains(&line), "{}", ran.said());
}

#[test]
fn a_test_that_leaves_something_there_is_told_so_and_it_is_removed() {
    let server = emulator(&["--server.authentication", "true"]);
    create_database(&server, "left_alone");
    let ran = attach(&server).args(["left_behind"]).run();
    assert_eq!(ran.code, Some(101), "{}", ran.said());
    let message = ran.message("documents::are_left_behind");
    assert!(
        message.contains("databases left behind: left_"),
        "{message}"
    );
    // A retry has no server of its own here.
    assert_eq!(ran.events("test_finished").len(), 3, "{}", ran.said());
    assert_eq!(databases(&server), ["_system", "left_alone"]);
}

#[test]
fn a_run_that_is_killed_takes_back_what_its_tests_have_made() {
    let server = emulator(&["--server.authentication", "true"]);
    create_database(&server, "left_alone");
    let meeting = tempfile::tempdir().unwrap();
    let suite = Suite::new(SUITE)
        .args(["--attach-arangodb", &server.url(), "when_the_run_ends"])
        .env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", PASSWORD)
        .env("SELFTEST_MEETING", meeting.path());
    let running = suite.start();
    let written = wait::until(wait::LIMIT, || {
        meeting.path().join("written").exists().then_some(())
    });
    assert!(written.is_some(), "{}", running.stderr());
    assert_eq!(databases(&server).len(), 4);
    running.signal(rustix::process::Signal::KILL);
    let ran = running.wait();
    let clean = wait::until(wait::LIMIT, || {
        (databases(&server).len() == 2 && users(&server) == 1).then_some(())
    });
    assert!(clean.is_some(), "{:?}", databases(&server));
    assert_eq!(ran.remains(), [""; 0]);
}

#[test]
fn a_server_that_goes_away_is_named() {
    let mut server = emulator(&["--server.authentication", "true"]);
    let meeting = tempfile::tempdir().unwrap();
    let suite = Suite::new(SUITE)
        .args([
            "--attach-arangodb",
            &server.url(),
            "when_the_run_ends",
            "shelf",
            "-n",
            "1",
            "--repeat",
            "2",
        ])
        .env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", PASSWORD)
        .env("SELFTEST_MEETING", meeting.path());
    let running = suite.start();
    let written = wait::until(wait::LIMIT, || {
        meeting.path().join("written").exists().then_some(())
    });
    assert!(written.is_some(), "{}", running.stderr());
    server.kill();
    std::fs::write(meeting.path().join("over"), "").unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    let gone = format!("single-1: no longer reachable at {}", server.url());
    assert!(
        ran.stderr.contains(&gone) || ran.stdout.contains(&gone),
        "{}",
        ran.said()
    );
    let refused = format!(
        "cannot reach the server at {}: Connection refused",
        server.url()
    );
    assert!(ran.stdout.contains(&refused), "{}", ran.said());
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let server = emulator(&["--server.authentication", "true"]);
    let url = server.url();
    let said = |suite: Suite, code: i32| {
        let ran = suite.args(["documents::are_written"]).run();
        assert_eq!(ran.code, Some(code), "{}", ran.said());
        shows_no_password_in(&ran);
        ran.stderr
    };
    let attach = |url: &str| Suite::new(SUITE).args(["--attach-arangodb", url]);
    let wrong = attach(&url).env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", "wrong");
    let wrong = said(wrong, 3);
    let start = format!(
        "error: cannot run tests on the arangodb servers at {url}: it rejects the login of the user root (HTTP 401)"
    );
    assert!(wrong.contains(&start), "{wrong}");
    let none = said(attach(&url), 3);
    assert!(
        none.contains("it asks for a login, and none is set")
            && none.contains("--attach-arangodb-login FILE"),
        "{none}"
    );
    let nobody = said(attach("http://127.0.0.1:1"), 3);
    assert!(
        nobody.contains("http://127.0.0.1:1: nothing listens there (connection refused)"),
        "{nobody}"
    );
    let tls = said(attach("https://127.0.0.1:1"), 2);
    assert!(tls.contains("--attach-arangodb-ca FILE"), "{tls}");
    let secret = said(attach(&format!("http://root:{PASSWORD}@127.0.0.1:1")), 2);
    assert!(
        secret.contains("the URL contains a user or a password"),
        "{secret}"
    );
    let open = attach(&url).file("login", &format!("root:{PASSWORD}"));
    let open = said(open.args(["--attach-arangodb-login", "login"]), 3);
    assert!(
        open.contains("the login file login can be read by others (mode 644)")
            && open.contains("chmod 600"),
        "{open}"
    );
    // Tests that need nothing of it run.
    let ran = attach("http://127.0.0.1:1").args(["needs_no_server"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
}

#[test]
fn they_may_speak_tls() {
    let server = Foreign::emulator_with_tls(SUITE, PASSWORD, &["--server.authentication", "true"]);
    let attach = |authority: &str, url: &str| {
        Suite::new(SUITE)
            .args(["--attach-arangodb", url, "--attach-arangodb-ca", authority])
            .args(["documents::are_written", "are_found_on_a_healthy_server"])
            .env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", PASSWORD)
            .run()
    };
    let (authority, url) = (server.authority(), server.secure_url());
    let ran = attach(&authority, &url);
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    for test in ["are_written", "are_found_on_a_healthy_server"] {
        let verdict = ran.verdict(&format!("documents::{test}"));
        assert_eq!(verdict, "passed", "{}", ran.said());
    }
    let header = format!("  arangodb: {url} (attached) 3.12.10");
    assert!(ran.stderr.contains(&header), "{}", ran.said());
    shows_no_password(&ran);

    let elsewhere = tempfile::tempdir().unwrap();
    let other = certificate(&elsewhere, None).display().to_string();
    let none = elsewhere.path().join("none.pem");
    std::fs::write(&none, "not a certificate").unwrap();
    for (authority, says) in [
        (other, "the server's certificate"),
        (none.display().to_string(), "there is none in PEM"),
        ("/nowhere/ca.pem".to_owned(), "cannot be opened"),
    ] {
        let ran = attach(&authority, &url);
        assert_eq!(ran.code, Some(3), "{}", ran.said());
        let start = format!("cannot run tests on the arangodb servers at {url}: ");
        let said = ran.stderr.contains(&start) && ran.stderr.contains(says);
        assert!(said, "{says}: {}", ran.said());
    }
    let plain = Suite::new(SUITE)
        .args(["--attach-arangodb", &url.replace("https", "http")])
        .args(["documents::are_written"])
        .run();
    assert!(
        plain
            .stderr
            .contains("write https:// in front of its address"),
        "{}",
        plain.said()
    );
}

fn shows_no_password_in(ran: &Ran) {
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
}

#[test]
fn etcd_may_be_somebody_elses_too() {
    if !has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let (etcd, server) = (
        Foreign::etcd(),
        emulator(&["--server.authentication", "true"]),
    );
    let key = |key: &str| json!({ "key": key, "value": "" }).to_string();
    // `foreign`
    assert_eq!(
        etcd.ask("POST /v3/kv/put", "", &key("Zm9yZWlnbg=="))
            .unwrap()
            .0,
        200
    );
    let ran = attach_both(&etcd, &server).args(["keys"]).run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    for test in ["are_put", "are_copied", "have_a_label"] {
        assert_eq!(
            ran.verdict(&format!("keys::{test}")),
            "passed",
            "{}",
            ran.said()
        );
    }
    for (test, reason) in [
        ("are_on_three_members", "needs members = 3, not 1"),
        ("are_lost", "needs a deployment to itself"),
    ] {
        let line = format!(
            "test keys::{test} ... ignored, {reason}; this run has --attach-etcd {}",
            etcd.url()
        );
        assert!(ran.stdout.contains(&line), "{line}\n{}", ran.said());
    }
    // Who leads is noted, also of what somebody else started.
    let noted = ran.events("deployment");
    let warnings = noted
        .iter()
        .filter(|noted| noted["notice"]["notice"] == "warning");
    assert_eq!(warnings.count(), 0, "{noted:?}");
    // All keys.
    let all = json!({ "key": "AA==", "range_end": "AA==" }).to_string();
    let (_, left) = etcd.ask("POST /v3/kv/range", "", &all).unwrap();
    assert_eq!(left["count"], "1", "{left}");
    // One is not the other.
    let ran = attach_both(&etcd, &etcd).args(["are_copied"]).run();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stderr
            .contains("this is not ArangoDB: it responds with HTTP 404"),
        "{}",
        ran.said()
    );
    let ran = attach_both(&server, &server).args(["are_put"]).run();
    assert!(
        ran.stderr.contains("this is not etcd 3.4 or newer"),
        "{}",
        ran.said()
    );
}

fn attach_both(etcd: &Foreign, server: &Foreign) -> Suite {
    Suite::new(SUITE)
        .args([
            "--attach-etcd",
            &etcd.url(),
            "--attach-arangodb",
            &server.url(),
        ])
        .env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", PASSWORD)
}

#[test]
fn a_login_of_etcd_is_used() {
    if !has("etcd", &["--version"], "ARMADILLO_REQUIRE_ETCD") {
        return;
    }
    let etcd = Foreign::etcd();
    for (path, body) in [
        (
            "/v3/auth/user/add",
            json!({ "name": "root", "password": PASSWORD }),
        ),
        ("/v3/auth/role/add", json!({ "name": "root" })),
        (
            "/v3/auth/user/grant",
            json!({ "user": "root", "role": "root" }),
        ),
        ("/v3/auth/enable", json!({})),
    ] {
        let (status, answer) = etcd
            .ask(&format!("POST {path}"), "", &body.to_string())
            .unwrap();
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let suite = || {
        Suite::new(SUITE).args([
            "--attach-etcd",
            &etcd.url(),
            "keys::are_put",
            "have_a_label",
        ])
    };
    let ran = suite()
        .env("ARMADILLO_ATTACH_ETCD_PASSWORD", PASSWORD)
        .run();
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    shows_no_password(&ran);
    let ran = suite().env("ARMADILLO_ATTACH_ETCD_PASSWORD", "wrong").run();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stderr.contains("it rejects the login of the user root"),
        "{}",
        ran.said()
    );
    let ran = suite().run();
    assert!(
        ran.stderr.contains("it asks for a login, and none is set"),
        "{}",
        ran.said()
    );
}
