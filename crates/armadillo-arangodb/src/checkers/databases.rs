//! Databases left behind.

use armadillo_orchestrator::View;

use super::named::{Named, Thing};
use crate::client::{ArangoClient, ArangoError, SYSTEM_DATABASE};

/// Databases.
pub(super) struct Databases;

impl Named for Databases {
    const NAME: &'static str = "databases";
    const LEFT_BEHIND: &'static str = "databases left behind";
    const OF_NO_TEST: &'static str = "databases that no test owns";

    async fn list(view: &View) -> Result<Vec<Thing>, ArangoError> {
        let all = ArangoClient::superuser(view).databases().await?;
        Ok(all.into_iter().map(Thing::from).collect())
    }

    fn is_of_server(name: &str) -> bool {
        name == SYSTEM_DATABASE
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Checker;

    use super::super::named::{OfLease, Unexpected};
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
            checked(OfLease::<Databases>::ALL, LIST, 200),
            Err("databases left behind: t_1f3a9c20_a".into())
        );
        assert_eq!(
            checked(Unexpected::<Databases>::ALL, LIST, 200),
            Err("databases that no test owns: t_1f3a9c20_a, stray".into())
        );
        let clean = r#"{"result":["_system","products_00c0ffee_1"]}"#;
        assert_eq!(checked(OfLease::<Databases>::ALL, clean, 200), Ok(()));
        assert_eq!(checked(Unexpected::<Databases>::ALL, clean, 200), Ok(()));
    }

    #[test]
    fn not_being_able_to_look_is_not_clean() {
        let error = checked(OfLease::<Databases>::ALL, "{}", 503).unwrap_err();
        assert!(error.starts_with("cannot check: "), "{error}");
        assert_eq!(
            checked(OfLease::<Databases>::ALL, "{}", 501),
            Ok(()),
            "there can be none"
        );
    }
}
