//! Applets: programs that live in the test executable and are started as `/proc/self/exe __armadillo NAME ARGS..`.

use std::ffi::OsString;
use std::process::ExitCode;

/// The word in `argv[1]` that makes the executable an applet. The role is never taken from the environment: that would
/// leak into nested runs and into servers.
pub const APPLET_WORD: &str = "__armadillo";

/// A program within the executable, registered with `inventory::submit!`.
pub struct Applet {
    /// The word in `argv[2]`.
    pub name: &'static str,
    /// Its main function; receives the arguments after its name.
    pub main: fn(Vec<OsString>) -> ExitCode,
}

inventory::collect!(Applet);

/// The applet of that name.
#[must_use]
pub fn applet(name: &str) -> Option<&'static Applet> {
    inventory::iter::<Applet>
        .into_iter()
        .find(|applet| applet.name == name)
}
