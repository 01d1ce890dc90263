//! A deployment that nobody uses must be healthy: the supervision content with every server, and every shard in sync.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use crate::health;

/// Whatever keeps the deployment from being healthy.
pub(super) struct Unhealthy;

impl Checker for Unhealthy {
    fn name(&self) -> &'static str {
        "health"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let missing = health::health(view).await.missing();
            if missing.is_empty() {
                Ok(())
            } else {
                Err(missing.join("; "))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::run;

    #[test]
    fn what_is_missing_is_named() {
        let (found, _) = run(vec![], async |view| Unhealthy.check(&view, "").await);
        assert_eq!(
            found,
            Err("single-1 is failed: connection refused".to_owned())
        );
    }
}
