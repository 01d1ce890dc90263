//! Keys that tests wrote into the agency and left there. The cluster's own are all below `/arango`.

use std::time::Duration;

use armadillo_orchestrator::{Checker, Fut, Scope, View};
use serde_json::Value;

use crate::agency::Agency;
use crate::topology::CLUSTER;

/// How long the agency may take to say it.
const LIMIT: Duration = Duration::from_secs(10);

/// What else there may be: arangod's Starter keeps its own there (`agency` package of `arangodb-helper/arangodb`).
const OTHERS: [&str; 2] = ["arango", "arangodb-helper"];

/// No key may be in the agency that neither the cluster nor the Starter keeps.
pub(super) struct Strange;

impl Checker for Strange {
    fn name(&self) -> &'static str {
        "agency"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            if view.topology.shape != CLUSTER {
                return Ok(());
            }
            let agency = Agency::new(view).with_limit(LIMIT);
            let tree = agency.read(&["/"]).await;
            let tree = tree.map_err(|error| format!("cannot check: {error}"))?;
            let found = strange(&tree);
            if found.is_empty() {
                return Ok(());
            }
            Err(format!("keys left in the agency: {}", found.join(", ")))
        })
    }
}

/// The shortest paths that lead to nothing else. A node that has become empty is nobody's loss.
fn strange(tree: &Value) -> Vec<String> {
    let roots = tree.as_object().into_iter().flatten();
    let mut found = Vec::new();
    for (name, below) in roots {
        // The agency's own begin with a dot.
        if !OTHERS.contains(&name.as_str()) && !name.starts_with('.') {
            leaves(&format!("/{name}"), below, &mut found);
        }
    }
    found
}

fn leaves(path: &str, node: &Value, found: &mut Vec<String>) {
    match node {
        Value::Object(children) => children
            .iter()
            .for_each(|(name, below)| leaves(&format!("{path}/{name}"), below, found)),
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run, run_as};
    use crate::system::tests::cluster_view;

    #[test]
    fn keys_of_nobody_are_named() {
        let (single, _) = run(vec![], async |view| Strange.check(&view, "").await);
        assert_eq!(single, Ok(()));
        let checked = |tree: &str| {
            let check = async |view: View| Strange.check(&view, "").await;
            run_as(cluster_view(1, 1, 1), vec![answer(200, tree)], check).0
        };
        let clean = r#"[{"arango":{"Plan":{"Version":7}},".agency":{"a":1},"arangodb-helper":{"x":1},"tests":{}}]"#;
        assert_eq!(checked(clean), Ok(()));
        let left = r#"[{"arango":{},"stray":1,"tests":{"c":{"a":[1],"b":{}},"d":null}}]"#;
        assert_eq!(
            checked(left),
            Err("keys left in the agency: /stray, /tests/c/a, /tests/d".into())
        );
    }
}
