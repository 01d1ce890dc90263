//! Collections left behind in the database that every test shares.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::{ArangoClient, SYSTEM_DATABASE};
use crate::names::carries;

/// Collections of `_system` whose name carries the lease.
pub(super) struct OfLease;

impl Checker for OfLease {
    fn name(&self) -> &'static str {
        "collections"
    }

    fn scope(&self) -> Scope {
        Scope::Lease
    }

    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let system = ArangoClient::superuser(view).database(SYSTEM_DATABASE);
            let found = system.collections().await.map(|all| {
                all.into_iter()
                    .filter(|name| carries(name, lease))
                    .collect()
            });
            verdict("collections left behind in _system", found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    #[test]
    fn only_those_of_the_lease_are_found() {
        let body = r#"{"result":[{"name":"c_1f3a9c20"},{"name":"c_00000000"}]}"#;
        let (found, _) = run(vec![answer(200, body)], async |view| {
            OfLease.check(&view, "1f3a9c20").await
        });
        assert_eq!(
            found,
            Err("collections left behind in _system: c_1f3a9c20".into())
        );
    }
}
