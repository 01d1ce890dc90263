//! What surrounds the runner: cargo, nextest, a debugger, and the variables that are its own.

use crate::options::{Isolation, Options};
use crate::settings::Surroundings;

/// Variables that select or size a run: a worker must not see them, or a run nested in a test would take them for its own.
/// `ARMADILLO_RUN` and `ARMADILLO_DEPTH` stay.
pub(super) fn hidden_variables() -> Vec<String> {
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| {
            name.starts_with("ARMADILLO_")
                && name != "ARMADILLO_RUN"
                && name != crate::main_entry::DEPTH
        })
        .collect()
}

/// If cargo is killed, nobody waits for this process any more: it ends as if it were terminated. Under nextest the
/// spawning thread may end before its process, and nextest ends its tests itself.
pub(super) fn end_with_cargo() {
    if std::env::var_os("CARGO").is_some() && !is_nextest() {
        // Refused only where there is no such thing.
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    }
}

/// Whether a debugger or `strace` is attached: then nothing is limited in time.
pub(super) fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let tracer = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|pid| pid.trim() != "0")
}

/// Whose main function this process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Main {
    Ours,
    /// Our tests are trials of libtest-mimic among others.
    Theirs,
}

/// Where bodies run, and why, if that needs saying.
pub(super) fn isolation(
    options: &Options,
    tests: usize,
    main: Main,
) -> (Isolation, Option<&'static str>) {
    let here = Isolation::InProcess;
    match options.running.isolation {
        _ if main == Main::Theirs => (Isolation::None, None),
        Isolation::Auto if cfg!(miri) => (here, Some("miri does not support processes")),
        Isolation::Auto if is_traced() => (here, Some("a debugger is attached")),
        Isolation::Auto if is_nextest() => (here, None),
        Isolation::Auto if tests == 1 && options.showing.no_capture => (here, None),
        Isolation::Auto => (Isolation::Workers, None),
        isolation => (isolation, None),
    }
}

/// What surrounds a run whose tests run like this.
pub(super) fn surroundings(isolation: Isolation, main: Main) -> Surroundings {
    Surroundings {
        isolation,
        own_main: main == Main::Theirs,
        nextest: is_nextest(),
        debugger: is_traced(),
    }
}

/// Whether nextest has started this process.
pub(super) fn is_nextest() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// The number that a variable has; `None` also for a word, which nextest writes where there is no number.
pub(super) fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The isolation as `results.json` and the header say it.
pub(super) fn isolation_word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Auto => "auto",
        Isolation::Workers => "workers",
        Isolation::Process => "process",
        Isolation::InProcess => "in-process",
        Isolation::None => "none",
    }
}
