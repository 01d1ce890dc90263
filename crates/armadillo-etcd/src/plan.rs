//! From a wish to servers: how many members, in which order they start, what each costs.

use armadillo_orchestrator::links::{CLIENT_LINKS, LINKS};
use armadillo_orchestrator::tls::TLS;
use armadillo_orchestrator::topology::ANY_SHAPE;
use armadillo_orchestrator::{Cost, PlanError, ServerKey, ServerPlan, Settings, Stage, Topology};

use crate::options::{self, MEMBERS_FLAG, error};
use crate::topology::{MEMBERS, NO_AUTH, ROLE, SHAPE, SPARES};

/// The members of a cluster of which nobody says how many it has.
const DEFAULT_MEMBERS: u32 = 3;

/// The ports of a member: clients, and its peers.
const PORTS: &[&str] = &["client", "peer"];

/// What a member costs: 27 MiB resident when idle, plus its data and its map of it; 4 per cent of a core idle at a
/// heartbeat of 10 ms; two preallocated segments of 64 MiB of its write-ahead log.
const COST: Cost = Cost {
    memory_mib: 64,
    cpu_percent: 10,
    disk_mib: 130,
};

/// The wish with members and options filled in.
pub(crate) fn complete(wish: &Topology, settings: &Settings) -> Result<Topology, PlanError> {
    if wish.shape != SHAPE && wish.shape != ANY_SHAPE {
        return Err(error(
            &wish.shape,
            "is not a shape of etcd".into(),
            "use `cluster`",
        ));
    }
    let known = |name: &&String| *name == MEMBERS || *name == SPARES;
    if let Some(unknown) = wish.params.keys().find(|name| !known(name)) {
        return Err(error(
            unknown,
            "is not a parameter of an etcd cluster".into(),
            "the parameters are `members` and `spares`",
        ));
    }
    let known = |word: &str| [NO_AUTH, TLS, LINKS, CLIENT_LINKS].contains(&word);
    if let Some(unknown) = wish.words.iter().find(|word| !known(word)) {
        let says = "is not a word of an etcd cluster".into();
        return Err(error(
            unknown,
            says,
            "the words are `no_auth`, `tls`, `links` and `client_links`",
        ));
    }
    let members = match wish.param(MEMBERS) {
        Some(said) => odd(MEMBERS, said)?,
        None => members_setting(settings)?,
    };
    let mut complete = Topology {
        system: wish.system.clone(),
        shape: SHAPE.to_owned(),
        params: [(MEMBERS.to_owned(), members)].into(),
        words: wish.words.clone(),
        options: Vec::new(),
        binaries: wish.binaries.clone(),
        data: wish.data.clone(),
    };
    let spares = wish.param(SPARES).filter(|count| *count > 0);
    (complete.params).extend(spares.map(|count| (SPARES.to_owned(), count)));
    complete.options = options::resolve(wish, settings)?;
    Ok(complete)
}

/// Whether every flag makes sense by itself, whatever tests say.
pub(crate) fn check(settings: &Settings) -> Result<(), PlanError> {
    members_setting(settings)?;
    options::check_settings(settings)
}

fn members_setting(settings: &Settings) -> Result<u32, PlanError> {
    let Some(said) = settings.get(MEMBERS_FLAG) else {
        return Ok(DEFAULT_MEMBERS);
    };
    let members = said.parse().map_err(|_| {
        let says = format!("{said:?} is not a number");
        error(MEMBERS_FLAG, says, "use 1, 3 or 5")
    })?;
    odd(MEMBERS_FLAG, members)
}

/// The number of members that `param` says: an odd one, for a majority.
fn odd(param: &str, members: u32) -> Result<u32, PlanError> {
    let says = match members {
        0 => "a cluster needs at least one member".to_owned(),
        odd if odd % 2 == 1 => return Ok(odd),
        even => format!(
            "{even} members tolerate no more failures than {}, but each write needs one more vote",
            even - 1
        ),
    };
    Err(error(param, says, "use 1, 3 or 5"))
}

/// The members of a complete topology, and those in reserve.
///
/// Member k+1 starts when member k answers its peers: a new member asks each peer for the members with a limit of one
/// second (`bootstrapTimeout` in etcd's `etcdserver/config.go`), and members started at once, which bind before they
/// serve, wait for each other for two seconds. A refused connection costs them nothing.
pub(crate) fn plan(topology: &Topology) -> Vec<ServerPlan> {
    let members = topology.param(MEMBERS).unwrap_or(DEFAULT_MEMBERS);
    let spares = topology.param(SPARES).unwrap_or(0);
    let key = |number| ServerKey::numbered(ROLE, number);
    // On existing data, a member joins the one before it.
    let gate = match topology.data {
        None => Stage::Answering,
        Some(_) => Stage::Ready,
    };
    (1..=members.saturating_add(spares))
        .map(|number| ServerPlan {
            key: key(number),
            role: ROLE,
            after: (number > 1 && number <= members)
                .then(|| (key(number - 1), gate))
                .into_iter()
                .collect(),
            stop_after: Vec::new(),
            ports: PORTS,
            cost: COST,
            spare: number > members,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::etcd;

    fn settings(members: &str) -> Settings {
        let mut settings = Settings::default();
        settings.set(MEMBERS_FLAG, vec![members.to_owned()]);
        settings
    }

    #[test]
    fn a_test_goes_before_the_flag_and_the_flag_before_the_default() {
        let members = |wish: Topology, settings: &Settings| {
            complete(&wish, settings).unwrap().param("members").unwrap()
        };
        let silent = || etcd().topology().to_topology();
        assert_eq!(members(silent(), &Settings::default()), 3);
        assert_eq!(members(silent(), &settings("5")), 5);
        let said = etcd().members(1).topology().to_topology();
        assert_eq!(members(said, &settings("5")), 1);
    }

    #[test]
    fn completing_twice_changes_nothing() {
        let mut settings = Settings::default();
        settings.set(
            options::OPTION_FLAG,
            vec!["member.pre-vote=true".into(), "snapshot-count=5".into()],
        );
        let wish = etcd().option("member.snapshot-count", "7").topology();
        let once = complete(&wish.to_topology(), &settings).unwrap();
        assert_eq!(complete(&once, &settings).unwrap(), once);
        assert_eq!(
            once.to_string(),
            "etcd cluster(members = 3, pre-vote=true, snapshot-count=7)"
        );
    }

    #[test]
    fn members_that_make_no_sense_are_refused_with_what_would() {
        let refuse = |wish: Topology, settings: &Settings| {
            complete(&wish, settings).unwrap_err().to_string()
        };
        let with = |count| etcd().members(count).topology().to_topology();
        assert_eq!(
            refuse(with(0), &Settings::default()),
            "members: a cluster needs at least one member; use 1, 3 or 5"
        );
        assert_eq!(
            refuse(with(4), &Settings::default()),
            "members: 4 members tolerate no more failures than 3, but each write needs one more vote; \
             use 1, 3 or 5"
        );
        let silent = || etcd().topology().to_topology();
        assert!(refuse(silent(), &settings("2")).starts_with("etcd-members: 2 members"));
        assert_eq!(
            refuse(silent(), &settings("three")),
            "etcd-members: \"three\" is not a number; use 1, 3 or 5"
        );
        let mut unknown = silent();
        unknown.params.insert("agents".into(), 3);
        assert!(
            refuse(unknown, &Settings::default())
                .contains("the parameters are `members` and `spares`")
        );
        let mut shape = silent();
        shape.shape = "single".into();
        assert!(refuse(shape, &Settings::default()).contains("use `cluster`"));
    }

    #[test]
    fn spares_are_planned_after_the_members_and_wait_for_nobody() {
        let spares = |count| {
            let wish = etcd().members(1).spares(count).topology().to_topology();
            complete(&wish, &Settings::default()).unwrap()
        };
        assert_eq!(spares(0).to_string(), "etcd cluster(members = 1)");
        assert_eq!(
            spares(2).to_string(),
            "etcd cluster(members = 1, spares = 2)"
        );
        let plan = plan(&spares(2)).into_iter();
        let plan: Vec<_> = plan.map(|s| (s.key.0, s.after.len(), s.spare)).collect();
        let said = |key: &str, spare| (key.to_owned(), 0, spare);
        assert_eq!(
            plan,
            [
                said("member-1", false),
                said("member-2", true),
                said("member-3", true)
            ]
        );
    }

    #[test]
    fn each_member_waits_for_the_one_before_it() {
        let topology = complete(&etcd().topology().to_topology(), &Settings::default()).unwrap();
        let gates: Vec<_> = plan(&topology)
            .into_iter()
            .map(|server| (server.key, server.after))
            .collect();
        let member = |number| ServerKey::numbered(ROLE, number);
        let answering = |number| (member(number), Stage::Answering);
        assert_eq!(
            gates,
            [
                (member(1), vec![]),
                (member(2), vec![answering(1)]),
                (member(3), vec![answering(2)]),
            ]
        );
    }
}
