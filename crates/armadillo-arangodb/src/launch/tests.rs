//! The command line, environment and files of every role.

use std::path::Path;

use armadillo_orchestrator::tls::{KeyFiles, ServerFiles};
use armadillo_orchestrator::{System, Tls};

use super::*;
use crate::options::official;
use crate::system::ArangoDb;
use crate::system::tests::{cluster_view, view};

fn launched(view: &View) -> Launch {
    launch(view, &"single-1".into())
}

fn value<'a>(launch: &'a Launch, option: &str) -> Vec<&'a str> {
    launch
        .args
        .chunks(2)
        .filter(|pair| pair[0] == option)
        .map(|pair| pair[1].as_str())
        .collect()
}

#[test]
fn every_option_passed_is_official_for_its_role() {
    for view in [view(), cluster_view(3, 2, 2)] {
        for (server, place) in &view.places {
            let role = Role::of_name(&place.role).unwrap();
            let launch = launch(&view, server);
            assert_eq!(launch.args.len() % 2, 0);
            for name in launch.args.iter().step_by(2) {
                let name = name.strip_prefix("--").unwrap();
                let option = official(name).unwrap_or_else(|| panic!("{name} is not official"));
                assert!(option.applies_to(role), "{role} has no {name}");
            }
        }
    }
}

#[test]
fn with_tls_every_endpoint_has_it_and_every_option_is_official() {
    let mut view = cluster_view(3, 2, 1);
    let files = |server: &ServerKey| {
        let client_facing = KeyFiles {
            certificate: "/s/crt".into(),
            key: "/s/key".into(),
            both: format!("/s/{server}.pem").into(),
        };
        let files = ServerFiles {
            client_facing,
            peer_facing: None,
        };
        (server.clone(), files)
    };
    view.tls = Some(Tls {
        authority: String::new(),
        authority_file: "/s/ca.pem".into(),
        client: None,
        servers: view.places.keys().map(files).collect(),
    });
    for (server, place) in &view.places {
        let launch = launch(&view, server);
        let keyfile = format!("/s/{server}.pem");
        assert_eq!(value(&launch, "--ssl.keyfile"), [keyfile]);
        let endpoints: Vec<_> = launch
            .args
            .iter()
            .filter(|arg| arg.contains("://"))
            .collect();
        assert!(endpoints.len() > 1);
        assert!(
            endpoints
                .iter()
                .all(|arg| arg.starts_with("ssl://127.0.0.1:"))
        );
        let role = Role::of_name(&place.role).unwrap();
        assert!(official("ssl.keyfile").unwrap().applies_to(role));
    }
    let line = ArangoDb.access(&view, &"coordinator-1".into(), Path::new("/c"));
    assert_eq!(
        line,
        [
            "curl -sS --cacert '/s/ca.pem' -K '/c' 'https://127.0.0.1:10006/_api/version?details=true'"
        ]
    );
}

/// What a server of the cluster gets beside what every server gets.
fn own_options(view: &View, server: &str) -> Vec<String> {
    let common: Vec<String> = launched(&super::super::system::tests::view()).args;
    let launch = launch(view, &server.into());
    launch
        .args
        .chunks(2)
        .filter(|pair| !common.contains(&pair[0]) || pair[0] == "--server.endpoint")
        .map(|pair| format!("{} {}", pair[0], pair[1]))
        .collect()
}

#[test]
fn the_servers_of_a_cluster_are_started_like_this() {
    let view = cluster_view(3, 2, 1);
    assert_eq!(
        own_options(&view, "agent-2"),
        [
            "--server.endpoint tcp://127.0.0.1:10002",
            "--agency.activate true",
            "--agency.size 3",
            "--agency.my-address tcp://127.0.0.1:10002",
            "--agency.endpoint tcp://127.0.0.1:10001",
            "--agency.endpoint tcp://127.0.0.1:10002",
            "--agency.endpoint tcp://127.0.0.1:10003",
            "--agency.supervision true",
            "--agency.supervision-frequency 1",
            "--agency.supervision-ok-threshold 5",
            "--agency.supervision-grace-period 10",
            "--agency.wait-for-sync false",
        ]
    );
    assert_eq!(
        own_options(&view, "dbserver-2"),
        [
            "--server.endpoint tcp://127.0.0.1:10005",
            "--cluster.my-role DBSERVER",
            "--cluster.my-address tcp://127.0.0.1:10005",
            "--cluster.agency-endpoint tcp://127.0.0.1:10001",
            "--cluster.agency-endpoint tcp://127.0.0.1:10002",
            "--cluster.agency-endpoint tcp://127.0.0.1:10003",
        ]
    );
    assert_eq!(
        own_options(&view, "coordinator-1")[1..],
        [
            "--cluster.my-role COORDINATOR",
            "--cluster.my-address tcp://127.0.0.1:10006",
            "--cluster.agency-endpoint tcp://127.0.0.1:10001",
            "--cluster.agency-endpoint tcp://127.0.0.1:10002",
            "--cluster.agency-endpoint tcp://127.0.0.1:10003",
            "--cluster.default-replication-factor 2",
            "--cluster.system-replication-factor 2",
        ]
    );
}

#[test]
fn peers_are_told_where_a_server_is_reached_not_where_it_binds() {
    let mut view = cluster_view(1, 1, 1);
    for place in view.places.values_mut() {
        let port = place.bind["http"].rsplit_once(':').unwrap().1.to_owned();
        let proxy = format!("127.0.0.1:2{}", &port[1..]);
        place.advertise.insert("http".into(), proxy);
    }
    let launch = launch(&view, &"dbserver-1".into());
    let server = |name: &str| value(&launch, name).join(" ");
    assert_eq!(server("--server.endpoint"), "tcp://127.0.0.1:10002");
    assert_eq!(server("--cluster.my-address"), "tcp://127.0.0.1:20002");
    assert_eq!(server("--cluster.agency-endpoint"), "tcp://127.0.0.1:20001");
}

#[test]
fn all_servers_of_a_deployment_share_the_key_and_only_those_for_clients_hear_of_root() {
    let view = cluster_view(1, 1, 1);
    for server in view.places.keys() {
        let launch = launch(&view, server);
        assert_eq!(launch.files[0].2.reveal(), auth::jwt_key(&view).reveal());
        let knows = launch.env.contains_key(ROOT_PASSWORD);
        assert_eq!(knows, server.as_str() == "coordinator-1", "{server}");
    }
}

#[test]
fn the_supervision_waits_longer_on_slow_machines() {
    let mut view = cluster_view(1, 1, 1);
    assert_eq!(periods(&view), "1 5 10");
    view.settings.set("timeout-factor", vec!["3".into()]);
    assert_eq!(periods(&view), "3 15 30");
    view.settings.set("timeout-factor", vec!["0.1".into()]);
    assert_eq!(periods(&view), "1 5 10");
}

/// How often the supervision looks, when a server is bad, and when it has failed.
fn periods(view: &View) -> String {
    let launch = launch(view, &"agent-1".into());
    let names = ["frequency", "ok-threshold", "grace-period"];
    let options = names.map(|name| format!("--agency.supervision-{name}"));
    options
        .map(|option| value(&launch, &option).concat())
        .join(" ")
}

#[test]
fn failover_is_fast_where_it_is_asked_for_and_on_the_stand_in() {
    let fast = "0.5 1.5 2.5";
    let view = cluster_view(1, 1, 1);
    let mut said = view.clone();
    said.settings.set(FAILOVER, vec!["fast".into()]);
    assert_eq!(periods(&said), fast);
    let mut of_topology = view.clone();
    let param = (crate::topology::FAST_FAILOVER.to_owned(), 1);
    of_topology.topology.params.extend([param]);
    of_topology.settings.set(FAILOVER, vec!["standard".into()]);
    assert_eq!(periods(&of_topology), fast);
    let mut stand_in = view.clone();
    stand_in.stand_ins.insert("agent-1".into());
    assert_eq!(periods(&stand_in), fast);
    stand_in.settings.set(FAILOVER, vec!["standard".into()]);
    assert_eq!(periods(&stand_in), "1 5 10");
    let mut own = view;
    let option = ("agency.supervision-grace-period".into(), "7".into());
    own.topology.options = vec![option];
    assert_eq!(periods(&own), "1 5 7");
}

#[test]
fn dbservers_have_longest_to_stop_and_say_where_they_are_if_they_do_not() {
    let view = cluster_view(1, 1, 1);
    let stop = |server: &str| launch(&view, &server.into()).stop;
    assert_eq!(stop("agent-1").grace, GRACE);
    assert_eq!(stop("dbserver-1").grace, DBSERVER_GRACE);
    assert_eq!(stop("coordinator-1").then, [(Verb::Abort, ABORT_LIMIT)]);
}

#[test]
fn a_single_server_is_started_like_this() {
    let launch = launched(&view());
    assert_eq!(
        value(&launch, "--server.endpoint"),
        ["tcp://127.0.0.1:4711"]
    );
    assert_eq!(value(&launch, "--database.directory"), ["/d/single-1/data"]);
    assert_eq!(
        value(&launch, "--server.jwt-secret-folder"),
        ["/d/single-1/jwt-secrets"]
    );
    assert_eq!(value(&launch, "--server.authentication"), ["true"]);
    assert_eq!(value(&launch, "--javascript.enabled"), ["false"]);
    assert_eq!(
        launch.env["ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY"],
        (512_u64 << 20).to_string()
    );
    assert_eq!(
        launch.env["ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES"],
        "2"
    );
}

#[test]
fn no_secret_is_on_the_command_line_and_the_key_is_in_a_private_file() {
    let view = view();
    let launch = launched(&view);
    let secrets = [
        view.secret.clone(),
        auth::jwt_key(&view),
        auth::root_password(&view),
        auth::superuser_token(&view),
    ];
    let line = launch.args.join(" ");
    for secret in &secrets {
        assert!(!line.contains(secret.reveal()));
    }
    let (path, mode, key) = &launch.files[0];
    assert_eq!(
        (path.to_str(), *mode),
        (Some("jwt-secrets/1-active"), 0o600)
    );
    assert_eq!(key.reveal(), auth::jwt_key(&view).reveal());
}

#[test]
fn a_users_option_replaces_ours_and_repeats_where_it_may() {
    let mut view = view();
    view.topology.options = vec![
        ("javascript.enabled".into(), "true".into()),
        ("log.level".into(), "debug".into()),
        ("log.level".into(), "queries=trace".into()),
        ("single.log.role".into(), "false".into()),
        ("agent.log.ids".into(), "false".into()),
    ];
    let launch = launched(&view);
    assert_eq!(value(&launch, "--javascript.enabled"), ["true"]);
    assert_eq!(
        value(&launch, "--log.level"),
        ["crash=info", "debug", "queries=trace"]
    );
    assert_eq!(value(&launch, "--log.role"), ["false"]);
    assert!(value(&launch, "--log.ids").is_empty());
}

#[test]
fn only_the_stand_in_hears_of_its_pace_and_its_edition() {
    let mut view = view();
    view.settings.set(PACE, vec!["realistic".into()]);
    view.settings.set(EDITION, vec![ENTERPRISE.into()]);
    for own in ["--pace", "--edition"] {
        assert!(value(&launched(&view), own).is_empty());
    }
    view.stand_ins.insert("single-1".into());
    assert_eq!(value(&launched(&view), "--pace"), ["realistic"]);
    assert_eq!(value(&launched(&view), "--edition"), ["enterprise"]);
}

#[test]
fn an_upgrade_has_one_official_option_more_and_coordinators_are_not_found_meanwhile() {
    for view in [view(), cluster_view(3, 2, 2)] {
        for (server, place) in &view.places {
            let role = Role::of_name(&place.role).unwrap();
            let (usual, upgrade) = (launch(&view, server), upgrade(&view, server).launch);
            assert_eq!(upgrade.env, usual.env);
            let more = upgrade.args.strip_prefix(&usual.args[..]).unwrap();
            assert_eq!(value(&upgrade, "--database.auto-upgrade"), ["true"]);
            let hidden = value(&upgrade, "--server.rest-server");
            assert_eq!(hidden == ["false"], role == Role::Coordinator, "{role}");
            for name in more.iter().step_by(2) {
                let option = official(name.strip_prefix("--").unwrap()).unwrap();
                assert!(option.applies_to(role), "{role} has no {name}");
            }
        }
    }
}
