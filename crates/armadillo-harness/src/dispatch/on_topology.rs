//! `--topology`: only the tests that need exactly these deployments.

use super::RunnerError;
use crate::collect::Test;
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
    let wanted = plain(wanted);
    let is_wanted = |test: &Test| -> Result<bool, RunnerError> {
        let needs = plan::needs_of(test, &options.settings)?;
        let texts: Vec<String> = needs.iter().map(|need| need.topology.to_string()).collect();
        Ok(match texts.is_empty() {
            true => wanted == NONE,
            false => wanted == plain(&texts.join(" + ")),
        })
    };
    let before = selected.run.len() + selected.ignored.len();
    let mut run = Vec::new();
    for test in selected.run {
        if is_wanted(&test)? {
            run.push(test);
        }
    }
    let mut ignored = Vec::new();
    for (test, reason) in selected.ignored {
        if is_wanted(&test)? {
            ignored.push((test, reason));
        }
    }
    let left_out = before - run.len() - ignored.len();
    let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
    selected.filtered_out = selected.filtered_out.saturating_add(left_out);
    Ok(Selected {
        run,
        ignored,
        ..selected
    })
}

/// However the blanks are written.
fn plain(text: &str) -> String {
    text.split_whitespace().collect()
}
