//! Users left behind.

use armadillo_orchestrator::View;

use super::named::{Named, Thing};
use crate::client::{ArangoClient, ArangoError};

/// Users.
pub(super) struct Users;

impl Named for Users {
    const NAME: &'static str = "users";
    const LEFT_BEHIND: &'static str = "users left behind";
    const OF_NO_TEST: &'static str = "users that no test owns";

    async fn list(view: &View) -> Result<Vec<Thing>, ArangoError> {
        let all = ArangoClient::superuser(view).users().await?;
        Ok(all.into_iter().map(|user| Thing::from(user.name)).collect())
    }

    fn is_of_server(name: &str) -> bool {
        name == "root"
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Checker;

    use super::super::named::{OfLease, Unexpected};
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
            checked(OfLease::<Users>::ALL),
            Err("users left behind: t_1f3a9c20_u".into())
        );
        assert_eq!(
            checked(Unexpected::<Users>::ALL),
            Err("users that no test owns: t_1f3a9c20_u, stray".into())
        );
    }
}
