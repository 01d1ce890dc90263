//! Which program each needed system has, and what happens to the tests of one that has none.

use std::collections::{BTreeMap, BTreeSet};

use armadillo_orchestrator::{Answers, Program, ProgramError, Programs, Settings, Topology};

use crate::collect::Test;
use crate::event::ProgramInfo;
use crate::needs::Need;
use crate::options::{IgnoredTests, Missing, Options};
use crate::requires;

/// A test with what it needs.
pub(super) type Needing = (Test, Vec<Need>);

/// The programs of a run, and the tests that cannot be run for lack of one, or are not to be.
#[derive(Default)]
pub(super) struct Found {
    pub(super) found: Programs,
    /// Ignored, with the reason.
    pub(super) ignored: Vec<(Test, String)>,
    /// Failed before they began, with the reason.
    pub(super) failed: Vec<(Test, String)>,
    /// Those of both that a machine with other programs would run.
    pub(super) lacking: Vec<Needing>,
}

/// A program that is needed: the system, and the name if a topology names it.
type Wanted = (String, Option<String>);

/// Finds every program that the tests need; what remains in `tests` can be run.
pub(super) fn find(
    tests: &mut Vec<Needing>,
    options: &Options,
    answers: &mut Answers,
) -> Result<Found, ProgramError> {
    let mut found = Found {
        ignored: of_other_deployments(tests, options),
        ..Found::default()
    };
    for ((name, named), role) in wanted(tests) {
        let Some(system) = armadillo_orchestrator::system(&name) else {
            continue;
        };
        if let (Some(attached), None) = (options.settings.attached(&name), &named) {
            found
                .found
                .add(&name, None, Program::attached(system, attached));
            continue;
        }
        let program = match &named {
            Some(program) => Program::find_named(
                system,
                program,
                role,
                &named_by(tests, &(name.clone(), named.clone())),
                &options.settings,
                answers,
            ),
            None => Program::find(system, &options.settings, answers),
        };
        let error = match program {
            Ok(program) => {
                found.found.add(&name, named.as_deref(), program);
                continue;
            }
            Err(error) => error,
        };
        // A program that a setting names, or that does not work, is never passed over.
        let missing = if error.lacks_version() {
            options.missing_said(&name).unwrap_or(Missing::Ignore)
        } else if error.is_missing() {
            options.missing(&name)
        } else {
            Missing::Error
        };
        let list = match missing {
            Missing::Error => return Err(error),
            Missing::Ignore => &mut found.ignored,
            Missing::Fail => &mut found.failed,
        };
        let reason = match missing {
            Missing::Ignore if named.is_some() => first_line(&error.to_string()).to_owned(),
            Missing::Ignore => format!(
                "no {name} program found; {}",
                first_line(&system.how_to_get())
            ),
            _ => error.to_string(),
        };
        let wanted = (name, named);
        let lacks = |(_, needs): &Needing| {
            let wants = |need: &Need| wanted_by(&need.topology).contains_key(&wanted);
            needs.iter().any(wants)
        };
        let lacking: Vec<Needing> = tests.extract_if(.., |test| lacks(test)).collect();
        list.extend((lacking.iter()).map(|(test, _)| (test.clone(), reason.clone())));
        found.lacking.extend(lacking);
    }
    let unmet =
        |(test, needs): &Needing| requires::unmet(test.def, needs, &found.found, &options.settings);
    let lacking: Vec<(Needing, String)> = tests
        .extract_if(.., |test| unmet(test).is_some())
        .filter_map(|needing| unmet(&needing).map(|reason| (needing, reason)))
        .collect();
    for (needing, reason) in lacking {
        found.ignored.push((needing.0.clone(), reason));
        found.lacking.push(needing);
    }
    Ok(found)
}

/// Every program the tests need, with a role that needs it.
fn wanted(tests: &[Needing]) -> BTreeMap<Wanted, &'static str> {
    let topologies: BTreeSet<&Topology> = tests
        .iter()
        .flat_map(|(_, needs)| needs.iter().map(|need| &need.topology))
        .collect();
    topologies.into_iter().flat_map(wanted_by).collect()
}

/// The first test whose topology names this program, and where it is.
fn named_by(tests: &[Needing], wanted: &Wanted) -> String {
    let names = |(_, needs): &&Needing| {
        let wants = |need: &Need| wanted_by(&need.topology).contains_key(wanted);
        needs.iter().any(wants)
    };
    let test = tests.iter().find(names).map(|(test, _)| test);
    test.map_or_else(String::new, |test| {
        format!("the test `{}` ({})", test.name, test.place())
    })
}

/// The programs of one topology, each with a role that needs it.
fn wanted_by(topology: &Topology) -> BTreeMap<Wanted, &'static str> {
    let plan = armadillo_orchestrator::system(&topology.system).map(|system| system.plan(topology));
    let servers = plan.into_iter().flatten();
    servers
        .map(|server| {
            let named = topology.binary(server.role).map(str::to_owned);
            ((topology.system.clone(), named), server.role)
        })
        .collect()
}

/// Takes out the tests that a system does not run with these settings, unless ignored tests are asked for.
fn of_other_deployments(tests: &mut Vec<Needing>, options: &Options) -> Vec<(Test, String)> {
    if options.selection.ignored != IgnoredTests::Ignore {
        return Vec::new();
    }
    let reason = |(test, needs): &Needing| {
        let wishes = test.def.wishes();
        wishes.iter().zip(needs).find_map(|(wish, need)| {
            let system = armadillo_orchestrator::system(&need.topology.system)?;
            system.ignored(wish, &need.topology, &options.settings)
        })
    };
    let mut ignored = Vec::new();
    tests.retain(|needing| match reason(needing) {
        Some(reason) => {
            ignored.push((needing.0.clone(), reason));
            false
        }
        None => true,
    });
    ignored
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim()
}

/// What time limits are multiplied with if a program has sanitizers, which make it slower.
const SANITIZERS_FACTOR: f64 = 3.0;

/// What they are multiplied with if servers are recorded.
const RECORDING_FACTOR: f64 = 10.0;

/// Gives servers that are recorded, and programs with sanitizers, more time, unless somebody has said how much. Returns what to
/// say of it.
pub(super) fn slow_down(programs: &Programs, options: &mut Options) -> Option<String> {
    let all = programs
        .iter()
        .flat_map(|(_, _, program)| &program.sanitizers);
    let all: BTreeSet<String> = all.map(ToString::to_string).collect();
    let recorded = &options.running.record;
    if options.said.contains_key("timeout-factor") {
        return None;
    }
    let (why, factor) = if !recorded.is_empty() {
        let roles = recorded.iter().cloned().collect::<Vec<_>>().join(", ");
        (format!("servers are recorded ({roles})"), RECORDING_FACTOR)
    } else if !all.is_empty() {
        let names = all.into_iter().collect::<Vec<_>>().join(", ");
        (
            format!("servers were built with {names}"),
            SANITIZERS_FACTOR,
        )
    } else {
        return None;
    };
    options.running.timeout_factor = factor;
    Some(format!(
        "{why}: all time limits are multiplied by {factor} (--timeout-factor)"
    ))
}

/// What events say of the programs, by system; one that topologies name has that name behind it.
pub(super) fn infos(programs: &Programs, settings: &Settings) -> BTreeMap<String, ProgramInfo> {
    let all = programs.iter().map(|(system, named, program)| {
        let title = match named {
            Some(named) => format!("{system} ({named})"),
            None => system.to_owned(),
        };
        let mut info = info(program);
        if named.is_none() && settings.attached(system).is_some() {
            info.program.push_str(" (attached)");
        }
        (title, info)
    });
    all.collect()
}

/// What events say of a program.
fn info(program: &Program) -> ProgramInfo {
    ProgramInfo {
        program: program.applet().map_or_else(
            || program.path.display().to_string(),
            |applet| format!("{applet} (built in)"),
        ),
        version: program
            .version
            .clone()
            .unwrap_or_else(|| "unknown version".to_owned()),
        stand_in: program.stand_in.then(|| program.title.clone()),
        note: note(program),
        origin: program.origin.clone(),
    }
}

/// What is special about a program.
fn note(program: &Program) -> Option<String> {
    let names: Vec<String> = program.sanitizers.iter().map(ToString::to_string).collect();
    let sanitizers = (!names.is_empty()).then(|| format!("built with {}", names.join(", ")));
    let notes: Vec<String> = program.note.iter().cloned().chain(sanitizers).collect();
    (!notes.is_empty()).then(|| notes.join("\n    "))
}
