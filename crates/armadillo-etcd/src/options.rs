//! The options of etcd's command line that a person or a test may set, and the flags that set them.

use std::collections::BTreeMap;

use armadillo_orchestrator::{Flag, PlanError, Settings, Topology};

use crate::topology::ROLE;

/// The flag that names the program.
pub(crate) const PROGRAM_FLAG: &str = "etcd";

/// The flag that says how many members a cluster has that does not say.
pub(crate) const MEMBERS_FLAG: &str = "etcd-members";

/// The flag for an option of every server; other systems declare the same one.
pub(crate) const OPTION_FLAG: &str = "server-option";

/// The flags this system adds.
pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        name: PROGRAM_FLAG,
        short: None,
        value: "PATH|VERSION",
        repeats: false,
        help: "The etcd program: its path, or a version such as `3.6.16` or `3.6` from --servers-dir or PATH. Defaults to \
               `etcd` in PATH.",
    },
    Flag {
        name: "attach-etcd",
        short: None,
        value: "URL",
        repeats: true,
        help: "Run the tests on an etcd cluster that somebody else started: `http://HOST:PORT` or `https://HOST:PORT` of a member (several times, or \
               separated by commas). Tests that need more are ignored.",
    },
    Flag {
        name: "attach-etcd-login",
        short: None,
        value: "FILE",
        repeats: false,
        help: "File with `USER:PASSWORD` for --attach-etcd; only its owner may be able to read it. Without it: \
               ARMADILLO_ATTACH_ETCD_USER and ARMADILLO_ATTACH_ETCD_PASSWORD.",
    },
    Flag {
        name: "attach-etcd-ca",
        short: None,
        value: "FILE",
        repeats: false,
        help: "File with the certificate, in PEM, of the authority that issued those of the members of --attach-etcd; needed if \
               these are `https://`. No other authority is trusted. Members that ask for certificates of clients cannot be used.",
    },
    Flag {
        name: MEMBERS_FLAG,
        short: None,
        value: "N",
        repeats: false,
        help: "Number of members for etcd clusters that do not set it: an odd number, 3 by default.",
    },
    Flag {
        name: OPTION_FLAG,
        short: None,
        value: "[ROLE.]NAME=VALUE",
        repeats: true,
        help: "Server option for all deployments: `[ROLE.]name=value`. May be given several times.",
    },
];

/// Options that are the harness' own: the deployment would no longer be found, told apart or read if they were others.
const RESERVED: &[&str] = &[
    "advertise-client-urls",
    "auto-tls",
    "cert-file",
    "client-cert-auth",
    "config-file",
    "data-dir",
    "discovery",
    "discovery-srv",
    "force-new-cluster",
    "initial-advertise-peer-urls",
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "key-file",
    "listen-client-urls",
    "listen-metrics-urls",
    "listen-peer-urls",
    "log-outputs",
    "logger",
    "name",
    "peer-auto-tls",
    "peer-cert-file",
    "peer-client-cert-auth",
    "peer-key-file",
    "proxy",
    "wal-dir",
];

/// The options of a topology that says `wish`, in a run with these settings, sorted by name. An option of the
/// topology goes before the same option of the settings: the test says what it needs, a person what they would like.
///
/// # Errors
/// When an option is malformed, reserved, or for a role that etcd does not have. In the settings, a name with a dot is
/// for another system and left alone.
pub(crate) fn resolve(
    wish: &Topology,
    settings: &Settings,
) -> Result<Vec<(String, String)>, PlanError> {
    let mut all = of_settings(settings)?;
    for (name, value) in &wish.options {
        let own = name.strip_prefix(ROLE).and_then(|n| n.strip_prefix('.'));
        all.insert(check(own.unwrap_or(name))?, value.clone());
    }
    Ok(all.into_iter().collect())
}

/// Whether each option of the settings is one.
pub(crate) fn check_settings(settings: &Settings) -> Result<(), PlanError> {
    of_settings(settings).map(drop).map_err(|error| PlanError {
        says: if error.param == OPTION_FLAG {
            error.says
        } else {
            format!("`{}` {}", error.param, error.says)
        },
        param: OPTION_FLAG.to_owned(),
        help: error.help,
    })
}

/// The options that the settings say for etcd.
fn of_settings(settings: &Settings) -> Result<BTreeMap<String, String>, PlanError> {
    let mut all = BTreeMap::new();
    for said in settings.all(OPTION_FLAG) {
        let Some((name, value)) = said.split_once('=') else {
            return Err(error(
                OPTION_FLAG,
                format!("{said:?} has no value"),
                "write [ROLE.]name=value, such as member.snapshot-count=1000",
            ));
        };
        let own = name.strip_prefix(ROLE).and_then(|n| n.strip_prefix('.'));
        match own {
            None if name.contains('.') => {}
            _ => drop(all.insert(check(own.unwrap_or(name))?, value.to_owned())),
        }
    }
    Ok(all)
}

/// A name as etcd's command line takes it.
fn check(name: &str) -> Result<String, PlanError> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !well_formed {
        return Err(error(
            name,
            "is not an option of etcd".into(),
            "use a name from `etcd --help` without its dashes; the only role is `member`",
        ));
    }
    if RESERVED.contains(&name) {
        return Err(error(
            name,
            "is set by Armadillo for every member".into(),
            "remove it; tests cannot set addresses, directories, names, TLS and log options",
        ));
    }
    Ok(name.to_owned())
}

/// Shorthand for a [`PlanError`].
pub(crate) fn error(param: &str, says: String, help: &str) -> PlanError {
    PlanError {
        param: param.to_owned(),
        says,
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::etcd;

    fn resolved(wish: &Topology, said: &[&str]) -> Result<Vec<(String, String)>, String> {
        let mut settings = Settings::default();
        settings.set(OPTION_FLAG, said.iter().map(|&s| s.to_owned()).collect());
        resolve(wish, &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_test_goes_before_a_person_and_other_systems_are_left_alone() {
        let wish = etcd().option("member.snapshot-count", "7").topology();
        let options = resolved(
            &wish.to_topology(),
            &[
                "snapshot-count=9",
                "member.pre-vote=true",
                "coordinator.log.level=debug",
                "log.level=debug",
                "experimental-peer-skip-client-san-verification=a=b",
            ],
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            options,
            Ok(vec![
                pair("experimental-peer-skip-client-san-verification", "a=b"),
                pair("pre-vote", "true"),
                pair("snapshot-count", "7"),
            ])
        );
    }

    #[test]
    fn what_would_break_the_deployment_is_refused_with_the_reason() {
        let none = etcd().topology().to_topology();
        for (said, why) in [
            ("member.data-dir=/x", "data-dir: is set by Armadillo"),
            ("snapshot-count", "\"snapshot-count\" has no value"),
            ("--pre-vote=true", "--pre-vote: is not an option"),
            ("member.Pre=1", "Pre: is not an option"),
        ] {
            let error = resolved(&none, &[said]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let wrong_role = etcd().option("agent.pre-vote", "true").topology();
        let error = resolved(&wrong_role.to_topology(), &[]).unwrap_err();
        assert!(error.contains("the only role is `member`"), "{error}");
    }
}
