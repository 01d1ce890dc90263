//! `--last-failed`, `--failed-first` and `--new-first`: what earlier runs say of the selected tests.

use std::collections::BTreeSet;

use super::prepare::absolute;
use super::{RunnerError, run_directory};
use crate::collect::Test;
use crate::history::{self, History};
use crate::options::Options;
use crate::plan::Plan;
use crate::report::console;
use crate::select::Selected;

/// With `--last-failed` only the tests that failed when they last ran; all of them if none did.
pub(super) fn keep(mut selected: Selected, options: &Options) -> Result<Selected, RunnerError> {
    if !options.selection.last_failed {
        return Ok(selected);
    }
    let named = options.running.output_directory.as_deref();
    let parent = absolute(run_directory::parent(named))?;
    // If it cannot be read, the run says so.
    let file = run_directory::history_file(options, &parent)?;
    let asked: BTreeSet<String> = selected.run.iter().map(|test| test.def.id()).collect();
    let history = history::read(&file, &|test| asked.contains(test)).history;
    let failed = |test: &Test| history.failed_last(&test.def.id());
    if !selected.run.iter().any(failed) {
        console::note(
            "--last-failed: none of the selected tests failed in its last run, so all of them run",
        );
        return Ok(selected);
    }
    let before = selected.run.len() + selected.ignored.len();
    selected.run.retain(failed);
    selected.ignored.clear();
    let left_out = before - selected.run.len();
    selected.filtered_out += u32::try_from(left_out).unwrap_or(u32::MAX);
    Ok(selected)
}

/// Notes what earlier runs say of each test. With `--failed-first`, those that failed last come first; with `--new-first`, those that
/// no run knows.
pub(super) fn remember(plan: &mut Plan, history: &History, options: &Options) {
    if options.command.is_some() {
        // Earlier ones were others.
        return;
    }
    for planned in &mut plan.tests {
        let Some(known) = history.known(&planned.test.def.id()) else {
            continue;
        };
        planned.earlier = Some(known.in_words());
        let on = planned.to_event().topologies().unwrap_or_default();
        planned.recorded = known.recorded(&on);
    }
    let first = &options.running;
    if first.failed_first || first.new_first {
        // Otherwise they stay in their order.
        plan.tests.sort_by_cached_key(|planned| {
            let id = planned.test.def.id();
            match () {
                () if first.failed_first && history.failed_last(&id) => 0,
                () if first.new_first && !history.knows(&id) => 1,
                () => 2,
            }
        });
    }
}
