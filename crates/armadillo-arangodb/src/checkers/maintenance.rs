//! A cluster whose supervision was left switched off: nobody would be failed over in the tests to come.

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::ArangoClient;
use crate::members;
use crate::topology::CLUSTER;

/// The supervision of a cluster must be switched on.
pub(super) struct SwitchedOff;

impl Checker for SwitchedOff {
    fn name(&self) -> &'static str {
        "supervision"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            if view.topology.shape != CLUSTER {
                return Ok(());
            }
            let mode = members::supervision_mode(&ArangoClient::superuser(view)).await;
            let found = mode.map(|mode| (mode != "Normal").then_some(mode).into_iter().collect());
            verdict("the supervision was left in a different mode", found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run, run_as};
    use crate::system::tests::cluster_view;

    #[test]
    fn only_clusters_have_a_supervision_and_it_must_be_on() {
        let (single, _) = run(vec![], async |view| SwitchedOff.check(&view, "").await);
        assert_eq!(single, Ok(()));
        let checked = |mode: &str| {
            let body = format!(r#"{{"error":false,"result":"{mode}"}}"#);
            let check = async |view: View| SwitchedOff.check(&view, "").await;
            run_as(cluster_view(1, 1, 1), vec![answer(200, &body)], check)
        };
        let (normal, seen) = checked("Normal");
        assert_eq!(normal, Ok(()));
        assert_eq!(seen[0].line, "GET /_admin/cluster/maintenance");
        let (off, _) = checked("Maintenance");
        let expected = "the supervision was left in a different mode: Maintenance";
        assert_eq!(off, Err(expected.into()));
    }
}
