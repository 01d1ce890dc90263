//! Collections left behind in the database that every test shares.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::{ArangoClient, SYSTEM_DATABASE};
use crate::names::{carries, is_kept};

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

/// Collections of `_system` that a fresh deployment does not have. Those of the server begin with an underscore.
pub(super) struct Unexpected;

impl Checker for Unexpected {
    fn name(&self) -> &'static str {
        "collections"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let system = ArangoClient::superuser(view).database(SYSTEM_DATABASE);
            let found = system.collections().await.map(|all| {
                all.into_iter()
                    .filter(|name| !name.starts_with('_') && !is_kept(name, view))
                    .collect()
            });
            verdict("collections of _system that no test owns", found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    #[test]
    fn each_scope_finds_its_own() {
        let body = r#"{"result":[{"name":"c_1f3a9c20"},{"name":"c_00c0ffee"},{"name":"same"},{"name":"_jobs"}]}"#;
        let checked = |checker: &dyn Checker| {
            run(vec![answer(200, body)], async |view| {
                checker.check(&view, "1f3a9c20").await
            })
            .0
        };
        assert_eq!(
            checked(&OfLease),
            Err("collections left behind in _system: c_1f3a9c20".into())
        );
        assert_eq!(
            checked(&Unexpected),
            Err("collections of _system that no test owns: c_1f3a9c20, same".into())
        );
    }
}
