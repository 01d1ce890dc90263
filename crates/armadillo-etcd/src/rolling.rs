//! The plan of a rolling restart, upgrade or downgrade.
//!
//! Sources: <https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/> and <https://etcd.io/docs/v3.6/downgrades/downgrade_3_6/>: one
//! minor version at a time, one member at a time, the cluster healthy before the next.

use std::cmp::Ordering;

use armadillo_orchestrator::Step;
use armadillo_orchestrator::operations::{Change, Rolling, RollingServer, SystemStep, Version};

use crate::steps;

/// The first version whose cluster can be told that it will be downgraded, and whose Status says the version of its storage.
const FIRST_WITH_DOWNGRADE: (u32, u32) = (3, 6);

/// Followers first, and then who leads, which hands over before; between two versions what must hold for the whole cluster. Where
/// members run several versions, those that run the next one already are left alone.
pub(crate) fn plan(rolling: &Rolling) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut runs = newest(&rolling.servers);
    let mut oldest = rolling
        .servers
        .iter()
        .filter_map(|server| server.version)
        .min();
    let mut has_older_data = rolling.servers.iter().any(|server| server.has_older_data);
    for change in &rolling.changes {
        let to = change.program.as_ref().and_then(Version::of);
        let way = to
            .zip(runs)
            .map(|(to, from)| (from, to, to.cmp_line(&from)));
        if let Some((from, to, order)) = way {
            one_minor_at_a_time(from, to)?;
            let is_unfinished =
                oldest.is_some_and(|oldest| oldest.cmp_line(&to) == Ordering::Equal);
            match order {
                Ordering::Less if is_unfinished => {
                    steps.push(Step::gate(
                        None,
                        SystemStep::with(steps::STILL_ON, to.line()),
                    ));
                }
                _ => steps.extend(before(from, to, order, has_older_data)?),
            }
        }
        let is_mixed = oldest != runs && change.options.is_empty();
        for server in &rolling.servers {
            let is_done = server.runs && to.is_some() && server.version == to;
            if !(is_mixed && is_done) {
                steps.extend(turn(server, change, to));
            }
        }
        if let Some((_, to, order)) = way {
            steps.extend(after(to));
            has_older_data |= order == Ordering::Greater;
        }
        runs = to.or(runs);
        oldest = to.or(oldest);
    }
    Ok(steps)
}

fn newest(servers: &[RollingServer]) -> Option<Version> {
    servers.iter().filter_map(|server| server.version).max()
}

fn one_minor_at_a_time(from: Version, to: Version) -> Result<(), String> {
    if from.major == to.major && from.minor.abs_diff(to.minor) <= 1 {
        return Ok(());
    }
    let between = (from.minor.min(to.minor) + 1..from.minor.max(to.minor))
        .map(|minor| format!("{}.{minor}", from.major));
    let mut between: Vec<String> = between.collect();
    if from > to {
        between.reverse();
    }
    Err(format!(
        "etcd goes from one minor version to the next, and {} is not next to {}; put {} between them",
        to.line(),
        from.line(),
        between.join(", ")
    ))
}

/// What must be so before the first member runs the next version.
fn before(
    from: Version,
    to: Version,
    order: Ordering,
    has_older_data: bool,
) -> Result<Vec<Step>, String> {
    match order {
        Ordering::Equal => Ok(Vec::new()),
        // Entries that an earlier version has written must be in a snapshot: a later one cannot read them from the log.
        Ordering::Greater if has_older_data => {
            Ok(vec![Step::gate(None, SystemStep::new(steps::SNAPSHOT))])
        }
        Ordering::Greater => Ok(Vec::new()),
        Ordering::Less if (from.major, from.minor) < FIRST_WITH_DOWNGRADE => Err(format!(
            "etcd can be downgraded from 3.6 and later, not from {}",
            from.line()
        )),
        Ordering::Less => {
            let enable = Step::undoable(
                None,
                SystemStep::with(steps::ENABLE_DOWNGRADE, to.line()),
                SystemStep::new(steps::CANCEL_DOWNGRADE),
            );
            // A cluster that has just started agrees on its version some seconds later, and refuses a downgrade until then.
            let agreed = SystemStep::with(steps::CLUSTER_VERSION, from.line());
            let stored = SystemStep::with(steps::STORAGE_VERSION, to.line());
            Ok(vec![
                Step::gate(None, agreed),
                enable,
                Step::gate(None, stored),
            ])
        }
    }
}

/// A member's turn.
fn turn(server: &RollingServer, change: &Change, to: Option<Version>) -> Vec<Step> {
    let key = Some(&server.key);
    let mut steps = vec![
        Step::act(key, SystemStep::new(steps::HAND_OVER)),
        change.restart(&server.key),
    ];
    if let Some(to) = to {
        steps.push(Step::gate(
            key,
            SystemStep::with(steps::VERSION, to.to_string()),
        ));
    }
    for gate in [steps::LEADER, steps::APPLIED, steps::ERRORS, steps::READ] {
        steps.push(Step::gate(key, SystemStep::new(gate)));
    }
    steps
}

/// What must be so before the change counts as done.
fn after(to: Version) -> Vec<Step> {
    let mut gates = vec![SystemStep::with(steps::CLUSTER_VERSION, to.line())];
    if (to.major, to.minor) >= FIRST_WITH_DOWNGRADE {
        gates.push(SystemStep::with(steps::STORAGE_VERSION, to.line()));
    }
    gates
        .into_iter()
        .map(|gate| Step::gate(None, gate))
        .collect()
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::{Program, StepKind};

    use super::*;

    fn server(number: u32, version: &str, leads: bool) -> RollingServer {
        RollingServer {
            key: armadillo_orchestrator::ServerKey::numbered("member", number),
            role: "member".into(),
            version: Version::parse(version),
            runs: true,
            has_older_data: false,
            leads: if leads {
                vec!["raft".into()]
            } else {
                Vec::new()
            },
        }
    }

    fn to(version: &str) -> Change {
        let program = serde_json::json!({
            "path": "/etcd", "leading_args": [], "version": version, "title": "etcd", "stand_in": false,
        });
        Change {
            program: Some(serde_json::from_value::<Program>(program).unwrap()),
            options: Vec::new(),
            forced: false,
        }
    }

    fn said(from: &str, path: &[&str]) -> Result<Vec<String>, String> {
        let servers = vec![server(2, from, false), server(1, from, true)];
        let changes = match path {
            [] => vec![Change::default()],
            path => path.iter().map(|version| to(version)).collect(),
        };
        let steps = plan(&Rolling { servers, changes })?;
        Ok(steps.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_restart_ends_with_the_leader() {
        let steps = said("3.6.16", &[]).unwrap();
        assert_eq!(
            steps,
            [
                "member-2: hand-over",
                "member-2: restart",
                "member-2: wait for leader",
                "member-2: wait for applied",
                "member-2: wait for errors",
                "member-2: wait for read",
                "member-1: hand-over",
                "member-1: restart",
                "member-1: wait for leader",
                "member-1: wait for applied",
                "member-1: wait for errors",
                "member-1: wait for read",
            ]
        );
    }

    #[test]
    fn an_upgrade_waits_for_the_whole_between_two_versions() {
        let steps = said("3.4.23", &["3.5.35", "3.6.16"]).unwrap();
        assert_eq!(steps[1], "member-2: restart with 3.5.35");
        assert_eq!(steps[2], "member-2: wait for version 3.5.35");
        let whole: Vec<&str> = (steps.iter().map(String::as_str))
            .filter(|step| step.starts_with("wait"))
            .collect();
        assert_eq!(
            whole,
            [
                "wait for cluster-version 3.5",
                "wait for snapshot",
                "wait for cluster-version 3.6",
                "wait for storage-version 3.6"
            ]
        );
        // Within a minor version nothing of that is needed before.
        assert_eq!(
            said("3.5.1", &["3.5.35"]).unwrap()[0],
            "member-2: hand-over"
        );
    }

    #[test]
    fn a_downgrade_is_enabled_first() {
        let steps = said("3.7.3", &["3.6.16"]).unwrap();
        assert_eq!(
            steps[..3],
            [
                "wait for cluster-version 3.7",
                "enable-downgrade 3.6",
                "wait for storage-version 3.6"
            ]
        );
        let error = said("3.5.35", &["3.4.23"]).unwrap_err();
        assert_eq!(
            error,
            "etcd can be downgraded from 3.6 and later, not from 3.5"
        );
    }

    /// Undoes an upgrade that stopped after the first of these.
    fn undone(versions: &[&str], to_version: &str) -> Result<Vec<String>, String> {
        let numbers = 1..;
        let servers = numbers.zip(versions);
        let servers = servers.map(|(number, version)| server(number, version, false));
        let servers = servers.collect();
        let changes = vec![to(to_version)];
        let steps = plan(&Rolling { servers, changes })?;
        Ok(steps.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_upgrade_that_stopped_halfway_is_undone_without_a_downgrade() {
        for (new, old, line) in [("3.6.16", "3.5.35", "3.5"), ("3.5.35", "3.4.23", "3.4")] {
            let steps = undone(&[new, old, old], old).unwrap();
            assert_eq!(steps[0], format!("wait for still-on {line}"));
            assert_eq!(
                steps[1..3],
                [
                    "member-1: hand-over".to_owned(),
                    format!("member-1: restart with {old}")
                ]
            );
            let others =
                |step: &&String| step.starts_with("member-2") || step.starts_with("member-3");
            assert_eq!(steps.iter().filter(others).count(), 0, "{steps:?}");
            assert!(steps.contains(&format!("wait for cluster-version {line}")));
        }
        // To another patch level, everybody has a turn.
        let steps = undone(&["3.6.16", "3.5.21", "3.5.21"], "3.5.35").unwrap();
        let restarts = steps.iter().filter(|step| step.contains(": restart"));
        assert_eq!(restarts.count(), 3);
        // Nobody goes back two versions at once.
        let error = undone(&["3.7.3", "3.6.16"], "3.5.35").unwrap_err();
        assert!(error.ends_with("put 3.6 between them"), "{error}");
    }

    #[test]
    fn an_upgrade_that_stopped_halfway_goes_on() {
        let steps = undone(&["3.6.16", "3.5.35", "3.5.35"], "3.6.16").unwrap();
        let restarts: Vec<&String> = (steps.iter())
            .filter(|step| step.contains(": restart"))
            .collect();
        assert_eq!(
            restarts,
            [
                "member-2: restart with 3.6.16",
                "member-3: restart with 3.6.16"
            ]
        );
    }

    /// Who has a turn.
    fn restarted(servers: Vec<RollingServer>, change: Change) -> Vec<String> {
        let changes = vec![change];
        let steps = plan(&Rolling { servers, changes }).unwrap();
        let restarts = steps
            .iter()
            .filter(|step| matches!(step.what, StepKind::Restart(_)));
        let servers = restarts.filter_map(|step| step.server.as_ref());
        servers.map(ToString::to_string).collect()
    }

    #[test]
    fn only_members_that_run_the_next_version_are_left_alone() {
        let mut servers = vec![
            server(1, "3.6.16", false),
            server(2, "3.5.35", false),
            server(3, "3.6.16", false),
        ];
        servers[2].runs = false;
        assert_eq!(restarted(servers, to("3.6.16")), ["member-2", "member-3"]);
        // A restart to no other version is one of all, of members whose version is not known, too.
        let servers = vec![
            server(1, "3.6.16", false),
            server(2, "3.5.35", false),
            server(3, "", false),
        ];
        assert_eq!(restarted(servers, Change::default()).len(), 3);
    }

    #[test]
    fn a_minor_version_is_not_left_out() {
        let error = said("3.4.23", &["3.7.3"]).unwrap_err();
        assert!(error.ends_with("put 3.5, 3.6 between them"), "{error}");
        let error = said("3.7.3", &["3.5.35"]).unwrap_err();
        assert!(error.ends_with("put 3.6 between them"), "{error}");
    }
}
