//! A dbserver that was cleaned out: it gets no shards any more, and nothing takes that back.

use std::time::Duration;

use armadillo_orchestrator::{Checker, Fut, Scope, View};
use serde_json::Value;

use crate::agency::Agency;
use crate::members;
use crate::topology::CLUSTER;

/// Where the supervision keeps the ids of such servers (`CleanOutServer.cpp`).
const CLEANED: &str = "/arango/Target/CleanedServers";

/// How long the agency may be without a leader meanwhile.
const LIMIT: Duration = Duration::from_secs(10);

/// No dbserver of a cluster may have been cleaned out.
pub(super) struct CleanedOut;

impl Checker for CleanedOut {
    fn name(&self) -> &'static str {
        "cleaned_out"
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            if view.topology.shape != CLUSTER {
                return Ok(());
            }
            let agency = Agency::new(view).with_limit(LIMIT);
            let tree = agency.read(&[CLEANED, members::SUPERVISED]).await;
            let tree = tree.map_err(|error| format!("cannot check: {error}"))?;
            let servers = tree.pointer(CLEANED).and_then(Value::as_array);
            let ids = servers.into_iter().flatten().filter_map(Value::as_str);
            let names = ids.map(|id| members::name_of(&tree, view, id).to_string());
            let names: Vec<String> = names.collect();
            if names.is_empty() {
                Ok(())
            } else {
                Err(format!("cleaned out: {}", names.join(", ")))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{answer, run, run_as};
    use crate::system::tests::cluster_view;

    #[test]
    fn a_server_that_was_cleaned_out_is_named() {
        let (single, _) = run(vec![], async |view| CleanedOut.check(&view, "").await);
        assert_eq!(single, Ok(()));
        let checked = |servers: &str| {
            let tree = format!(
                r#"[{{"arango":{{"Target":{{"CleanedServers":{servers}}},
                "Supervision":{{"Health":{{"PRMR-1":{{"Endpoint":"tcp://127.0.0.1:10002"}}}}}}}}}}]"#
            );
            let check = async |view: View| CleanedOut.check(&view, "").await;
            run_as(cluster_view(1, 1, 1), vec![answer(200, &tree)], check).0
        };
        assert_eq!(checked("[]"), Ok(()));
        assert_eq!(
            checked(r#"["PRMR-1","PRMR-9"]"#),
            Err("cleaned out: dbserver-1, PRMR-9".to_owned())
        );
    }
}
