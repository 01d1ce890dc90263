//! The flags that say on what tests run, and what they come to.

use armadillo_orchestrator::{Flag, PlanError, Settings, Topology};

use crate::topology::{AGENTS, CLUSTER, COORDINATORS, DBSERVERS, REPLICATION_FACTOR, SINGLE};
use crate::{launch, options, programs};

/// `-d`: the only shape of deployments there is in a run.
const MODE: &str = "deployment-mode";

/// `-c`: the same as `-d cluster`.
const CLUSTER_SWITCH: &str = "cluster";

/// The flags this system adds.
pub(crate) const FLAGS: [Flag; 15] = [
    Flag {
        name: programs::SETTING,
        short: None,
        value: "PATH|emulator[@VERSION]",
        repeats: false,
        help: "Path of the arangod program, of an unpacked tarball, or of a build directory. `emulator` uses the built-in stand-in, which is not ArangoDB; `emulator@3.11.14` is that version of it.",
    },
    Flag {
        name: "attach-arangodb",
        short: None,
        value: "URL",
        repeats: true,
        help: "Run the tests on ArangoDB servers that somebody else started: `http://HOST:PORT` or `https://HOST:PORT` of a single server, or of \
               coordinators of one cluster (several times, or separated by commas). Tests that need more are ignored.",
    },
    Flag {
        name: "attach-arangodb-login",
        short: None,
        value: "FILE",
        repeats: false,
        help: "File with `USER:PASSWORD` or `bearer TOKEN` for --attach-arangodb; only its owner may be able to read it. Without \
               it: ARMADILLO_ATTACH_ARANGODB_USER and ARMADILLO_ATTACH_ARANGODB_PASSWORD, or ARMADILLO_ATTACH_ARANGODB_TOKEN.",
    },
    Flag {
        name: "attach-arangodb-ca",
        short: None,
        value: "FILE",
        repeats: false,
        help: "File with the certificate, in PEM, of the authority that issued those of the servers of --attach-arangodb; needed \
               if these are `https://`. No other authority is trusted.",
    },
    Flag {
        name: MODE,
        short: Some('d'),
        value: "single|cluster",
        repeats: false,
        help: "Deployment for tests that run on any ArangoDB deployment: a single server by default, or a cluster if a flag \
               sets a number of clusters. Tests that need the other one are ignored.",
    },
    Flag {
        name: CLUSTER_SWITCH,
        short: Some('c'),
        value: "",
        repeats: false,
        help: "Same as `--deployment-mode cluster`.",
    },
    Flag {
        name: "agents",
        short: None,
        value: "N",
        repeats: false,
        help: "Number of agents for clusters that do not set it: an odd number, 3 by default.",
    },
    Flag {
        name: "dbservers",
        short: None,
        value: "N",
        repeats: false,
        help: "Number of DB-Servers for clusters that do not set it, 3 by default.",
    },
    Flag {
        name: "coordinators",
        short: None,
        value: "N",
        repeats: false,
        help: "Number of Coordinators for clusters that do not set it, 1 by default.",
    },
    Flag {
        name: "replication-factor",
        short: None,
        value: "N",
        repeats: false,
        help: "Replication factor for clusters that do not set it: 2 by default, at most the number of DB-Servers.",
    },
    Flag {
        name: options::SETTING,
        short: None,
        value: "[ROLE.]NAME=VALUE",
        repeats: true,
        help: "Server option for all deployments: `[ROLE.]name=value`. May be given several times.",
    },
    Flag {
        name: launch::FAILOVER,
        short: None,
        value: "fast|standard",
        repeats: false,
        help: "How soon clusters fail over. `standard`: a silent server has failed after 10 s, as arangod's own options \
               say. `fast`: after 2.5 s. Default: `standard`, and `fast` for the stand-in.",
    },
    Flag {
        name: launch::PACE,
        short: None,
        value: "fast|realistic",
        repeats: false,
        help: "How fast the stand-in for arangod starts, stops and creates things. Has no effect on arangod.",
    },
    Flag {
        name: launch::EDITION,
        short: None,
        value: "community|enterprise",
        repeats: false,
        help: "Which edition the stand-in imitates. Default: `community`. `enterprise` can rotate the key of tokens. Has no \
               effect on arangod.",
    },
    Flag {
        name: launch::FAILURE_TESTS,
        short: None,
        value: "",
        repeats: false,
        help: "Let the stand-in have failure points (the capability `failure_points`), as some builds have. Has no effect on \
               arangod.",
    },
];

/// The numbers of a cluster, each with the flag that says it.
pub(super) const NUMBERS: [(&str, &str); 4] = [
    (AGENTS, "agents"),
    (DBSERVERS, "dbservers"),
    (COORDINATORS, "coordinators"),
    (REPLICATION_FACTOR, "replication-factor"),
];

/// Whether a flag concerns deployments of this shape. Those that choose the shape concern tests only.
pub(crate) fn concerns(flag: &str, shape: &str) -> bool {
    let is_of_clusters = flag == launch::FAILOVER || NUMBERS.iter().any(|(_, name)| *name == flag);
    match flag {
        MODE | CLUSTER_SWITCH => false,
        _ if is_of_clusters => shape == CLUSTER,
        _ => true,
    }
}

/// Whether every flag makes sense by itself, whatever tests say.
pub(crate) fn check(settings: &Settings) -> Result<(), PlanError> {
    check_words(settings)?;
    only_shape(settings)?;
    for (name, _) in NUMBERS {
        number(settings, name)?;
    }
    options::check(settings)
}

/// The flags with few values.
pub(super) fn check_words(settings: &Settings) -> Result<(), PlanError> {
    check_pace(settings)?;
    check_edition(settings)?;
    match settings.get(launch::FAILOVER) {
        None | Some("fast" | "standard") => Ok(()),
        Some(other) => {
            let says = format!("{other:?} is neither fast nor standard");
            Err(error(launch::FAILOVER, says, "use fast or standard"))
        }
    }
}

/// Which edition the stand-in is.
fn check_edition(settings: &Settings) -> Result<(), PlanError> {
    match settings.get(launch::EDITION) {
        None | Some("community" | launch::ENTERPRISE) => Ok(()),
        Some(other) => {
            let says = format!("{other:?} is not an edition");
            Err(error(launch::EDITION, says, "use community or enterprise"))
        }
    }
}

/// How fast the stand-in is.
fn check_pace(settings: &Settings) -> Result<(), PlanError> {
    match settings.get(launch::PACE) {
        None | Some("fast" | "realistic") => Ok(()),
        Some(other) => {
            let says = format!("{other:?} is not a pace");
            Err(error(launch::PACE, says, "use fast or realistic"))
        }
    }
}

/// What the settings say of one of the [`NUMBERS`].
pub(super) fn number(settings: &Settings, name: &str) -> Result<Option<u32>, PlanError> {
    let flag = NUMBERS.iter().find(|(number, _)| *number == name);
    let said = flag.and_then(|(_, flag)| Some((*flag, settings.get(flag)?)));
    let Some((flag, said)) = said else {
        return Ok(None);
    };
    let number = said.trim().parse().map_err(|_| {
        let says = format!("{said:?} is not a number in the valid range");
        error(flag, says, "write a number such as 3")
    })?;
    sensible(flag, name, number).map(Some)
}

/// A number of a cluster that `param` says. None is zero, and agents are to have a majority.
pub(super) fn sensible(param: &str, name: &str, number: u32) -> Result<u32, PlanError> {
    if number == 0 {
        let says = match name {
            REPLICATION_FACTOR => "at least one copy is needed",
            _ => "a cluster needs at least one",
        };
        return Err(error(param, says.to_owned(), "use at least 1"));
    }
    if name == AGENTS && number.is_multiple_of(2) {
        let says = format!(
            "{number} agents tolerate no more failures than {}, but each write needs one more vote",
            number - 1
        );
        return Err(error(param, says, "use 1, 3 or 5"));
    }
    Ok(number)
}

/// The shape all deployments of the run have to have, if one was asked for.
pub(super) fn only_shape(settings: &Settings) -> Result<Option<&'static str>, PlanError> {
    let switched = settings.is_on(CLUSTER_SWITCH);
    match settings.get(MODE) {
        None => Ok(switched.then_some(CLUSTER)),
        Some(CLUSTER) => Ok(Some(CLUSTER)),
        Some(SINGLE) if switched => Err(error(
            MODE,
            "it is `single`, which conflicts with --cluster".into(),
            "remove one of them",
        )),
        Some(SINGLE) => Ok(Some(SINGLE)),
        Some(other) => Err(error(
            MODE,
            format!("{other:?} is neither single nor cluster"),
            "use single or cluster",
        )),
    }
}

/// The shape of a deployment that may have any.
pub(super) fn any_shape(settings: &Settings) -> Result<&'static str, PlanError> {
    let counted = NUMBERS.iter().any(|(_, flag)| settings.get(flag).is_some());
    let default = if counted { CLUSTER } else { SINGLE };
    Ok(only_shape(settings)?.unwrap_or(default))
}

/// Why a test with this wish, which is complete as `topology`, is not run.
pub(crate) fn ignored(wish: &Topology, topology: &Topology, settings: &Settings) -> Option<String> {
    of_other_shape(topology, settings).or_else(|| too_few_dbservers(wish, topology, settings))
}

/// The test's copies need more dbservers than the settings say.
fn too_few_dbservers(wish: &Topology, topology: &Topology, settings: &Settings) -> Option<String> {
    let said = said_dbservers(wish, settings)?;
    let needed = topology.param(DBSERVERS)?;
    (needed > said).then(|| {
        format!("needs {needed} dbservers for its copies; this run has --{DBSERVERS} {said}")
    })
}

/// The number of dbservers that the settings say of a test that says only how many copies it needs.
pub(super) fn said_dbservers(wish: &Topology, settings: &Settings) -> Option<u32> {
    let silent = wish.param(DBSERVERS).is_none() && wish.param(REPLICATION_FACTOR).is_some();
    // What makes no sense was refused when the topology was completed.
    silent.then(|| number(settings, DBSERVERS).ok().flatten())?
}

fn of_other_shape(topology: &Topology, settings: &Settings) -> Option<String> {
    // As above: refused when it was completed.
    let only = only_shape(settings).ok().flatten()?;
    (topology.shape != only).then(|| {
        let needs = match topology.shape.as_str() {
            CLUSTER => "a cluster",
            _ => "a single server",
        };
        format!("needs {needs}; this run has --{MODE} {only}")
    })
}

/// Shorthand for a [`PlanError`].
pub(super) fn error(param: &str, says: String, help: &str) -> PlanError {
    PlanError {
        param: param.to_owned(),
        says,
        help: help.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::StaticTopology;

    use super::*;
    use crate::plan::complete;
    use crate::topology::{cluster, single};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, vec![(*value).to_owned()]);
        }
        settings
    }

    #[test]
    fn any_number_of_a_cluster_implies_one() {
        let shape = |pairs: &[(&str, &str)]| any_shape(&settings(pairs)).unwrap();
        assert_eq!(shape(&[]), SINGLE);
        assert_eq!(shape(&[("cluster", "true")]), CLUSTER);
        assert_eq!(shape(&[("cluster", "false")]), SINGLE);
        assert_eq!(shape(&[("deployment-mode", "cluster")]), CLUSTER);
        for (_, flag) in NUMBERS {
            assert_eq!(shape(&[(flag, "3")]), CLUSTER, "{flag}");
            let both = [(flag, "3"), ("deployment-mode", "single")];
            assert_eq!(shape(&both), SINGLE, "{flag}");
        }
    }

    #[test]
    fn tests_of_the_other_shape_are_ignored_with_the_reason() {
        let (cluster, single) = (
            cluster().topology().to_topology(),
            single().topology().to_topology(),
        );
        let only = |mode| settings(&[("deployment-mode", mode)]);
        let ignored =
            |topology: &Topology, settings: &Settings| ignored(topology, topology, settings);
        assert_eq!(
            ignored(&cluster, &only("single")).as_deref(),
            Some("needs a cluster; this run has --deployment-mode single")
        );
        assert_eq!(
            ignored(&single, &settings(&[("cluster", "true")])).as_deref(),
            Some("needs a single server; this run has --deployment-mode cluster")
        );
        assert_eq!(ignored(&single, &only("single")), None);
        assert_eq!(ignored(&single, &settings(&[("agents", "3")])), None);
        assert_eq!(ignored(&cluster, &Settings::default()), None);
    }

    #[test]
    fn a_test_whose_copies_need_more_dbservers_than_a_flag_says_is_ignored() {
        let ignored_with = |wish: StaticTopology, dbservers: &str| {
            let (wish, settings) = (wish.to_topology(), settings(&[("dbservers", dbservers)]));
            let complete = complete(&wish, &settings).unwrap();
            ignored(&wish, &complete, &settings)
        };
        let three_copies = cluster().replication_factor(3).topology();
        assert_eq!(
            ignored_with(three_copies, "2").as_deref(),
            Some("needs 3 dbservers for its copies; this run has --dbservers 2")
        );
        assert_eq!(ignored_with(three_copies, "3"), None);
        assert_eq!(ignored_with(three_copies, "4"), None);
        assert_eq!(ignored_with(cluster().topology(), "1"), None);
        let both = cluster().dbservers(3).replication_factor(3).topology();
        assert_eq!(ignored_with(both, "2"), None);
    }

    #[test]
    fn what_makes_no_sense_by_itself_is_refused_by_the_flags_name() {
        let refused = |flag: &str, value: &str| {
            let refused = check(&settings(&[(flag, value)])).unwrap_err();
            assert_eq!(refused.param, flag);
            refused.says
        };
        assert!(refused("agents", "2").starts_with("2 agents tolerate no more failures than 1"));
        for (_, flag) in NUMBERS {
            assert!(refused(flag, "-1").contains("is not a number in"));
            refused(flag, "0");
            check(&settings(&[(flag, "3")])).unwrap();
        }
        assert_eq!(
            refused("deployment-mode", "ring"),
            "\"ring\" is neither single nor cluster"
        );
        assert_eq!(refused("pace", "slow"), "\"slow\" is not a pace");
        assert_eq!(refused("edition", "gold"), "\"gold\" is not an edition");
        assert_eq!(
            refused("server-option", "log.levle=debug"),
            "log.levle: arangod 3.12 does not have this option"
        );
        check(&settings(&[("server-option", "agent.log.level=debug")])).unwrap();
        check(&Settings::default()).unwrap();
    }

    #[test]
    fn contradictions_are_refused() {
        let refused = |pairs: &[(&str, &str)]| {
            let refused = only_shape(&settings(pairs)).unwrap_err();
            refused.to_string()
        };
        assert_eq!(
            refused(&[("deployment-mode", "single"), ("cluster", "true")]),
            "deployment-mode: it is `single`, which conflicts with --cluster; remove one of them"
        );
        assert_eq!(
            refused(&[("deployment-mode", "ring")]),
            "deployment-mode: \"ring\" is neither single nor cluster; use single or cluster"
        );
    }
}
