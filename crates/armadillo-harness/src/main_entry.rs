//! The one entry: which role this process has.

use std::ffi::OsString;
use std::process::ExitCode;

use armadillo_orchestrator::APPLET_WORD;

use crate::exit_code::Exit;
use crate::report::console;
use crate::{daemon, dispatch, warden, worker};

/// How deep runs may be nested in each other: a test that runs cargo, whose tests run cargo again.
const DEEPEST: u32 = 3;

/// The variable that counts the nesting.
pub(crate) const DEPTH: &str = "ARMADILLO_DEPTH";

/// The main function of a harness target: `fn main() -> ExitCode { armadillo::main() }`.
///
/// The role comes from `argv[1]` alone, never from the environment, which nested runs and servers inherit.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match runner(&args) {
        Ok(depth) => dispatch::main(&args[1..], depth),
        Err(code) => code,
    }
}

/// The same with these arguments (without the program's name), for a program that is no test executable. It has called [`part`]
/// before.
#[must_use]
pub fn main_with(args: &[OsString]) -> ExitCode {
    match depth() {
        Ok(depth) => dispatch::main(args, depth),
        Err(code) => code,
    }
}

/// The first line of a main function of one's own, whose tests are trials of libtest-mimic: see [`trials`](crate::trials).
///
/// The harness starts the same executable again for its daemon and for servers that are built in. Such a process does its
/// work here and does not return.
pub fn init() {
    let args: Vec<OsString> = std::env::args_os().collect();
    match runner(&args) {
        Ok(depth) => dispatch::own_main::init(depth),
        Err(code) => exit(code),
    }
}

/// Ends a process whose main function is not ours.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of ours is left to be dropped, and the main function must not go on"
)]
pub(crate) fn exit(code: ExitCode) -> ! {
    // An exit code tells nobody its number, but it can be compared.
    let number = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code);
    std::process::exit(number.unwrap_or(1).into())
}

/// If this process was started as a part of the harness, does that part's work and says how it ended: the first thing that a
/// main function does which calls [`exec`](crate::exec).
#[must_use]
pub fn part() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let is_part = args.get(1).is_some_and(|word| word == APPLET_WORD);
    is_part.then(|| applet(&args[2..]))
}

/// How deep the runs are nested, if this process is a runner; otherwise how it ended.
fn runner(args: &[OsString]) -> Result<u32, ExitCode> {
    if args.get(1).is_some_and(|word| word == APPLET_WORD) {
        return Err(applet(&args[2..]));
    }
    depth()
}

/// How deep the runs are nested that this process is in.
///
/// # Errors
/// When that is too deep; it was said.
pub(crate) fn depth() -> Result<u32, ExitCode> {
    let depth = std::env::var(DEPTH)
        .ok()
        .and_then(|depth| depth.parse::<u32>().ok())
        .unwrap_or(0);
    if depth > DEEPEST {
        console::note(format_args!(
            "this run is nested {depth} levels deep in other runs ({DEPTH}={depth}). Most likely a test starts its own \
             test executable. Start it with a filter, or unset {DEPTH} if this is intended."
        ));
        return Err(Exit::Harness.into());
    }
    Ok(depth)
}

fn applet(args: &[OsString]) -> ExitCode {
    let Some((name, rest)) = args.split_first() else {
        console::note(format_args!(
            "`{APPLET_WORD}` needs the name of the part of the harness to start"
        ));
        return Exit::Usage.into();
    };
    match name.to_str() {
        Some(warden::APPLET) => warden::main(rest),
        Some(daemon::APPLET) => daemon::main(rest),
        Some(worker::APPLET) => worker::main(rest),
        Some(name) if let Some(applet) = armadillo_orchestrator::applet::applet(name) => {
            (applet.main)(rest.to_vec())
        }
        _ => {
            console::note(format_args!(
                "this executable has no applet named `{}`",
                name.display()
            ));
            Exit::Usage.into()
        }
    }
}
