//! What is fetched from a server when a test failed.

use std::time::Duration;

use armadillo_orchestrator::{Evidence, Request, View};

use crate::auth;

/// Paths, and the files their answers are saved in.
const PAGES: [(&str, &str); 7] = [
    ("/_api/version?details=true", "version.json"),
    ("/_admin/status", "status.json"),
    (
        "/_admin/log/entries?upto=info&size=1000&sort=desc",
        "log-entries.json",
    ),
    ("/_admin/metrics", "metrics.txt"),
    ("/_api/database", "databases.json"),
    ("/_api/transaction", "open-transactions-of-system.json"),
    ("/_api/user", "users.json"),
];

/// How long each may take.
const LIMIT: Duration = Duration::from_secs(5);

pub(crate) fn evidence(view: &View) -> Vec<Evidence> {
    let token = auth::superuser_token(view);
    view.places
        .keys()
        .flat_map(|server| {
            let token = token.clone();
            PAGES.iter().map(move |(path, file)| Evidence::Http {
                server: server.clone(),
                request: Request::get(*path).bearer(&token),
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
    use crate::system::tests::view;

    #[test]
    fn evidence_shows_no_secret_and_no_file_twice() {
        let view = view();
        let all = evidence(&view);
        let shown = format!("{all:?}");
        assert!(
            !shown.contains(auth::superuser_token(&view).reveal()),
            "{shown}"
        );
        let files: HashSet<&String> = all
            .iter()
            .filter_map(|one| match one {
                Evidence::Http { save_as, .. } => Some(save_as),
                _ => None,
            })
            .collect();
        assert_eq!(files.len(), PAGES.len());
        assert!(files.contains(&"single-1-status.json".to_owned()));
    }
}
