//! Stream transactions left open: they hold locks, and carry nobody's name.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::{ArangoClient, ArangoError};

/// Open transactions of any database.
pub(super) struct Open;

impl Checker for Open {
    fn name(&self) -> &'static str {
        "transactions"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move { verdict("open transactions", open(view).await) })
    }
}

/// Each as `database/id`. A database that goes away meanwhile has none.
async fn open(view: &View) -> Result<Vec<String>, ArangoError> {
    let client = ArangoClient::superuser(view);
    let mut found = Vec::new();
    for name in client.databases().await? {
        match client.database(&name).open_transactions().await {
            Ok(ids) => found.extend(ids.into_iter().map(|id| format!("{name}/{id}"))),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    #[test]
    fn every_database_is_looked_at() {
        let answers = vec![
            answer(200, r#"{"result":["_system","a","b"]}"#),
            answer(200, r#"{"transactions":[]}"#),
            answer(
                200,
                r#"{"transactions":[{"id":"74784","state":"running"}]}"#,
            ),
            answer(
                404,
                r#"{"error":true,"errorNum":1228,"errorMessage":"database not found"}"#,
            ),
        ];
        let (found, seen) = run(answers, async |view| Open.check(&view, "").await);
        assert_eq!(found, Err("open transactions: a/74784".into()));
        assert_eq!(seen[2].line, "GET /_db/a/_api/transaction");
    }
}
