//! Removes what a test left: everything whose name carries its lease.

use armadillo_orchestrator::View;

use crate::client::{ArangoClient, ArangoError, SYSTEM_DATABASE};
use crate::names::carries;

/// Removes databases with all that is in them, users, and views, collections and analyzers of `_system`, and says which.
pub(crate) async fn purge(view: &View, lease: &str) -> Result<Vec<String>, ArangoError> {
    let client = ArangoClient::superuser(view);
    let mut removed = Vec::new();
    for name in client.databases().await? {
        if carries(&name, lease) && gone(client.drop_database(&name).await)? {
            removed.push(format!("database {name}"));
        }
    }
    for user in client.users().await? {
        if carries(&user.name, lease) && gone(client.remove_user(&user.name).await)? {
            removed.push(format!("user {}", user.name));
        }
    }
    let system = client.database(SYSTEM_DATABASE);
    // Views use collections, and both use analyzers.
    for found in implemented(system.views().await)? {
        let name = found.name;
        if carries(&name, lease) && gone(system.view(&name).drop().await)? {
            removed.push(format!("view {name} of {SYSTEM_DATABASE}"));
        }
    }
    for name in implemented(system.collections().await)? {
        if carries(&name, lease) && gone(system.collection(&name).drop().await)? {
            removed.push(format!("collection {name} of {SYSTEM_DATABASE}"));
        }
    }
    for analyzer in implemented(system.analyzers().await)? {
        let name = analyzer.short_name();
        if carries(name, lease) && gone(system.drop_analyzer(name, true).await)? {
            removed.push(format!("analyzer {name} of {SYSTEM_DATABASE}"));
        }
    }
    Ok(removed)
}

/// What was listed; nothing where a server does not implement the list, because nobody can have left anything there.
pub(crate) fn implemented<T>(listed: Result<Vec<T>, ArangoError>) -> Result<Vec<T>, ArangoError> {
    match listed {
        Err(error) if error.is_not_implemented() => Ok(Vec::new()),
        listed => listed,
    }
}

/// Whether it was removed now; false if somebody else did it meanwhile.
fn gone(result: Result<(), ArangoError>) -> Result<bool, ArangoError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run};

    #[test]
    fn only_what_carries_the_lease_is_removed() {
        let ok = || answer(200, r#"{"error":false,"code":200,"result":true}"#);
        let answers = vec![
            answer(
                200,
                r#"{"result":["_system","t_1f3a9c20_a","t_00000000_a","t_1f3a9c20_b"]}"#,
            ),
            ok(),
            answer(
                404,
                r#"{"error":true,"code":404,"errorNum":1228,"errorMessage":"database not found"}"#,
            ),
            answer(
                200,
                r#"{"result":[{"user":"root","active":true},{"user":"t_1f3a9c20_u","active":true}]}"#,
            ),
            answer(202, r#"{"error":false,"code":202}"#),
            answer(
                200,
                r#"{"result":[{"id":"1","name":"v_1f3a9c20","type":"arangosearch"},{"id":"2","name":"v","type":"search-alias"}]}"#,
            ),
            ok(),
            answer(
                200,
                r#"{"result":[{"name":"c_1f3a9c20"},{"name":"other"}]}"#,
            ),
            ok(),
            answer(
                200,
                r#"{"result":[{"name":"identity","type":"identity","properties":{}},
                    {"name":"_system::a_1f3a9c20","type":"text","properties":{},"features":[]}]}"#,
            ),
            ok(),
        ];
        let (removed, seen) = run(answers, async |view| purge(&view, "1f3a9c20").await);
        assert_eq!(
            removed.unwrap(),
            [
                "database t_1f3a9c20_a",
                "user t_1f3a9c20_u",
                "view v_1f3a9c20 of _system",
                "collection c_1f3a9c20 of _system",
                "analyzer a_1f3a9c20 of _system"
            ]
        );
        let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "GET /_db/_system/_api/database",
                "DELETE /_db/_system/_api/database/t_1f3a9c20_a",
                "DELETE /_db/_system/_api/database/t_1f3a9c20_b",
                "GET /_db/_system/_api/user",
                "DELETE /_db/_system/_api/user/t_1f3a9c20_u",
                "GET /_db/_system/_api/view",
                "DELETE /_db/_system/_api/view/v_1f3a9c20",
                "GET /_db/_system/_api/collection?excludeSystem=true",
                "DELETE /_db/_system/_api/collection/c_1f3a9c20",
                "GET /_db/_system/_api/analyzer",
                "DELETE /_db/_system/_api/analyzer/a_1f3a9c20?force=true",
            ]
        );
        assert!(
            seen.iter()
                .all(|seen| seen.head.contains("authorization: bearer "))
        );
    }

    #[test]
    fn a_refusal_is_an_error() {
        let answers = vec![answer(503, "{}")];
        let (removed, _) = run(answers, async |view| purge(&view, "1f3a9c20").await);
        assert_eq!(removed.unwrap_err().status(), Some(503));
    }
}
