//! Collections left behind in the database that every test shares.

use armadillo_orchestrator::View;

use super::named::{Named, Thing};
use crate::client::{ArangoClient, ArangoError, SYSTEM_DATABASE};

/// Collections of `_system`. Those of the server begin with an underscore.
pub(super) struct Collections;

impl Named for Collections {
    const NAME: &'static str = "collections";
    const LEFT_BEHIND: &'static str = "collections left behind in _system";
    const OF_NO_TEST: &'static str = "collections of _system that no test owns";

    async fn list(view: &View) -> Result<Vec<Thing>, ArangoError> {
        let system = ArangoClient::superuser(view).database(SYSTEM_DATABASE);
        let all = system.collections().await?;
        Ok(all.into_iter().map(Thing::from).collect())
    }

    fn is_of_server(name: &str) -> bool {
        name.starts_with('_')
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Checker;

    use super::super::named::{OfLease, Unexpected};
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
            checked(&OfLease::<Collections>::ALL),
            Err("collections left behind in _system: c_1f3a9c20".into())
        );
        assert_eq!(
            checked(&Unexpected::<Collections>::ALL),
            Err("collections of _system that no test owns: c_1f3a9c20, same".into())
        );
    }
}
