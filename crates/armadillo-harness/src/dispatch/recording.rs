//! `--record`: whether servers can be recorded is known before anything starts.

use std::collections::BTreeSet;

use armadillo_orchestrator::recording::Recorder;

use super::RunnerError;
use super::programs::Needing;
use crate::options::Options;

/// Refuses roles that no test's servers have, and machines that cannot record.
pub(super) fn check(tests: &[Needing], options: &Options) -> Result<(), RunnerError> {
    let roles = &options.running.record;
    if roles.is_empty() {
        return Ok(());
    }
    let known = known_roles(tests);
    if let Some(unknown) = roles.iter().find(|role| !known.contains(role.as_str())) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(RunnerError::Recording(format!(
            "--record: no server of the selected tests has the role `{unknown}`; their roles: {known}"
        )));
    }
    Recorder::try_out()
        .map_err(|why| RunnerError::Recording(format!("cannot record servers: {why}")))
}

/// The roles of the servers that the tests need.
fn known_roles(tests: &[Needing]) -> BTreeSet<&'static str> {
    let needs = tests.iter().flat_map(|(_, needs)| needs);
    let plans = needs.filter_map(|need| {
        let system = armadillo_orchestrator::system(&need.topology.system)?;
        Some(system.plan(&need.topology))
    });
    plans.flatten().map(|server| server.role).collect()
}
