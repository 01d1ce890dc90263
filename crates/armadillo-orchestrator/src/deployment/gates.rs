//! The order of starts and stops: a plan's gates, checked once and asked often.

use std::collections::{BTreeMap, BTreeSet};

use crate::server::{ServerKey, ServerPlan, Stage};

/// A plan that cannot be carried out, whatever the servers do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    /// There is nothing to run.
    #[error("the plan has no servers")]
    Empty,
    /// Two servers of one name.
    #[error("the plan has two servers named {0}")]
    Twice(ServerKey),
    /// A name that cannot be the name of a directory.
    #[error("{0:?} is not a valid server name: use only letters, digits, - and _")]
    Name(String),
    /// A gate on a server that is not there.
    #[error("{server} waits for {missing}, which is not in the plan")]
    Unknown {
        /// The server that waits.
        server: ServerKey,
        /// What it waits for.
        missing: ServerKey,
    },
    /// Servers that wait for each other.
    #[error("{} wait for each other", servers.iter().map(ServerKey::as_str).collect::<Vec<_>>().join(", "))]
    Circle {
        /// Those on the circle, and those behind it.
        servers: Vec<ServerKey>,
    },
}

/// Checks that every server of a plan can start, and stop, once the others do their part.
///
/// # Errors
/// What makes that impossible.
pub fn check_plan(plan: &[ServerPlan]) -> Result<(), BadPlan> {
    if plan.is_empty() {
        return Err(BadPlan::Empty);
    }
    let mut names = BTreeSet::new();
    for server in plan {
        let name = server.key.as_str();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(BadPlan::Name(name.to_owned()));
        }
        if !names.insert(&server.key) {
            return Err(BadPlan::Twice(server.key.clone()));
        }
    }
    let starts = plan.iter().map(|server| {
        let gates = server.after.iter().map(|(key, _)| key).collect();
        (&server.key, gates)
    });
    check_order(starts.collect())?;
    let stops = plan
        .iter()
        .map(|server| (&server.key, server.stop_after.iter().collect()));
    check_order(stops.collect())
}

/// Checks that every edge leads to a known server and none in a circle.
fn check_order(mut waiting: BTreeMap<&ServerKey, Vec<&ServerKey>>) -> Result<(), BadPlan> {
    for (server, gates) in &waiting {
        if let Some(missing) = gates.iter().find(|key| !waiting.contains_key(*key)) {
            return Err(BadPlan::Unknown {
                server: (*server).clone(),
                missing: (*missing).clone(),
            });
        }
    }
    let mut done: BTreeSet<&ServerKey> = BTreeSet::new();
    while !waiting.is_empty() {
        let free: Vec<&ServerKey> = waiting
            .iter()
            .filter(|(_, gates)| gates.iter().all(|key| done.contains(key)))
            .map(|(server, _)| *server)
            .collect();
        if free.is_empty() {
            let servers = waiting.into_keys().cloned().collect();
            return Err(BadPlan::Circle { servers });
        }
        for server in free {
            waiting.remove(server);
            done.insert(server);
        }
    }
    Ok(())
}

/// The gates of a server that are still shut, given how far the others have come.
pub(super) fn shut(
    server: &ServerPlan,
    reached: impl Fn(&ServerKey) -> Option<Stage>,
) -> Vec<&(ServerKey, Stage)> {
    server
        .after
        .iter()
        .filter(|(key, stage)| reached(key) < Some(*stage))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Cost;

    fn server(key: &str, after: &[&str], stop_after: &[&str]) -> ServerPlan {
        ServerPlan {
            key: key.into(),
            role: "node",
            after: after
                .iter()
                .map(|key| ((*key).into(), Stage::Answering))
                .collect(),
            stop_after: stop_after.iter().map(|key| (*key).into()).collect(),
            ports: &["http"],
            cost: Cost {
                memory_mib: 1,
                cpu_percent: 1,
                disk_mib: 1,
            },
            spare: false,
        }
    }

    #[test]
    fn impossible_plans_are_refused() {
        assert_eq!(check_plan(&[]), Err(BadPlan::Empty));
        let twice = [server("a", &[], &[]), server("a", &[], &[])];
        assert_eq!(check_plan(&twice), Err(BadPlan::Twice("a".into())));
        let name = check_plan(&[server("../a", &[], &[])]).unwrap_err();
        assert_eq!(name, BadPlan::Name("../a".into()));
        let unknown = check_plan(&[server("a", &["b"], &[])]).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "a waits for b, which is not in the plan"
        );
        let circle = [
            server("a", &["c"], &[]),
            server("b", &["a"], &[]),
            server("c", &["b"], &[]),
            server("d", &[], &[]),
        ];
        let circle = check_plan(&circle).unwrap_err();
        assert_eq!(circle.to_string(), "a, b, c wait for each other");
        let stops = [server("a", &[], &["b"]), server("b", &[], &["a"])];
        assert!(matches!(check_plan(&stops), Err(BadPlan::Circle { .. })));
        let good = [server("a", &[], &["b"]), server("b", &["a"], &[])];
        assert_eq!(check_plan(&good), Ok(()));
    }

    #[test]
    fn a_gate_opens_at_its_stage_or_a_later_one() {
        let gated = server("b", &["a"], &[]);
        for (reached, open) in [
            (None, false),
            (Some(Stage::Started), false),
            (Some(Stage::Answering), true),
            (Some(Stage::Ready), true),
        ] {
            assert_eq!(shut(&gated, |_| reached).is_empty(), open, "{reached:?}");
        }
    }
}
