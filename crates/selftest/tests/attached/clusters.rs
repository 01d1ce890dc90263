//! Tests on a cluster that somebody else started: what can be used of it depends on who asks.

use armadillo_selftest::foreign::{Foreign, ForeignCluster};
use armadillo_selftest::{Ran, Suite};

use super::{PASSWORD, SUITE};

fn attach(cluster: &ForeignCluster) -> Suite {
    Suite::new(SUITE).args([
        "--attach-arangodb",
        &cluster.coordinator().url(),
        "clusters",
    ])
}

/// The reasons of ignored tests, without what follows the servers' address.
fn reason(ran: &Ran, test: &str) -> String {
    let begin = format!("test clusters::{test} ... ignored, ");
    let line = ran
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix(&begin));
    let line = line.unwrap_or_else(|| panic!("{test} is not ignored: {}", ran.said()));
    let (reason, _) = line
        .split_once("; this run has --attach-arangodb ")
        .unwrap();
    reason.to_owned()
}

fn passed(ran: &Ran, tests: &[&str]) {
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    for test in tests {
        assert_eq!(
            ran.verdict(&format!("clusters::{test}")),
            "passed",
            "{}",
            ran.said()
        );
    }
}

#[test]
fn a_superusers_token_opens_all_of_it_and_a_users_login_its_coordinators() {
    let cluster = Foreign::cluster(SUITE, PASSWORD, 2);
    let token = &cluster.token;
    let suite = attach(&cluster).private_file("login", &format!("bearer {token}\n"));
    let ran = suite
        .args(["--attach-arangodb-login", "login", "-n", "2"])
        .run();
    passed(
        &ran,
        &[
            "are_read",
            "are_asked_for_any_role",
            "have_this_size",
            "are_any",
        ],
    );
    assert_eq!(
        reason(&ran, "have_another_size"),
        "needs dbservers = 3, not 2"
    );
    assert_eq!(
        reason(&ran, "have_so_many_copies"),
        "needs replication_factor = 2, which is not known of these servers"
    );
    assert_eq!(reason(&ran, "are_broken"), "needs a deployment to itself");
    assert!(!ran.printed(token.as_str()), "{}", ran.said());
    let header = format!(
        "  arangodb: {} (attached) 3.12.10",
        cluster.coordinator().url()
    );
    assert!(ran.stderr.contains(&header), "{}", ran.said());
    assert_eq!(ran.remains(), [""; 0]);

    let ran = attach(&cluster)
        .env("ARMADILLO_ATTACH_ARANGODB_PASSWORD", PASSWORD)
        .run();
    passed(&ran, &["are_any"]);
    for test in ["are_read", "are_asked_for_any_role", "have_this_size"] {
        assert_eq!(
            reason(&ran, test),
            "needs the agents and dbservers of a cluster: they accept only a superuser's token"
        );
    }
    assert_eq!(
        reason(&ran, "have_another_size"),
        "needs dbservers = 3, not 2"
    );

    let ran = attach(&cluster)
        .env("ARMADILLO_ATTACH_ARANGODB_TOKEN", "wrong")
        .run();
    assert_eq!(ran.code, Some(3), "{}", ran.said());
    assert!(
        ran.stderr.contains("it rejects the token (HTTP 401)"),
        "{}",
        ran.said()
    );
}
