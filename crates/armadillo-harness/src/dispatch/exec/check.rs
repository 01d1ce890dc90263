//! What makes no sense is said before anything is started.

use std::ffi::OsString;

use armadillo_orchestrator::{Attachment, StaticTopology, Topology, systems};

use super::super::RunnerError;
use super::variables::Variables;
use super::{Body, Exec, child, is_on_command_line};
use crate::needs::MOST;
use crate::options::{Action, Options};
use crate::plan;

/// Refuses what cannot be run.
pub(super) fn check(exec: &Exec, options: &Options) -> Result<(), RunnerError> {
    let refused = |reason: String, help: String| RunnerError::Command { reason, help };
    if options.action != Action::Run || !options.selection.filters.is_empty() {
        let reason = "a flag is about tests, and a command has none".to_owned();
        let help = "`armadillo exec --help` lists the flags".to_owned();
        return Err(refused(reason, help));
    }
    if exec.topologies.is_empty() || exec.topologies.len() > MOST {
        let reason = format!("a command needs at least one topology, and at most {MOST}");
        let help = "`armadillo exec --help` lists them".to_owned();
        return Err(refused(reason, help));
    }
    for topology in &exec.topologies {
        let system = topology.system;
        if Attachment::named(system, &options.settings).is_ok_and(|named| named.is_some()) {
            let reason = format!(
                "this starts its own {system} servers, but --attach-{system} names existing ones"
            );
            let help = "remove the flag, the variable or the line in armadillo.toml; or use the existing servers without \
                        this command";
            return Err(refused(reason, help.to_owned()));
        }
    }
    let topologies = complete(&exec.topologies, options)?;
    let Body::Command { words, variables } = &exec.body else {
        return Ok(());
    };
    Variables::check(variables, &topologies)
        .map_err(|error| refused(error.to_string(), error.help()))?;
    let program = words.first().map(OsString::as_os_str);
    child::find(program.unwrap_or_default())
        .map_err(|error| refused(error.to_string(), error.help()))
}

/// The topologies as they will be started.
fn complete(all: &[StaticTopology], options: &Options) -> Result<Vec<Topology>, RunnerError> {
    // Of a system that is missing, others speak.
    let known = all.iter().filter_map(|topology| {
        let system = armadillo_orchestrator::system(topology.system)?;
        Some((system, topology.to_topology()))
    });
    known
        .map(|(system, wish)| {
            let complete = plan::complete_by(system, &wish, &options.settings);
            complete.map_err(RunnerError::Topology)
        })
        .collect()
}

/// Which flags on the command line do not concern any of these topologies.
pub(super) fn without_effect(topologies: &[StaticTopology], options: &Options) -> Vec<String> {
    let systems = systems();
    let is_of_systems = |name: &str| {
        let mut flags = systems.iter().flat_map(|system| system.flags());
        flags.any(|flag| flag.name == name)
    };
    let concerns = |name: &str, topology: &StaticTopology| {
        let system = armadillo_orchestrator::system(topology.system);
        system.is_some_and(|system| {
            system.flags().iter().any(|flag| flag.name == name)
                && system.concerns(name, topology.shape)
        })
    };
    let given = options.said.keys().filter(|name| {
        is_on_command_line(options, name)
            && is_of_systems(name)
            && !topologies.iter().any(|topology| concerns(name, topology))
    });
    given
        .map(|name| {
            format!("--{name} has no effect: none of the topologies on the command line uses it")
        })
        .collect()
}
