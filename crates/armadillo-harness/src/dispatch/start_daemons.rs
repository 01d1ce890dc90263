//! Starts the daemons that a run needs: for its workers, and for its deployments.

use std::path::Path;

use armadillo_orchestrator::duration::millis;
use armadillo_orchestrator::random::hex;
use armadillo_orchestrator::{Secret, run_dir};

use super::children::Children;
use super::daemon_process::DaemonProcess;
use super::daemons::Daemons;
use super::prepare::{absolute, no_random_numbers};
use super::programs::Found;
use super::run_directory::RunDirectory;
use super::shared::{Place, Scope};
use super::{RunnerError, environment, shared};
use crate::clock::Origin;
use crate::event::RunStarted;
use crate::group;
use crate::options::{Isolation, Options};
use crate::plan::Plan;
use crate::protocol::start::{Lifeline, Start};

/// What a run says of itself to its daemons.
pub(super) struct Said<'a> {
    pub(super) options: &'a Options,
    pub(super) plan: &'a Plan,
    pub(super) found: &'a Found,
    pub(super) isolation: Isolation,
    pub(super) started: &'a RunStarted,
    pub(super) directory: &'a RunDirectory,
    /// The directory of all runs.
    pub(super) parent: &'a Path,
    pub(super) origin: Origin,
    pub(super) depth: u32,
    pub(super) memory_mib: u64,
    pub(super) children: &'a Children,
    /// What proves that events come from the runner.
    pub(super) journal: &'a Secret,
}

/// Starts them, and finds one that is shared.
pub(super) fn start(said: &Said<'_>) -> Result<Daemons, RunnerError> {
    let mut daemons = Daemons {
        factor: said.options.running.timeout_factor,
        ..Daemons::default()
    };
    let processes = matches!(said.isolation, Isolation::Workers | Isolation::Process);
    if said.plan.tests.is_empty() || (!processes && said.plan.topologies.is_empty()) {
        return Ok(daemons);
    }
    if let Some(named) = &said.options.running.runtime_directory {
        run_dir::settle_in(&absolute(named.clone())?);
    }
    run_dir::check()?;
    // Who shares slots with others waits for them even if its tests need no deployment.
    let is_needed = |scope: &Scope| scope.shares_slots() || !said.plan.topologies.is_empty();
    let scope = scope(said)?.filter(is_needed);
    if processes || scope.is_none() {
        let log = said.directory.path.join("daemon.log");
        let orders = orders(said)?;
        daemons.own = Some(DaemonProcess::start(
            &orders,
            &log,
            said.depth,
            said.children,
        )?);
    }
    if let Some(scope) = scope {
        let orders = Start {
            run: hex::<4>().map_err(no_random_numbers)?,
            keep_on_failure: false,
            ..orders(said)?
        };
        let place = Place {
            runs: said.parent,
            group: said.directory.group.as_deref(),
            terms: shared::terms(said.options),
        };
        daemons.shared = Some(scope.daemon(orders, &place, said.depth, said.children)?);
    }
    Ok(daemons)
}

/// Who shares the deployments of this run, if they are not its own: later runs, or the other tests of a nextest run, each of
/// which is a process.
fn scope(said: &Said<'_>) -> Result<Option<Scope>, RunnerError> {
    let running = &said.options.running;
    if said.options.command.is_some() || !said.plan.attached.is_empty() {
        return Ok(None);
    }
    if environment::is_nextest() {
        let here = matches!(said.isolation, Isolation::InProcess | Isolation::None);
        // What a failed test leaves is to stay as it is, and others would use it.
        let shares = here && !running.keep_on_failure;
        return Ok(shares.then(Scope::of_nextest).flatten());
    }
    if let Some(idle) = running.reuse {
        if running.keep_on_failure {
            return Err(RunnerError::Reuse);
        }
        return Ok(Some(Scope::Reuse { idle }));
    }
    Ok(group::own()
        .filter(|_| !running.keep_on_failure)
        .map(Scope::Group))
}

fn orders(said: &Said<'_>) -> Result<Start, RunnerError> {
    let working_directory = std::env::current_dir().map_err(|source| RunnerError::Os {
        action: "tell the working directory",
        source,
    })?;
    let running = &said.options.running;
    Ok(Start {
        version: crate::protocol::VERSION,
        lifeline: Lifeline::Runner,
        directory: said.directory.path.clone(),
        group: None,
        run: said.started.run.clone(),
        runner: std::process::id(),
        journal: said.journal.clone(),
        origin: said.origin,
        working_directory,
        settings: said.options.settings.clone(),
        programs: said.found.found.clone(),
        checkers: said.options.checkers.clone(),
        memory_mib: said.memory_mib,
        shares_memory: running.memory_mib.is_none(),
        hidden_variables: environment::hidden_variables(),
        keep_on_failure: running.keep_on_failure,
        timeout_factor: running.timeout_factor,
        cgroup: running.cgroup,
        sample_every_ms: running.sample_every.map(millis),
        cores: running.cores,
        record: running.record.clone(),
    })
}
