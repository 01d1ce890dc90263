//! What servers are started with, told to a daemon that serves others, too.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;

use armadillo_orchestrator::{Programs, Settings};

use crate::protocol::daemon::Conditions;

/// The settings of the harness that servers are started with.
const OF_SERVERS: [&str; 3] = ["tls", "timeout-factor", "servers-dir"];

/// Whether a setting can have a part in how servers are started: those of systems, and these.
fn concerns_servers(name: &str) -> bool {
    let systems = armadillo_orchestrator::systems();
    let mut flags = systems.iter().flat_map(|system| system.flags());
    OF_SERVERS.contains(&name) || flags.any(|flag| flag.name == name)
}

/// These settings and programs, for another process.
pub(in crate::dispatch) fn conditions(
    settings: &Settings,
    programs: &Programs,
) -> io::Result<Conditions> {
    let builds = programs.builds();
    let programs = programs.for_others()?;
    let mut contents = BTreeMap::new();
    for (_, _, program) in programs.iter() {
        // One that is not there any more cannot be started, and that is said then.
        if let Ok(file) = std::fs::metadata(&program.path) {
            let (size, changed) = (file.size(), (file.mtime(), file.mtime_nsec()));
            let content = format!("{}:{} {size} {changed:?}", file.dev(), file.ino());
            contents.insert(program.path.clone(), content);
        }
    }
    Ok(Conditions {
        settings: settings.only(concerns_servers),
        programs,
        contents,
        builds,
    })
}
