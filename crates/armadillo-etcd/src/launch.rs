//! How a member is started: its command line and environment.
//!
//! Sources: `etcd --help` of 3.4, and <https://etcd.io/docs/v3.4/op-guide/configuration/>.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::{Launch, Place, ServerKey, Settings, Stop, Tls, Verb, View};

use crate::grow;
use crate::names::member_name;

/// The heartbeat of a leader, in milliseconds, where everything is on one machine; etcd's own default is 100.
const HEARTBEAT_MS: f64 = 10.0;

/// After how many heartbeats without one a follower stands for election; etcd's own default is also 10.
const HEARTBEATS_PER_ELECTION: u32 = 10;

/// The longest election time etcd takes, in milliseconds.
const LONGEST_ELECTION_MS: u32 = 50_000;

/// How long a member may take to end: a leader tries for five seconds and two election times to hand over.
const GRACE: Duration = Duration::from_secs(10);

/// The setting that stretches every time limit of a run on a slow machine.
const TIMEOUT_FACTOR: &str = "timeout-factor";

/// The least memory a member is told to live with, in MiB: below, the Go runtime only collects garbage.
const LEAST_MEMORY_MIB: u32 = 64;

/// The end of a whole cluster: all at once. A leader that is asked to end hands over first, and one whose successor
/// has just ended, or is about to, waits for it for more than five seconds (`TransferLeadership` in
/// `etcdserver/server.go`).
pub(crate) fn last_stop() -> Stop {
    Stop {
        polite: Verb::Kill,
        grace: GRACE,
        then: Vec::new(),
    }
}

/// The fewest cores a member is told to use: with one, a start takes a sixth longer.
const LEAST_CORES: u32 = 2;

/// How much work it is to check a password, as the logarithm of rounds: the least that etcd takes. Passwords here are random
/// numbers that nobody guesses; its default takes 60 ms of CPU for each login.
const BCRYPT_COST: &str = "4";

/// The launch of one member.
pub(crate) fn launch(view: &View, server: &ServerKey) -> Launch {
    let Some(place) = view.place(server) else {
        return Launch::default();
    };
    let (heartbeat, election) = timers(&view.settings);
    let mut args = BTreeMap::from([
        ("name", member_name(&view.deployment, server)),
        (
            "data-dir",
            place.dir_inside.join("data").display().to_string(),
        ),
        ("listen-client-urls", url(view, &place.bind, "client")),
        ("advertise-client-urls", url(view, &place.reach, "client")),
        ("listen-peer-urls", url(view, &place.bind, "peer")),
        (
            "initial-advertise-peer-urls",
            url(view, &place.advertise, "peer"),
        ),
        ("initial-cluster", initial_cluster(view)),
        ("initial-cluster-state", "new".to_owned()),
        ("initial-cluster-token", view.deployment.clone()),
        ("heartbeat-interval", heartbeat.to_string()),
        ("election-timeout", election.to_string()),
        ("logger", "zap".to_owned()),
        ("log-outputs", "stderr".to_owned()),
        ("enable-pprof", "true".to_owned()),
        ("bcrypt-cost", BCRYPT_COST.to_owned()),
    ]);
    if let Some(tls) = &view.tls {
        args.extend(certificates(tls, server));
    }
    for (name, value) in &view.topology.options {
        args.insert(name, value.clone());
    }
    let (first, grown) = grow::arguments(view, server);
    args.extend(grown);
    // A member that joins a cluster is told so.
    let joins = view.membership.launch_words(server);
    for (name, value) in &joins {
        args.insert(name, value.clone());
    }
    Launch {
        args: args
            .into_iter()
            .map(|(name, value)| format!("--{name}={value}"))
            .collect(),
        first,
        env: environment(&place),
        files: Vec::new(),
        stop: Stop {
            polite: Verb::Terminate,
            grace: GRACE,
            then: Vec::new(),
        },
    }
}

/// Heartbeat and election time in milliseconds. They grow with the run's time limits: what is slow enough to need
/// longer limits is slow enough to miss heartbeats.
fn timers(settings: &Settings) -> (u32, u32) {
    let factor = settings
        .get(TIMEOUT_FACTOR)
        .and_then(|factor| factor.parse::<f64>().ok())
        .filter(|factor| factor.is_finite())
        .unwrap_or(1.0)
        .clamp(1.0, 100.0);
    let heartbeat = (HEARTBEAT_MS * factor).round() as u32;
    let election = (heartbeat * HEARTBEATS_PER_ELECTION).min(LONGEST_ELECTION_MS);
    (heartbeat, election)
}

/// Every member with the address its peers reach it at. A member that has a log does not look at it again.
fn initial_cluster(view: &View) -> String {
    let peers = peers(view).into_iter();
    let members: Vec<String> = peers.map(|(name, url)| format!("{name}={url}")).collect();
    members.join(",")
}

/// Every member's name, and where its peers reach it.
pub(crate) fn peers(view: &View) -> Vec<(String, String)> {
    let members = view.servers().filter_map(|(server, _)| {
        let place = view.place(server)?;
        let name = member_name(&view.deployment, server);
        Some((name, url(view, &place.advertise, "peer")))
    });
    members.collect()
}

fn url(view: &View, addresses: &BTreeMap<String, String>, port: &str) -> String {
    view.url(addresses.get(port).map(String::as_str).unwrap_or_default())
}

/// The certificates of a member, for its clients and for its peers. Both must show one of the same authority: without it,
/// everybody could take part in the cluster over its port for peers, which knows no users.
fn certificates(tls: &Tls, server: &ServerKey) -> Vec<(&'static str, String)> {
    let path = |path: &Path| path.display().to_string();
    let mut args = vec![
        ("client-cert-auth", "true".to_owned()),
        ("peer-client-cert-auth", "true".to_owned()),
        ("trusted-ca-file", path(&tls.authority_file)),
        ("peer-trusted-ca-file", path(&tls.authority_file)),
    ];
    if let Some(files) = tls.servers.get(server) {
        let shown = &files.client_facing;
        let peer = files.peer_facing.as_ref().unwrap_or(shown);
        args.extend([
            ("cert-file", path(&shown.certificate)),
            ("key-file", path(&shown.key)),
            ("peer-cert-file", path(&peer.certificate)),
            ("peer-key-file", path(&peer.key)),
        ]);
    }
    args
}

/// What the Go runtime is told of the member's share of the machine. `GOMEMLIMIT` is a soft limit, known since Go 1.19.
fn environment(place: &Place) -> BTreeMap<String, String> {
    let memory = place.share.memory_mib.max(LEAST_MEMORY_MIB);
    let mut environment = BTreeMap::from([
        (
            "GOMAXPROCS".to_owned(),
            place.share.cores.max(LEAST_CORES).to_string(),
        ),
        ("GOMEMLIMIT".to_owned(), format!("{memory}MiB")),
    ]);
    if cfg!(target_arch = "aarch64") {
        // 3.4 refuses to start there without it (https://etcd.io/docs/v3.4/op-guide/supported-platform/).
        environment.insert("ETCD_UNSUPPORTED_ARCH".to_owned(), "arm64".to_owned());
    }
    environment
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::tls::{KeyFiles, ServerFiles};

    use super::*;
    use crate::canned;

    #[test]
    fn the_command_line_of_a_member() {
        let view = canned::view(3);
        let launch = launch(&view, &"member-2".into());
        assert_eq!(
            launch.args,
            [
                "--advertise-client-urls=http://127.0.0.1:12002",
                "--bcrypt-cost=4",
                "--data-dir=/run/member-2/data",
                "--election-timeout=100",
                "--enable-pprof=true",
                "--heartbeat-interval=10",
                "--initial-advertise-peer-urls=http://127.0.0.1:23002",
                "--initial-cluster=etcd-cluster-members3-00c0ffee.member-1=http://127.0.0.1:23001,\
                 etcd-cluster-members3-00c0ffee.member-2=http://127.0.0.1:23002,\
                 etcd-cluster-members3-00c0ffee.member-3=http://127.0.0.1:23003",
                "--initial-cluster-state=new",
                "--initial-cluster-token=etcd-cluster-members3-00c0ffee",
                "--listen-client-urls=http://127.0.0.1:10002",
                "--listen-peer-urls=http://127.0.0.1:20002",
                "--log-outputs=stderr",
                "--logger=zap",
                "--name=etcd-cluster-members3-00c0ffee.member-2",
            ]
        );
        assert_eq!(launch.env["GOMAXPROCS"], "2");
        assert_eq!(launch.env["GOMEMLIMIT"], "96MiB");
        assert!(launch.files.is_empty());
    }

    #[test]
    fn with_tls_both_ports_ask_for_certificates() {
        let mut view = canned::view(1);
        let files = |name: &str| KeyFiles {
            certificate: format!("/s/{name}.crt").into(),
            key: format!("/s/{name}.key").into(),
            both: format!("/s/{name}.pem").into(),
        };
        let server = ServerFiles {
            client_facing: files("m"),
            peer_facing: Some(files("m-peer")),
        };
        view.tls = Some(Tls {
            authority: String::new(),
            authority_file: "/s/ca.pem".into(),
            client: None,
            servers: BTreeMap::from([("member-1".into(), server)]),
        });
        let args = launch(&view, &"member-1".into()).args;
        for wanted in [
            "--cert-file=/s/m.crt",
            "--client-cert-auth=true",
            "--key-file=/s/m.key",
            "--listen-peer-urls=https://127.0.0.1:20001",
            "--peer-cert-file=/s/m-peer.crt",
            "--peer-client-cert-auth=true",
            "--peer-key-file=/s/m-peer.key",
            "--peer-trusted-ca-file=/s/ca.pem",
            "--trusted-ca-file=/s/ca.pem",
        ] {
            assert!(args.iter().any(|arg| arg == wanted), "{wanted}: {args:?}");
        }
        assert!(args.iter().all(|arg| !arg.contains("http://")), "{args:?}");
    }

    #[test]
    fn no_secret_is_on_a_command_line() {
        let view = canned::view(1);
        let launch = launch(&view, &"member-1".into());
        let shown = format!("{:?} {:?}", launch.args, launch.env);
        assert!(!shown.contains(view.secret.reveal()), "{shown}");
    }

    #[test]
    fn an_option_replaces_ours_of_the_same_name() {
        let mut view = canned::view(1);
        view.topology.options = vec![
            ("heartbeat-interval".into(), "50".into()),
            ("pre-vote".into(), "true".into()),
        ];
        let args = launch(&view, &"member-1".into()).args;
        let heartbeats: Vec<_> = args.iter().filter(|arg| arg.contains("beat")).collect();
        assert_eq!(heartbeats, ["--heartbeat-interval=50"]);
        assert!(args.contains(&"--pre-vote=true".to_owned()));
    }

    #[test]
    fn timers_grow_with_the_time_limits_and_never_shrink() {
        let with = |factor: &str| {
            let mut settings = Settings::default();
            settings.set(TIMEOUT_FACTOR, vec![factor.to_owned()]);
            timers(&settings)
        };
        assert_eq!(timers(&Settings::default()), (10, 100));
        assert_eq!(with("2.5"), (25, 250));
        assert_eq!(with("0.1"), (10, 100));
        assert_eq!(with("1e9"), (1000, 10_000));
        assert_eq!(with("NaN"), (10, 100));
    }
}
