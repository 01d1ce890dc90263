//! Start-up: stages, files, and the exit codes of what can go wrong.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{Place, catch, command, wait_for};

#[test]
fn files_and_log_lines_of_a_first_start() {
    let place = Place::new();
    let mut server = place.start(&["--log.role", "true"]);
    let data = place.data();
    let text = |name: &str| std::fs::read_to_string(data.join(name)).unwrap();
    assert_eq!(text("LOCK"), server.pid().to_string());
    assert_eq!(text("ENGINE"), "rocksdb");
    assert!(text("VERSION").contains("31210"));
    // Only servers of a cluster have an id of that kind.
    assert!(!data.join("UUID").exists());

    let log = place.log();
    let first = log.lines().next().unwrap();
    assert!(first.contains("[e52b0] {general}") && first.contains("stand-in"));
    let pid = server.pid();
    assert!(
        first.contains(&format!(" [{pid}-{pid}] S INFO ")),
        "{first}"
    );
    for id in ["3bb7d", "144fe", "3844e", "8767f", "6ea38", "cf3f4"] {
        assert!(log.contains(&format!("[{id}]")), "{id} is missing:\n{log}");
    }
    assert!(log.contains("{general} ArangoDB (version 3.12.10 [linux]) is ready for business."));

    // The identity of the process can be proved.
    let status = server.client().get("/_admin/status").json();
    assert_eq!(status["pid"], json!(server.pid()));
    assert_eq!(status["serverInfo"]["maintenance"], false);

    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!data.join("LOCK").exists());
}

#[test]
fn json_lines() {
    let place = Place::new();
    let _server = place.start(&["--log.use-json-format", "true", "--log.role", "true"]);
    for line in place.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in [
            "time", "pid", "tid", "role", "level", "topic", "id", "message",
        ] {
            assert!(line.get(key).is_some(), "{key} is missing: {line}");
        }
    }
}

#[test]
fn strange_log_levels_are_no_obstacle() {
    let place = Place::new();
    let strange = ["--log.level", "tea=info", "--log.level", "startup=loud"];
    let _server = place.start(&strange);
    let log = place.log();
    assert!(
        log.contains("ERROR {general} unknown log topic 'tea'"),
        "{log}"
    );
    assert!(log.contains("ERROR {general} invalid log level 'loud'"));
}

#[test]
fn stages_without_early_connections() {
    catch("maintenance mode", || {
        let place = Place::new();
        let mut server = place.spawn(&["--pace", "realistic"]);
        let client = server.client();
        let first = wait_for("an open port", || client.try_get("/_api/version"));
        // Maintenance comes before database and user.
        let other = server.anonymous().try_get("/_db/unknown/_api/version");
        if place.log().contains("[cf3f4]") {
            return None;
        }
        assert_eq!(first.status, 503);
        assert_eq!(
            first.json(),
            json!({
                "error": true,
                "code": 503,
                "errorNum": 503,
                "errorMessage": "service unavailable due to startup or maintenance mode",
            })
        );
        assert_eq!(other.map(|answer| answer.status), Some(503));
        server.wait_until_ready();
        assert_eq!(client.get("/_api/version").status, 200);
        Some(())
    });
}

#[test]
fn stages_with_early_connections() {
    catch("the early phase", || {
        let place = Place::new();
        let mut server =
            place.spawn(&["--pace", "realistic", "--server.early-connections", "true"]);
        let client = server.client();
        let status = wait_for("an open port", || client.try_get("/_admin/status"));
        let basic = server.anonymous().basic("root", "");
        let seen = [
            (&client, "/_api/version"),
            (&client, "/_api/database"),
            (&client, "/_admin/server/availability"),
            (&basic, "/_api/version"),
            (&server.anonymous(), "/_api/version"),
        ]
        .map(|(client, path)| client.get(path).status);
        if place.log().contains("[8767f]") {
            return None;
        }
        assert_eq!(status.status, 200);
        assert_eq!(status.json()["serverInfo"]["maintenance"], true);
        assert_eq!(status.json()["pid"], json!(server.pid()));
        assert_eq!(seen, [200, 503, 503, 503, 401]);
        server.wait_until_ready();
        Some(())
    });
}

#[test]
fn probes_are_answered_in_maintenance_with_early_connections() {
    catch("maintenance", || {
        let place = Place::new();
        let mut server =
            place.spawn(&["--pace", "realistic", "--server.early-connections", "true"]);
        let nobody = server.anonymous();
        // The users are not asked: until then nobody gets in without a token.
        let version = wait_for("maintenance", || {
            nobody
                .try_get("/_api/version")
                .filter(|answer| answer.status == 200)
        });
        let status = nobody.get("/_admin/status");
        let seen = ["/_api/database", "/_admin/server/availability"].map(|path| nobody.get(path));
        if status.json()["serverInfo"]["maintenance"] != true || place.log().contains("[cf3f4]") {
            return None;
        }
        assert_eq!(version.json()["server"], "arango");
        assert_eq!(status.status, 200);
        assert_eq!(seen.map(|answer| answer.error()), [(503, 503); 2]);
        server.wait_until_ready();
        let refused = nobody.get("/_api/version");
        assert_eq!(refused.error(), (401, 11));
        Some(())
    });
}

#[test]
fn a_server_serves_before_it_knows_its_users() {
    catch("the users being loaded", || {
        let place = Place::new();
        let mut server = place.spawn(&["--pace", "realistic"]);
        server.wait_until_ready();
        let root = server.anonymous().basic("root", "");
        let ask = || {
            (
                root.get("/_api/version").status,
                server.client().get("/_api/user").status,
            )
        };
        let seen = ask();
        if place.log().contains("[cf3f4]") {
            return None;
        }
        assert_eq!(seen, (401, 200));
        wait_for("the users", || {
            place.log().contains("[cf3f4]").then_some(())
        });
        assert_eq!(ask(), (200, 200));
        Some(())
    });
}

#[test]
fn a_directory_has_one_server() {
    let place = Place::new();
    let first = place.start(&[]);
    let other = Place::new();
    assert_eq!(other.run_in(&place.data()), 22);
    let said = other.log();
    assert!(
        said.contains(&format!("locked by process {}", first.pid())),
        "{said}"
    );
    assert!(said.contains("[ad4b2]") && said.contains("still running"));
    let mode = std::fs::metadata(place.data().join("LOCK")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    // The first one has noticed nothing, and its death frees the directory.
    assert_eq!(first.client().get("/_api/version").status, 200);
    first.kill();
    assert!(place.data().join("LOCK").exists());
    place.start(&[]);
    assert!(place.log().contains("[b387d]") && place.log().contains("dead already"));
}

/// `flock` knows nothing of the locks of `fcntl`: whoever looks for arangod's must look as arangod does.
#[test]
fn the_lock_is_one_of_fcntl() {
    let place = Place::new();
    let server = place.start(&[]);
    let lock = std::fs::File::options()
        .read(true)
        .write(true)
        .open(place.data().join("LOCK"))
        .unwrap();
    lock.try_lock().unwrap();
    let taken = rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    assert_eq!(taken, Err(rustix::io::Errno::AGAIN));
    drop(server);
}

#[test]
fn a_port_that_somebody_listens_on_is_taken() {
    let place = Place::new();
    let _other = std::net::TcpListener::bind(place.port.address).unwrap();
    assert_eq!(place.run(&[]), 21);
    assert!(place.log().contains("[c81f6]"));
}

#[test]
fn the_data_of_another_engine() {
    let place = Place::new();
    assert_eq!(place.run(&["--database.auto-upgrade", "true"]), 0);
    std::fs::write(place.data().join("ENGINE"), "mmfiles").unwrap();
    assert_eq!(place.run(&[]), 1);
    assert!(place.log().contains("[cd6d8]"));
}

#[test]
fn initialising_once() {
    let place = Place::new();
    let first = ["--database.init-database", "--database.password", "s3cret"];
    assert_eq!(place.run(&first), 0);
    assert_eq!(place.run(&first), 24);
    let server = place.start(&[]);
    let status = |password: &str| {
        let client = server.anonymous().basic("root", password);
        client.get("/_api/version").status
    };
    assert_eq!((status("s3cret"), status("")), (200, 401));
    assert_eq!(status("S3cret"), 401);
}

#[test]
fn the_password_of_root_from_the_environment() {
    let place = Place::new();
    let mut args = place.args();
    args.push(String::from("--database.init-database"));
    let done = command(args)
        .env("ARANGODB_DEFAULT_ROOT_PASSWORD", "from outside")
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0));
    let server = place.start(&[]);
    let client = server.anonymous().basic("root", "from outside");
    assert_eq!(client.get("/_api/version").status, 200);
}

#[test]
fn too_few_descriptors() {
    let place = Place::new();
    assert_eq!(
        place.run(&["--server.descriptors-minimum", "1000000000"]),
        28
    );
    assert!(place.log().contains("[8c771]"));
    assert_eq!(place.run(&["--server.descriptors-minimum", "5"]), 1);
}

#[test]
fn directories_that_cannot_be_used() {
    let place = Place::new();
    std::fs::write(place.data(), "a file is in the way").unwrap();
    assert_eq!(place.run(&[]), 1);
    assert!(
        place
            .log()
            .contains("cannot create or write database directory")
    );
    std::fs::remove_file(place.data()).unwrap();

    std::fs::create_dir(place.data()).unwrap();
    let forbid = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(place.data(), permissions).unwrap();
    };
    forbid(0o500);
    // The administrator of the machine may write everywhere, and then there is nothing to see.
    if std::fs::write(place.data().join("probe"), "").is_err() {
        assert_eq!(place.run(&[]), 1);
    }
    forbid(0o700);
    assert_eq!(
        place.run(&["--database.required-directory-state", "non-existing"]),
        1
    );
}

#[test]
fn a_pid_file_names_the_process() {
    let place = Place::new();
    let file = place.file("pid");
    let argument = file.display().to_string();
    let mut server = place.start(&["--pid-file", &argument]);
    let pid = std::fs::read_to_string(&file).unwrap();
    assert_eq!(pid, server.pid().to_string());
    assert_eq!(Place::new().run(&["--pid-file", &argument]), 20);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!file.exists());
}
