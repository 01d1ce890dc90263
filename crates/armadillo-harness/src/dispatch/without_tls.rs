//! What `--tls` does not reach.

use std::collections::BTreeSet;

use armadillo_orchestrator::Settings;
use armadillo_orchestrator::tls::TLS;

use super::programs::Needing;

/// Says which systems of a run with `--tls` do without, because they do not use TLS or somebody else started them.
pub(super) fn note(tests: &[Needing], settings: &Settings) -> Option<String> {
    if !settings.is_on(TLS) {
        return None;
    }
    let topologies = tests
        .iter()
        .flat_map(|(_, needs)| needs)
        .map(|need| &need.topology);
    let without: BTreeSet<&str> = topologies
        .filter(|topology| !topology.says(TLS))
        .map(|topology| topology.system.as_str())
        .collect();
    if without.is_empty() {
        return None;
    }
    let systems = without.into_iter().collect::<Vec<_>>().join(", ");
    Some(format!("--tls has no effect on deployments of {systems}"))
}
