//! The cargo that has started this process. If it runs several suites, one after the other, they are a group.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use armadillo_orchestrator::process::proc_fs;
use armadillo_orchestrator::random;

use super::Membership;
use super::suites::{self, Asked};

/// The variable in which cargo tells what it starts where its own executable is.
const CARGO: &str = "CARGO";

/// The variable in which it tells a test where the test's package is.
const PACKAGE: &str = "CARGO_MANIFEST_DIR";

/// Looked for once: cargo does not change while its test runs.
static FOUND: OnceLock<Option<Membership>> = OnceLock::new();

/// The group of all suites that the cargo runs which has started this one; `None` if there is no such cargo, or if this is its
/// only suite.
pub(super) fn membership() -> Option<Membership> {
    FOUND.get_or_init(find).clone()
}

fn find() -> Option<Membership> {
    let cargo = proc_fs::stat(proc_fs::stat(std::process::id())?.parent)?;
    // Only a test that cargo itself has started: what a test starts is none of cargo's suites.
    let named = PathBuf::from(std::env::var_os(CARGO)?)
        .canonicalize()
        .ok()?;
    if proc_fs::executable(cargo.pid)? != named {
        return None;
    }
    let asked = Asked::of(&proc_fs::arguments(cargo.pid)?);
    let working_directory = proc_fs::working_directory(cargo.pid)?;
    let package = PathBuf::from(std::env::var_os(PACKAGE)?);
    if suites::count(&asked, &working_directory, &package, &named) < 2 {
        return None;
    }
    Some(Membership {
        id: id(cargo.pid, cargo.start_time),
        command: "cargo test".to_owned(),
        pid: cargo.pid,
        start_time: cargo.start_time,
        together: false,
        host: None,
    })
}

/// The same for all suites of one cargo, and for those of no other.
fn id(pid: u32, start_time: u64) -> String {
    let boot = std::fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id"));
    let mixed = random::seed_of(start_time ^ u64::from(pid) << 32, &boot.unwrap_or_default());
    format!("{:08x}", mixed >> 32)
}
