//! Users left behind.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::ArangoClient;
use crate::names::{carries, is_kept};

/// Users whose name carries the lease.
pub(super) struct OfLease;

impl Checker for OfLease {
    fn name(&self) -> &'static str {
        "users"
    }

    fn scope(&self) -> Scope {
        Scope::Lease
    }

    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            verdict(
                "users left behind",
                named(view, |name| carries(name, lease)).await,
            )
        })
    }
}

/// Users that a fresh deployment does not have.
pub(super) struct Unexpected;

impl Checker for Unexpected {
    fn name(&self) -> &'static str {
        "users"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let strange = |name: &str| name != "root" && !is_kept(name, view);
            verdict("users that no test owns", named(view, strange).await)
        })
    }
}

async fn named(
    view: &View,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, crate::client::ArangoError> {
    let users = ArangoClient::superuser(view).users().await?;
    let names = users.into_iter().map(|user| user.name);
    Ok(names.filter(|name| wanted(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    const LIST: &str = r#"{"result":[{"user":"root","active":true},{"user":"reader_00c0ffee_1","active":true},
        {"user":"t_1f3a9c20_u","active":true},{"user":"stray","active":false}]}"#;

    fn checked(checker: impl Checker) -> Result<(), String> {
        run(vec![answer(200, LIST)], async |view| {
            checker.check(&view, "1f3a9c20").await
        })
        .0
    }

    #[test]
    fn each_scope_finds_its_own() {
        assert_eq!(
            checked(OfLease),
            Err("users left behind: t_1f3a9c20_u".into())
        );
        assert_eq!(
            checked(Unexpected),
            Err("users that no test owns: t_1f3a9c20_u, stray".into())
        );
    }
}
