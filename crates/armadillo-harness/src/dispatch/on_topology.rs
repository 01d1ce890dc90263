//! `--topology`: only the tests that need exactly these deployments.

use std::collections::BTreeSet;

use super::RunnerError;
use crate::collect::Test;
use crate::event::TopologyOf;
use crate::options::Options;
use crate::plan;
use crate::select::Selected;

/// What stands for no deployment.
const NONE: &str = "none";

/// Leaves the tests of the topology, if one is said.
pub(super) fn keep(mut selected: Selected, options: &Options) -> Result<Selected, RunnerError> {
    let Some(wanted) = &options.selection.topology else {
        return Ok(selected);
    };
    let topology = |test: &Test| -> Result<String, RunnerError> {
        let needs = plan::needs_of(test, &options.settings)?;
        let texts: Vec<String> = needs.iter().map(|need| need.topology.to_string()).collect();
        Ok(match texts.is_empty() {
            true => NONE.to_owned(),
            false => texts.join(" + "),
        })
    };
    let before = selected.run.len() + selected.ignored.len();
    let mut of = TopologyOf {
        topology: wanted.clone(),
        all: BTreeSet::new(),
    };
    let wanted = plain(wanted);
    let mut run = Vec::new();
    for test in selected.run {
        let topology = topology(&test)?;
        if plain(&topology) == wanted {
            of.topology.clone_from(&topology);
            run.push(test);
        }
        of.all.insert(topology);
    }
    let mut ignored = Vec::new();
    for (test, reason) in selected.ignored {
        if plain(&topology(&test)?) == wanted {
            ignored.push((test, reason));
        }
    }
    let left_out = before - run.len() - ignored.len();
    let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
    selected.filtered_out = selected.filtered_out.saturating_add(left_out);
    Ok(Selected {
        run,
        ignored,
        topology: Some(Box::new(of)),
        ..selected
    })
}

/// However the blanks are written.
fn plain(text: &str) -> String {
    text.split_whitespace().collect()
}
