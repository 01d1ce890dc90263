//! Views and analyzers left behind in the database that every test shares. Those of other databases go with them.

use armadillo_orchestrator::View;

use super::named::{Named, Thing};
use crate::client::{ArangoClient, ArangoError, SYSTEM_DATABASE};
use crate::purge::implemented;

/// Views and analyzers of `_system`.
pub(super) struct Views;

impl Named for Views {
    const NAME: &'static str = "views";
    const LEFT_BEHIND: &'static str = "left behind in _system";
    const OF_NO_TEST: &'static str = "in _system, of no test";

    async fn list(view: &View) -> Result<Vec<Thing>, ArangoError> {
        let system = ArangoClient::superuser(view).database(SYSTEM_DATABASE);
        let thing = |kind: &str, name: &str| Thing {
            name: name.to_owned(),
            shown: format!("{kind} {name}"),
        };
        let views = implemented(system.views().await)?.into_iter();
        let mut all: Vec<Thing> = views.map(|view| thing("view", &view.name)).collect();
        let analyzers = implemented(system.analyzers().await)?.into_iter();
        let analyzers = analyzers.filter(|analyzer| !analyzer.is_built_in());
        all.extend(analyzers.map(|analyzer| thing("analyzer", analyzer.short_name())));
        Ok(all)
    }

    fn is_of_server(_name: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Checker;

    use super::super::named::{OfLease, Unexpected};
    use super::*;
    use crate::scripted::{answer, run};

    const VIEWS: &str = r#"{"result":[
        {"id":"1","name":"v_1f3a9c20","type":"arangosearch"},
        {"id":"2","name":"products_00c0ffee_1","type":"search-alias"},
        {"id":"3","name":"same","type":"arangosearch"}]}"#;

    const ANALYZERS: &str = r#"{"result":[
        {"name":"identity","type":"identity","properties":{},"features":[]},
        {"name":"_system::a_1f3a9c20","type":"identity","properties":{},"features":[]},
        {"name":"_system::words_00c0ffee_1","type":"text","properties":{},"features":["norm"]}]}"#;

    fn checked(checker: &dyn Checker, answers: [(u16, &str); 2]) -> Result<(), String> {
        let answers = answers.map(|(status, body)| answer(status, body));
        run(answers.into(), async |view| {
            checker.check(&view, "1f3a9c20").await
        })
        .0
    }

    #[test]
    fn each_scope_finds_its_own() {
        let both = [(200, VIEWS), (200, ANALYZERS)];
        assert_eq!(
            checked(&OfLease::<Views>::ALL, both),
            Err("left behind in _system: view v_1f3a9c20, analyzer a_1f3a9c20".into())
        );
        assert_eq!(
            checked(&Unexpected::<Views>::ALL, both),
            Err("in _system, of no test: view v_1f3a9c20, view same, analyzer a_1f3a9c20".into())
        );
    }

    #[test]
    fn what_a_server_lacks_nobody_left_there() {
        let lacks = r#"{"error":true,"code":501,"errorNum":501,"errorMessage":"the emulator"}"#;
        assert_eq!(
            checked(&OfLease::<Views>::ALL, [(501, lacks), (501, lacks)]),
            Ok(())
        );
        let error = checked(&OfLease::<Views>::ALL, [(501, lacks), (503, "{}")]).unwrap_err();
        assert!(error.starts_with("cannot check: "), "{error}");
    }
}
