//! What is fetched from a server when a test failed.

use std::time::Duration;

use armadillo_orchestrator::{Evidence, Request, View};

use crate::auth;
use crate::role::Role;

/// Paths, and the files their answers are saved in: of every server.
const OF_ALL: [(&str, &str); 4] = [
    ("/_api/version?details=true", "version.json"),
    ("/_admin/status", "status.json"),
    (
        "/_admin/log/entries?upto=info&size=1000&sort=desc",
        "log-entries.json",
    ),
    ("/_admin/metrics", "metrics.txt"),
];

/// Of servers that clients talk to.
const FOR_CLIENTS: [(&str, &str); 3] = [
    ("/_api/database", "databases.json"),
    ("/_api/transaction", "open-transactions-of-system.json"),
    ("/_api/user", "users.json"),
];

/// Of agents, each of which answers for itself: what it knows of the others, its log and what is in the agency.
const OF_AGENTS: [(&str, &str); 2] = [
    ("/_api/agency/config", "agency-config.json"),
    ("/_api/agency/state", "agency.json"),
];

/// Of coordinators.
const OF_COORDINATORS: [(&str, &str); 1] = [("/_admin/cluster/health", "cluster-health.json")];

fn pages(role: &str) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let own: [&[(&str, &str)]; 2] = match Role::of_name(role) {
        Some(Role::Single) => [&FOR_CLIENTS, &[]],
        Some(Role::Coordinator) => [&FOR_CLIENTS, &OF_COORDINATORS],
        Some(Role::Agent) => [&OF_AGENTS, &[]],
        Some(Role::DbServer) | None => [&[], &[]],
    };
    OF_ALL.iter().chain(own.into_iter().flatten())
}

/// How long each may take.
const LIMIT: Duration = Duration::from_secs(5);

pub(crate) fn evidence(view: &View) -> Vec<Evidence> {
    let authorization = auth::of_superuser(view);
    view.servers()
        .flat_map(|(server, place)| {
            let authorization = authorization.clone();
            pages(&place.role).map(move |(path, file)| Evidence::Http {
                server: server.clone(),
                request: match &authorization {
                    Some(shown) => Request::get(*path).header("authorization", shown.reveal()),
                    None => Request::get(*path),
                },
                save_as: format!("{server}-{file}"),
                limit: LIMIT,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::system::tests::{cluster_view, view};

    #[test]
    fn evidence_shows_no_secret_and_no_file_twice() {
        check(&view(), 7, "single-1-users.json");
        check(
            &cluster_view(3, 2, 1),
            3 * 6 + 2 * 4 + 8,
            "agent-3-agency.json",
        );
    }

    fn check(view: &View, count: usize, file: &str) {
        let all = evidence(view);
        let shown = format!("{all:?}");
        assert!(
            !shown.contains(auth::superuser_token(view).reveal()),
            "{shown}"
        );
        let files: HashSet<&String> = all
            .iter()
            .filter_map(|one| match one {
                Evidence::Http { save_as, .. } => Some(save_as),
                _ => None,
            })
            .collect();
        assert_eq!((all.len(), files.len()), (count, count));
        assert!(files.contains(&file.to_owned()));
    }
}
