//! The command line, environment and files of every role.

use super::*;
use crate::options::official;
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
            "--agency.supervision-frequency 0.5",
            "--agency.supervision-ok-threshold 2",
            "--agency.supervision-grace-period 3",
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
    let thresholds = |view: &View| {
        let launch = launch(view, &"agent-1".into());
        let threshold = |name| value(&launch, name)[0].parse::<f64>().unwrap();
        (
            threshold("--agency.supervision-ok-threshold"),
            threshold("--agency.supervision-grace-period"),
        )
    };
    assert_eq!(thresholds(&view), (2.0, 3.0));
    view.settings.set("timeout-factor", vec!["3".into()]);
    assert_eq!(thresholds(&view), (6.0, 9.0));
    view.settings.set("timeout-factor", vec!["0.1".into()]);
    assert_eq!(thresholds(&view), (2.0, 3.0));
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
        value(&launch, "--server.jwt-secret-keyfile"),
        ["/d/single-1/jwt-key"]
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
    assert_eq!((path.to_str(), *mode), (Some("jwt-key"), 0o600));
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
    assert_eq!(value(&launch, "--log.level"), ["debug", "queries=trace"]);
    assert_eq!(value(&launch, "--log.role"), ["false"]);
    assert!(value(&launch, "--log.ids").is_empty());
}

#[test]
fn only_the_stand_in_hears_of_the_pace() {
    let mut view = view();
    view.settings.set(PACE, vec!["realistic".into()]);
    assert!(value(&launched(&view), "--pace").is_empty());
    view.stand_ins.insert("single-1".into());
    assert_eq!(value(&launched(&view), "--pace"), ["realistic"]);
}
