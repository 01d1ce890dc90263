//! `--script`: the tests of a script, and nothing else.

use super::RunnerError;
use crate::collect::registered;
use crate::options::{IgnoredTests, Options, Stress};
use crate::report::console;
use crate::script::{self, Script, declared_name};
use crate::select::Selected;
use crate::settings::Source;

/// The script that is to be followed. It says itself which tests run and on which deployments, those that are ignored otherwise and
/// those that are new included.
pub(super) fn read(options: &mut Options) -> Result<Option<Script>, RunnerError> {
    let Some(path) = &options.running.script else {
        return Ok(None);
    };
    let script = script::read(path)?;
    forget_what_others_select(options);
    let is_repeated = options.running.repeat > 1 || options.running.stress.is_asked_for();
    if is_repeated && (is_typed(options, "repeat") || is_typed(options, "stress-for")) {
        return Err(RunnerError::RepeatedScript);
    }
    options.running.repeat = 1;
    options.running.stress = Stress::default();
    if options.selection.ignored == IgnoredTests::Ignore {
        options.selection.ignored = IgnoredTests::Include;
    }
    // Each of its deployments is a new one, which nobody has used before.
    options.running.reuse = None;
    options.running.failed_first = false;
    options.running.new_first = false;
    Ok(Some(script))
}

/// Tests are selected by the script, and among them by the command line: what a file or the environment usually select was decided when
/// the script was made.
fn forget_what_others_select(options: &mut Options) {
    let typed = |name| is_typed(options, name);
    let (markers, keywords) = (typed("markers"), typed("keywords"));
    let (skip, shard) = (typed("skip"), typed("shard"));
    let (last_failed, topology) = (typed("last-failed"), typed("topology"));
    let selection = &mut options.selection;
    selection.markers = selection.markers.take().filter(|_| markers);
    selection.keywords = selection.keywords.take().filter(|_| keywords);
    selection.shard = selection.shard.take().filter(|_| shard);
    selection.topology = selection.topology.take().filter(|_| topology);
    selection.skip.retain(|_| skip);
    selection.last_failed &= last_failed;
}

/// Whether the command line says this.
fn is_typed(options: &Options, setting: &str) -> bool {
    let said = options.said.get(setting);
    said.is_some_and(|said| matches!(said.source, Source::CommandLine(_)))
}

/// The names of the tests that are looked up for it.
pub(super) fn names(script: &Script) -> Vec<String> {
    let names = script.begins().map(|(name, _)| name);
    let mut names: Vec<String> = names
        .flat_map(|name| [name, declared_name(name)])
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Those of its tests that were selected. The others of the executable were not even looked at.
pub(super) fn keep(
    mut selected: Selected,
    script: Option<Script>,
    looked_at: usize,
    options: &Options,
) -> Selected {
    // With `--exact`, they are counted already.
    if script.is_some() && options.selection.only().is_none() {
        let looked_at = u32::try_from(looked_at).unwrap_or(u32::MAX);
        selected.filtered_out += registered().saturating_sub(looked_at);
    }
    Selected { script, ..selected }
}

/// Says which of its tests are not there any more.
pub(super) fn note_missing(script: &Script, missing: &[String]) {
    if !missing.is_empty() {
        console::note(format_args!(
            "not in this executable or not selected, and left out of what is repeated of run {}: {}",
            script.of,
            missing.join(", ")
        ));
    }
}
