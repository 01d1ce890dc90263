//! How this run is shown, and whether it can run beside others.

use std::path::PathBuf;

use armadillo_orchestrator::registry;

use super::{environment, shared, slots};
use crate::group::Manner;
use crate::options::{Isolation, Options, Showing};

/// What a command is told that runs this executable among others.
pub(super) fn of(options: &Options, isolation: Isolation, is_attached: bool) -> Manner {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let showing = &options.showing;
    Manner {
        showing: Showing {
            logfile: showing.logfile.as_ref().map(absolute),
            trace: showing.trace.as_ref().map(absolute),
            ..showing.clone()
        },
        shuffle: options.running.shuffle,
        slots: slots::of_all(options),
        max_fail: options.running.max_fail,
        systems: (registry::origins().into_iter())
            .map(|(system, origin)| (system.to_owned(), origin.to_owned()))
            .collect(),
        terms: shared::terms(options),
        alone: alone(options, isolation, is_attached).map(str::to_owned),
    }
}

/// Why this run cannot run beside others: its output or its input is a person's, it needs the order of its tests for itself, or
/// others cannot tell what it does.
fn alone(options: &Options, isolation: Isolation, is_attached: bool) -> Option<&'static str> {
    let running = &options.running;
    let reasons = [
        (options.showing.no_capture, "--nocapture"),
        // libtest-mimic prints.
        (isolation == Isolation::None, "--isolation none"),
        // Nothing is captured.
        (isolation == Isolation::InProcess, "--isolation in-process"),
        (running.keep_on_failure, "--keep-on-failure"),
        (running.script.is_some(), "--script"),
        // What it leaves is one run's at a time.
        (running.reuse.is_some(), "--reuse"),
        (running.stress.until_fail, "--repeat until-fail"),
        (running.stress.limit.is_some(), "--stress-for"),
        // Each run knows only of its own tests on them.
        (is_attached, "servers that somebody else started"),
        (environment::is_traced(), "a debugger"),
    ];
    let mut reasons = reasons.into_iter();
    reasons.find_map(|(is_so, why)| is_so.then_some(why))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_that_needs_the_terminal_or_the_order_runs_alone() {
        let why = |change: &dyn Fn(&mut Options), isolation, is_attached| {
            let mut options = Options::default();
            change(&mut options);
            of(&options, isolation, is_attached).alone
        };
        let nothing = |_: &mut Options| {};
        assert_eq!(why(&nothing, Isolation::Workers, false), None);
        assert_eq!(why(&nothing, Isolation::Process, false), None);
        let none = why(&nothing, Isolation::None, false);
        assert_eq!(none.as_deref(), Some("--isolation none"));
        let attached = why(&nothing, Isolation::Workers, true);
        assert_eq!(
            attached.as_deref(),
            Some("servers that somebody else started")
        );
        let no_capture = |options: &mut Options| options.showing.no_capture = true;
        let no_capture = why(&no_capture, Isolation::Workers, false);
        assert_eq!(no_capture.as_deref(), Some("--nocapture"));
        let kept = |options: &mut Options| options.running.keep_on_failure = true;
        let kept = why(&kept, Isolation::Workers, false);
        assert_eq!(kept.as_deref(), Some("--keep-on-failure"));
        let reuse = |options: &mut Options| options.running.reuse = Some(Duration::from_secs(60));
        let reuse = why(&reuse, Isolation::Workers, false);
        assert_eq!(reuse.as_deref(), Some("--reuse"));
    }

    #[test]
    fn the_manner_is_read_as_it_was_written() {
        let mut options = Options::default();
        options.showing.logfile = Some("here.log".into());
        options.showing.durations = Some(3);
        let manner = of(&options, Isolation::Workers, false);
        let logfile = manner.showing.logfile.clone();
        assert!(logfile.is_some_and(|path| path.is_absolute()));
        let text = serde_json::to_string(&manner).unwrap();
        let read: Manner = serde_json::from_str(&text).unwrap();
        assert_eq!(read.showing.durations, Some(3));
        assert_eq!(read.slots, manner.slots);
    }
}
