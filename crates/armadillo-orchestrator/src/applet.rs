//! Applets: programs that live in the test executable and are started as `/proc/self/exe __armadillo NAME ARGS..`.

use std::any::TypeId;
use std::ffi::OsString;
use std::process::ExitCode;

use crate::random::seed_of;

/// The word in `argv[1]` that makes the executable an applet. The role is never taken from the environment: that would
/// leak into nested runs and into servers.
pub const APPLET_WORD: &str = "__armadillo";

/// A program within the executable, registered with `inventory::submit!`.
pub struct Applet {
    /// The word in `argv[2]`.
    pub name: &'static str,
    /// Its main function; receives the arguments after its name.
    pub main: fn(Vec<OsString>) -> ExitCode,
    /// What tells its builds apart, such as [`build_id`]: servers of equal builds serve tests of several executables. `None`: every
    /// executable has a build of its own.
    pub build: Option<fn() -> String>,
}

/// A word that is the same in all executables with the same build of an applet: the same source files and the same compilation of
/// `T`'s crate, with its version, features, compiler and dependencies. `T` is any type of the crate.
#[must_use]
pub fn build_id<T: 'static>(sources: &[&str]) -> String {
    let compilation = format!("{:?}", TypeId::of::<T>());
    let hash = |seed: u64| {
        let parts = sources.iter().copied().chain([&*compilation]);
        parts.fold(seed, seed_of)
    };
    format!("{:016x}{:016x}", hash(1), hash(2))
}

inventory::collect!(Applet);

/// The applet of that name.
#[must_use]
pub fn applet(name: &str) -> Option<&'static Applet> {
    inventory::iter::<Applet>
        .into_iter()
        .find(|applet| applet.name == name)
}
