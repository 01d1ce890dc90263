//! The wish of a test with everything filled in that it left unsaid.

use std::collections::BTreeMap;

use armadillo_orchestrator::links::{CLIENT_LINKS, LINKS};
use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::topology::ANY_SHAPE;
use armadillo_orchestrator::{PlanError, Settings, Topology};

use super::flags::{
    NUMBERS, any_shape, check_words, error, number, only_shape, said_dbservers, sensible,
};
use crate::role::Role;
use crate::topology::{
    AGENTS, CLUSTER, COORDINATORS, DBSERVERS, ES256, FAST_FAILOVER, REPLICATION_FACTOR, SINGLE,
    SPARE_COORDINATORS, SPARE_DBSERVERS, SYSTEM,
};
use crate::{launch, options, programs};

/// What `--cluster.max-replication-factor` is unless said (official list).
const MOST_COPIES: u32 = 10;

/// The wish with shape, numbers and options filled in.
pub(crate) fn complete(wish: &Topology, settings: &Settings) -> Result<Topology, PlanError> {
    check_words(settings)?;
    only_shape(settings)?;
    let shape = match wish.shape.as_str() {
        ANY_SHAPE => any_shape(settings)?,
        SINGLE => SINGLE,
        CLUSTER => CLUSTER,
        other => {
            let says = format!("ArangoDB has no topology {other:?}");
            return Err(error("shape", says, "use single() or cluster()"));
        }
    };
    let known = |word: &str| [ES256, TLS, LINKS, CLIENT_LINKS].contains(&word);
    if let Some(word) = (wish.words.iter()).find(|word| !known(word)) {
        let says = "is not a word of an ArangoDB topology".to_owned();
        let help = "the words are `es256`, `tls`, `links` and `client_links`";
        return Err(error(word, says, help));
    }
    if shape == SINGLE && wish.words.contains(LINKS) {
        let says = "a single server has no peers".to_owned();
        return Err(error(LINKS, says, "use `client_links`"));
    }
    let (params, roles): (_, &[Role]) = if shape == SINGLE {
        if let Some(param) = wish.params.keys().next() {
            let says = "a single server does not have this parameter".to_owned();
            return Err(error(param, says, "remove it"));
        }
        (BTreeMap::new(), &[Role::Single])
    } else {
        let roles = &[Role::Agent, Role::DbServer, Role::Coordinator];
        (numbers(wish, settings)?, roles)
    };
    let complete = Topology {
        system: SYSTEM.to_owned(),
        shape: shape.to_owned(),
        params,
        words: wish.words.clone(),
        options: wish.options.clone(),
        binaries: binaries(wish, settings, roles)?,
        data: wish.data.clone(),
    };
    Ok(Topology {
        options: options::complete(&complete, settings, roles)?,
        ..complete
    })
}

/// The programs of roles that do not run what the run does: so that equal deployments have equal topologies.
fn binaries(
    wish: &Topology,
    settings: &Settings,
    roles: &[Role],
) -> Result<BTreeMap<String, String>, PlanError> {
    let is_known = |name: &str| roles.iter().any(|role| role.name() == name);
    if let Some(unknown) = wish.binaries.keys().find(|role| !is_known(role)) {
        let says = "no server has this role".to_owned();
        return Err(error(&format!("{unknown}_binary"), says, "remove it"));
    }
    if let Some((role, _)) = wish.binaries.iter().find(|(_, name)| name.is_empty()) {
        let says = "it does not name a program".to_owned();
        let help = "use the path of a program, `emulator`, or `emulator@3.11.14`";
        return Err(error(&format!("{role}_binary"), says, help));
    }
    let own = settings.get(programs::SETTING);
    let others = wish
        .binaries
        .iter()
        .filter(|(_, name)| own != Some(name.as_str()));
    Ok(others
        .map(|(role, name)| (role.clone(), name.clone()))
        .collect())
}

/// What a cluster may have in reserve.
const SPARES: [&str; 2] = [SPARE_DBSERVERS, SPARE_COORDINATORS];

/// The four numbers of a cluster: the test's own, then the settings', then defaults.
fn numbers(wish: &Topology, settings: &Settings) -> Result<BTreeMap<String, u32>, PlanError> {
    let known = |name: &&String| {
        *name != FAST_FAILOVER
            && !SPARES.contains(&name.as_str())
            && !NUMBERS.iter().any(|(number, _)| number == *name)
    };
    if let Some(unknown) = wish.params.keys().find(known) {
        let help = "the parameters are agents, dbservers, coordinators, replication_factor, spare_dbservers and spare_coordinators";
        let says = "a cluster does not have this parameter".to_owned();
        return Err(error(unknown, says, help));
    }
    let said = |name: &str, default: u32| match wish.param(name) {
        Some(said) => sensible(name, name, said),
        None => Ok(number(settings, name)?.unwrap_or(default)),
    };
    let agents = said(AGENTS, 3)?;
    let mut dbservers = said(DBSERVERS, 3)?;
    let coordinators = said(COORDINATORS, 1)?;
    let mut copies = said(REPLICATION_FACTOR, dbservers.min(2))?;
    let is_said = |name: &str| wish.param(name).is_some();
    if is_said(DBSERVERS) && !is_said(REPLICATION_FACTOR) {
        // What is said for all clusters does not make a small one impossible.
        copies = copies.min(dbservers);
    }
    if said_dbservers(wish, settings).is_some() {
        // Nor does it make one impossible whose copies need more: such a test is ignored unless asked for.
        dbservers = dbservers.max(copies);
    }
    if copies > dbservers {
        let says =
            format!("{copies} copies need {copies} dbservers, but there are only {dbservers}");
        return Err(error(REPLICATION_FACTOR, says, "use fewer copies"));
    }
    if copies > MOST_COPIES {
        let says = format!("arangod supports at most {MOST_COPIES} copies");
        return Err(error(REPLICATION_FACTOR, says, "use fewer copies"));
    }
    let numbers = [
        (AGENTS, agents),
        (DBSERVERS, dbservers),
        (COORDINATORS, coordinators),
        (REPLICATION_FACTOR, copies),
    ];
    let mut numbers: BTreeMap<String, u32> = numbers
        .map(|(name, number)| (name.to_owned(), number))
        .into();
    for name in SPARES {
        let spares = wish.param(name).filter(|count| *count > 0);
        numbers.extend(spares.map(|count| (name.to_owned(), count)));
    }
    // Where all clusters are so, it makes no difference.
    if is_said(FAST_FAILOVER) && settings.get(launch::FAILOVER) != Some("fast") {
        numbers.insert(FAST_FAILOVER.to_owned(), 1);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::StaticTopology;

    use super::*;
    use crate::topology::{ANY, cluster, single};

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, vec![(*value).to_owned()]);
        }
        settings
    }

    fn completed(wish: Topology, pairs: &[(&str, &str)]) -> Result<String, String> {
        let complete = complete(&wish, &settings(pairs)).map_err(|error| error.to_string())?;
        let again = super::complete(&complete, &settings(pairs)).unwrap();
        assert_eq!(again, complete, "completing twice changes something");
        Ok(complete.label())
    }

    fn silent() -> Topology {
        cluster().topology().to_topology()
    }

    const DEFAULT: &str = "arangodb-cluster-agents3-coordinators1-dbservers3-replication-factor2";

    #[test]
    fn any_deployment_is_a_single_server_unless_somebody_says_otherwise() {
        let any = || ANY.to_topology();
        assert_eq!(completed(any(), &[]).unwrap(), "arangodb-single");
        assert_eq!(completed(any(), &[("cluster", "true")]).unwrap(), DEFAULT);
        assert_eq!(completed(any(), &[("agents", "3")]).unwrap(), DEFAULT);
        assert_eq!(completed(silent(), &[]).unwrap(), DEFAULT);
        let single = single().topology().to_topology();
        assert_eq!(
            completed(single, &[("agents", "5")]).unwrap(),
            "arangodb-single"
        );
    }

    #[test]
    fn a_role_runs_what_the_topology_names_for_it() {
        const MIXED: StaticTopology = cluster()
            .dbserver_binary("/opt/3.11/arangod")
            .coordinator_binary("emulator")
            .topology();
        let of = |pairs: &[(&str, &str)]| {
            let complete = super::complete(&MIXED.to_topology(), &settings(pairs)).unwrap();
            complete.binaries.into_iter().collect::<Vec<_>>()
        };
        let old = ("dbserver".to_owned(), "/opt/3.11/arangod".to_owned());
        let emulator = ("coordinator".to_owned(), "emulator".to_owned());
        assert_eq!(of(&[]), [emulator, old.clone()]);
        assert_eq!(of(&[("arangod", "emulator")]), [old]);
        let mut single = single().binary("/opt/arangod").topology().to_topology();
        completed(single.clone(), &[]).unwrap();
        single.binaries = MIXED.to_topology().binaries;
        assert_eq!(
            completed(single, &[]).unwrap_err(),
            "coordinator_binary: no server has this role; remove it"
        );
    }

    #[test]
    fn settings_fill_what_a_test_left_unspecified() {
        let label = |wish: Topology, pairs: &[(&str, &str)]| completed(wish, pairs).unwrap();
        let said = [
            ("agents", "5"),
            ("dbservers", "4"),
            ("coordinators", "2"),
            ("replication-factor", "3"),
        ];
        assert_eq!(
            label(silent(), &said),
            "arangodb-cluster-agents5-coordinators2-dbservers4-replication-factor3"
        );
        let minimal = cluster().minimal().topology().to_topology();
        assert_eq!(
            label(minimal, &said),
            "arangodb-cluster-agents1-coordinators1-dbservers1-replication-factor1"
        );
        let two = cluster().dbservers(2).topology().to_topology();
        assert_eq!(
            label(two, &said),
            "arangodb-cluster-agents5-coordinators2-dbservers2-replication-factor2"
        );
        let three_copies = || cluster().replication_factor(3).topology().to_topology();
        assert_eq!(
            label(three_copies(), &[("dbservers", "2")]),
            "arangodb-cluster-agents3-coordinators1-dbservers3-replication-factor3"
        );
        assert_eq!(
            label(three_copies(), &[("dbservers", "4")]),
            "arangodb-cluster-agents3-coordinators1-dbservers4-replication-factor3"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let refused = |wish: Topology, pairs: &[(&str, &str)]| completed(wish, pairs).unwrap_err();
        let with = |name, count| {
            let topology = cluster().topology();
            topology.with(name, count).to_topology()
        };
        assert_eq!(
            refused(with(AGENTS, 4), &[]),
            "agents: 4 agents tolerate no more failures than 3, but each write needs one more vote; use 1, 3 or 5"
        );
        assert!(refused(silent(), &[("agents", "2")]).starts_with("agents: 2 agents tolerate"));
        for (name, flag) in NUMBERS {
            assert!(refused(with(name, 0), &[]).ends_with("use at least 1"));
            assert!(refused(silent(), &[(flag, "0")]).starts_with(flag));
            assert!(refused(silent(), &[(flag, "three")]).contains("\"three\" is not"));
        }
        assert_eq!(
            refused(with(REPLICATION_FACTOR, 4), &[]),
            "replication_factor: 4 copies need 4 dbservers, but there are only 3; use fewer copies"
        );
        let many = cluster().dbservers(12).replication_factor(11).topology();
        assert!(refused(many.to_topology(), &[]).contains("at most 10 copies"));
        assert!(
            refused(with("members", 3), &[]).starts_with("members: a cluster does not have this")
        );
        let mut ring = silent();
        ring.shape = "ring".into();
        assert!(refused(ring, &[]).contains("no topology \"ring\""));
        let single = single().topology().with(AGENTS, 3).to_topology();
        assert!(refused(single.clone(), &[]).starts_with("agents: a single server"));
        assert!(refused(silent(), &[("pace", "slow")]).starts_with("pace: \"slow\" is not a pace"));
    }

    #[test]
    fn a_topology_with_fast_failover_is_another_unless_all_are_fast() {
        let fast = || cluster().fast_failover().topology().to_topology();
        let label = |pairs: &[(&str, &str)]| completed(fast(), pairs).unwrap();
        assert_eq!(
            label(&[]),
            "arangodb-cluster-agents3-coordinators1-dbservers3-fast-failover1-replication-factor2"
        );
        assert_eq!(label(&[("failover", "standard")]), label(&[]));
        assert_eq!(label(&[("failover", "fast")]), DEFAULT);
        assert_eq!(
            completed(silent(), &[("failover", "slow")]).unwrap_err(),
            "failover: \"slow\" is neither fast nor standard; use fast or standard"
        );
    }

    #[test]
    fn options_are_for_the_roles_of_the_shape() {
        let wish = cluster()
            .option("dbserver.log.level", "replication=debug")
            .option("agency.wait-for-sync", "true")
            .topology()
            .to_topology();
        let none = Settings::default();
        assert_eq!(complete(&wish, &none).unwrap().options.len(), 2);
        let wrong = cluster().option("single.log.level", "debug").topology();
        let refused = complete(&wrong.to_topology(), &none).unwrap_err();
        assert_eq!(
            refused.says,
            "no server of \"arangodb cluster\" has this option"
        );
    }
}
