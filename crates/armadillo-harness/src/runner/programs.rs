//! Which program each needed system has, and what happens to the tests of one that has none.

use std::collections::{BTreeMap, BTreeSet};

use armadillo_orchestrator::{Program, ProgramError, Topology};

use crate::collect::Test;
use crate::event::ProgramInfo;
use crate::needs::LeaseMode;
use crate::options::{IgnoredTests, Missing, Options};

/// A test with what it needs.
pub(super) type Needing = (Test, Option<(Topology, LeaseMode)>);

/// The programs of a run, and the tests that cannot be run for lack of one, or are not to be.
#[derive(Default)]
pub(super) struct Programs {
    pub(super) found: BTreeMap<String, Program>,
    /// Ignored, with the reason.
    pub(super) ignored: Vec<(Test, String)>,
    /// Failed before they began, with the reason.
    pub(super) failed: Vec<(Test, String)>,
}

/// Finds the program of every system that the tests need; what remains in `tests` can be run.
pub(super) fn find(tests: &mut Vec<Needing>, options: &Options) -> Result<Programs, ProgramError> {
    let mut programs = Programs {
        ignored: of_other_shapes(tests, options),
        ..Programs::default()
    };
    let needed: BTreeSet<String> = tests
        .iter()
        .filter_map(|(_, needs)| Some(needs.as_ref()?.0.system.clone()))
        .collect();
    for name in needed {
        let Some(system) = armadillo_orchestrator::system(&name) else {
            continue;
        };
        let error = match Program::find(system, &options.settings) {
            Ok(program) => {
                programs.found.insert(name, program);
                continue;
            }
            Err(error) => error,
        };
        // A program that was named and does not work is never passed over.
        let missing = if matches!(error, ProgramError::Missing { .. }) {
            options.missing(&name)
        } else {
            Missing::Error
        };
        let list = match missing {
            Missing::Error => return Err(error),
            Missing::Ignore => &mut programs.ignored,
            Missing::Fail => &mut programs.failed,
        };
        let reason = match missing {
            Missing::Ignore => format!("no {name} program; {}", first_line(&system.how_to_get())),
            _ => error.to_string(),
        };
        let lacks = |(_, needs): &Needing| {
            needs
                .as_ref()
                .is_some_and(|(topology, _)| topology.system == name)
        };
        list.extend(
            tests
                .extract_if(.., |test| lacks(test))
                .map(|(test, _)| (test, reason.clone())),
        );
    }
    Ok(programs)
}

/// Takes out the tests that a system does not run with these settings, unless ignored tests are asked for.
fn of_other_shapes(tests: &mut Vec<Needing>, options: &Options) -> Vec<(Test, String)> {
    if options.selection.ignored != IgnoredTests::Ignore {
        return Vec::new();
    }
    let reason = |needs: &Option<(Topology, LeaseMode)>| {
        let (topology, _) = needs.as_ref()?;
        armadillo_orchestrator::system(&topology.system)?.ignored(topology, &options.settings)
    };
    let mut ignored = Vec::new();
    tests.retain(|(test, needs)| match reason(needs) {
        Some(reason) => {
            ignored.push((test.clone(), reason));
            false
        }
        None => true,
    });
    ignored
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim()
}

/// What events say of a program.
pub(super) fn info(program: &Program) -> ProgramInfo {
    let applet = program.leading_args.last();
    ProgramInfo {
        program: applet.map_or_else(
            || program.path.display().to_string(),
            |applet| format!("{applet} (built in)"),
        ),
        version: program
            .version
            .clone()
            .unwrap_or_else(|| "unknown version".to_owned()),
        stand_in: program.stand_in.then(|| program.title.clone()),
    }
}
