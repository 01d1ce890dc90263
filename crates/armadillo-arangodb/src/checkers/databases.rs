//! Databases left behind.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::{ArangoClient, SYSTEM_DATABASE};
use crate::names::{carries, is_kept};

/// Databases whose name carries the lease.
pub(super) struct OfLease;

impl Checker for OfLease {
    fn name(&self) -> &'static str {
        "databases"
    }

    fn scope(&self) -> Scope {
        Scope::Lease
    }

    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let found = ArangoClient::superuser(view).databases().await.map(|all| {
                all.into_iter()
                    .filter(|name| carries(name, lease))
                    .collect()
            });
            verdict("databases left behind", found)
        })
    }
}

/// Databases that a fresh deployment does not have.
pub(super) struct Unexpected;

impl Checker for Unexpected {
    fn name(&self) -> &'static str {
        "databases"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let found = ArangoClient::superuser(view).databases().await.map(|all| {
                all.into_iter()
                    .filter(|name| name != SYSTEM_DATABASE && !is_kept(name, view))
                    .collect()
            });
            verdict("databases that no test owns", found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    const LIST: &str = r#"{"result":["_system","products_00c0ffee_1","t_1f3a9c20_a","stray"]}"#;

    fn checked(checker: impl Checker, body: &str, status: u16) -> Result<(), String> {
        run(vec![answer(status, body)], async |view| {
            checker.check(&view, "1f3a9c20").await
        })
        .0
    }

    #[test]
    fn each_scope_finds_its_own() {
        assert_eq!(
            checked(OfLease, LIST, 200),
            Err("databases left behind: t_1f3a9c20_a".into())
        );
        assert_eq!(
            checked(Unexpected, LIST, 200),
            Err("databases that no test owns: t_1f3a9c20_a, stray".into())
        );
        let clean = r#"{"result":["_system","products_00c0ffee_1"]}"#;
        assert_eq!(checked(OfLease, clean, 200), Ok(()));
        assert_eq!(checked(Unexpected, clean, 200), Ok(()));
    }

    #[test]
    fn not_being_able_to_look_is_not_clean() {
        let error = checked(OfLease, "{}", 503).unwrap_err();
        assert!(error.starts_with("cannot check: "), "{error}");
        assert_eq!(checked(OfLease, "{}", 501), Ok(()), "there can be none");
    }
}
