//! `--doctor`: what Armadillo assumes of this machine and of the programs, tried out one by one.

mod machine;
mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use armadillo_orchestrator::doctor::{Assumption, Finding, in_the_way};
use armadillo_orchestrator::random::hex;
use armadillo_orchestrator::{Answers, Program, Programs, Secret, System, run_dir};

use super::children::Children;
use super::daemon_process::DaemonProcess;
use super::environment::{self, Main};
use super::{RunnerError, run_directory};
use crate::client::{AskError, DaemonClient, WITHOUT_LIMIT};
use crate::clock::Origin;
use crate::exit_code::Exit;
use crate::options::Options;
use crate::protocol::doctor::TryOut;
use crate::protocol::endpoints::{self, Done, StopTryingOut};
use crate::protocol::start::{Lifeline, Start};
use report::{Line, Report};

/// The stage in which the program itself is looked at.
const PROGRAM: &str = "program";

/// How many megabytes of free memory the deployments are thought to need.
const MEMORY_MIB: u64 = 4096;

/// Tries everything out, or what the filters select. What does not hold is a failure, as that of a test.
pub(super) fn run(options: &Options, depth: u32) -> Result<Exit, RunnerError> {
    let begun = Instant::now();
    let mut report = Report::default();
    let parent = super::prepare::absolute(run_directory::parent(
        options.running.output_directory.as_deref(),
    ))?;
    if let Some(named) = &options.running.runtime_directory {
        run_dir::settle_in(&super::prepare::absolute(named.clone())?);
    }
    report.heading("this machine");
    for look in machine::all().filter(|look| is_wanted(options, &look.full_name())) {
        report.add(look.at(&parent));
    }
    let systems: Vec<Wanted> = systems(options);
    let children = Children::watch(Main::Ours);
    let mut programs = Programs::default();
    for wanted in &systems {
        report.heading(wanted.system.name());
        look_at_program(wanted.system, options, &mut programs, &mut report);
    }
    children.end_inherited("");
    let has_program = |wanted: &Wanted| {
        programs
            .iter()
            .any(|(name, _, _)| name == wanted.system.name())
    };
    let (found, lost): (Vec<Wanted>, Vec<Wanted>) = systems.into_iter().partition(has_program);
    for wanted in &lost {
        for assumption in &wanted.assumptions {
            let finding = Finding::NotReached(vec![PROGRAM]);
            report.add(line_of(wanted.system, assumption, finding, Instant::now()));
        }
    }
    if found.iter().any(|wanted| !wanted.assumptions.is_empty()) {
        check_all(
            options,
            depth,
            (&parent, &children),
            (&found, &programs),
            &mut report,
        )?;
    }
    if let Some(path) = &options.doctor_file {
        report.write(path).map_err(|source| RunnerError::Os {
            action: "write the file of --json",
            source,
        })?;
    }
    Ok(report.end(begun.elapsed()))
}

/// A system of which something is to be tried out.
struct Wanted {
    system: &'static dyn System,
    assumptions: Vec<&'static Assumption>,
}

/// The systems of which something was selected.
fn systems(options: &Options) -> Vec<Wanted> {
    let all = armadillo_orchestrator::systems().into_iter();
    let wanted = all
        .filter(|system| !system.assumptions().is_empty())
        .map(|system| {
            let name = |assumption: &Assumption| format!("{}.{}", system.name(), assumption.name);
            let assumptions = system.assumptions().iter();
            Wanted {
                system,
                assumptions: assumptions
                    .filter(|known| is_wanted(options, &name(known)))
                    .collect(),
            }
        });
    let program = |system: &dyn System| format!("{}.{PROGRAM}", system.name());
    wanted
        .filter(|wanted| {
            !wanted.assumptions.is_empty() || is_wanted(options, &program(wanted.system))
        })
        .collect()
}

/// Whether the filters select what has this name, as they select tests.
fn is_wanted(options: &Options, name: &str) -> bool {
    let selection = &options.selection;
    let matches = |filter: &String| {
        if selection.exact {
            name == filter
        } else {
            name.contains(filter.as_str())
        }
    };
    (selection.filters.is_empty() || selection.filters.iter().any(matches))
        && !selection.skip.iter().any(matches)
}

/// Tries out what is assumed of the systems that have a program, on servers of a daemon.
fn check_all(
    options: &Options,
    depth: u32,
    (parent, children): (&Path, &Children),
    (found, programs): (&[Wanted], &Programs),
    report: &mut Report,
) -> Result<(), RunnerError> {
    let run = hex::<4>().map_err(super::prepare::no_random_numbers)?;
    let mut directory = run_directory::make(parent, &run)?;
    let daemon = start_daemon(options, programs, &run, &directory.path, depth, children)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RunnerError::Os {
            action: "create a runtime",
            source,
        })?;
    let client = DaemonClient::new(&daemon.started.socket);
    let checked: Result<(), AskError> = runtime.block_on(async {
        for wanted in found {
            check(wanted, &client, report).await?;
        }
        let stop = client.ask::<StopTryingOut>(&[], &(), None, WITHOUT_LIMIT);
        let Done {} = stop.await?;
        Ok(())
    });
    daemon.end(children);
    directory.ended(checked.is_ok());
    checked.map_err(|error| RunnerError::Attach(format!("the daemon exited unexpectedly: {error}")))
}

/// Whether the program is there and says its version.
fn look_at_program(
    system: &'static dyn System,
    options: &Options,
    programs: &mut Programs,
    report: &mut Report,
) {
    let begun = Instant::now();
    let name = format!("{}.{PROGRAM}", system.name());
    let finding = match Program::find(system, &options.settings, &mut Answers::default()) {
        Ok(program) => match program.version.clone() {
            Some(version) => {
                let seen = match program.applet() {
                    Some(applet) => format!("{applet} (built in) {version}"),
                    None => format!("{} {version}", program.path.display()),
                };
                report.program(system.name(), &program);
                programs.add(system.name(), None, program);
                Finding::Holds(seen)
            }
            None => Finding::Fails(format!(
                "{} does not report a version of {}",
                program.path.display(),
                system.name()
            )),
        },
        Err(error) => Finding::Fails(
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
    };
    report.add(Line {
        name,
        finding,
        assumes: format!(
            "there is a program of {}, and it says its version",
            system.name()
        ),
        breaks: "nothing can be started".to_owned(),
        advice: system.how_to_get(),
        optional: false,
        took: begun.elapsed(),
    });
}

/// Tries out what is assumed of a system, in order.
async fn check(
    wanted: &Wanted,
    client: &DaemonClient,
    report: &mut Report,
) -> Result<(), AskError> {
    let system = wanted.system;
    let mut findings: Vec<(&'static str, Finding)> = Vec::new();
    let mut stage = "";
    for assumption in &wanted.assumptions {
        if assumption.stage() != stage {
            stage = assumption.stage();
            report.heading(&format!("{}, {stage}", system.name()));
        }
        let begun = Instant::now();
        let missing = in_the_way(assumption, &findings);
        let finding = if missing.is_empty() {
            let wanted = TryOut {
                system: system.name().to_owned(),
                assumption: assumption.name.to_owned(),
            };
            let tried = client
                .ask::<endpoints::TryOut>(&[], &wanted, None, WITHOUT_LIMIT)
                .await?;
            match tried.outcome {
                Ok(seen) => Finding::Holds(seen),
                Err(seen) => Finding::Fails(seen),
            }
        } else {
            Finding::NotReached(missing)
        };
        findings.push((assumption.name, finding.clone()));
        report.add(line_of(system, assumption, finding, begun));
    }
    Ok(())
}

fn line_of(system: &dyn System, assumption: &Assumption, finding: Finding, begun: Instant) -> Line {
    Line {
        name: format!("{}.{}", system.name(), assumption.name),
        finding,
        assumes: assumption.assumes.to_owned(),
        breaks: assumption.breaks.to_owned(),
        advice: assumption.advice.to_owned(),
        optional: false,
        took: begun.elapsed(),
    }
}

fn start_daemon(
    options: &Options,
    programs: &Programs,
    run: &str,
    directory: &Path,
    depth: u32,
    children: &Children,
) -> Result<DaemonProcess, RunnerError> {
    run_dir::check()?;
    let working_directory = PathBuf::from("/");
    let orders = Start {
        version: crate::protocol::VERSION,
        lifeline: Lifeline::Runner,
        group: None,
        directory: directory.to_owned(),
        run: run.to_owned(),
        runner: std::process::id(),
        journal: Secret::new(hex::<16>().map_err(super::prepare::no_random_numbers)?),
        origin: Origin::now(),
        working_directory,
        settings: options.settings.clone(),
        programs: programs.clone(),
        checkers: options.checkers.clone(),
        memory_mib: MEMORY_MIB,
        shares_memory: false,
        hidden_variables: environment::hidden_variables(),
        keep_on_failure: false,
        timeout_factor: options.running.timeout_factor,
        cgroup: options.running.cgroup,
        sample_every_ms: None,
        cores: options.running.cores,
        record: Default::default(),
    };
    let log = directory.join("daemon.log");
    Ok(DaemonProcess::start(&orders, &log, depth, children)?)
}
