//! The version of existing data, before a deployment starts on a copy of it.

use std::path::Path;

use armadillo_orchestrator::Program;
use serde_json::Value;

use crate::programs;

/// What a version file is called: `VERSION-<id>` of the database `_system`, whose id is 1 (`RocksDBEngine.cpp`), or `VERSION`
/// (the documentation of `--database.auto-upgrade`).
const VERSION_FILES: [&str; 2] = ["VERSION-1", "VERSION"];

/// Whether data of any server below this directory is of an older minor version than the program. All servers are upgraded then: a
/// coordinator, which has no data, upgrades what the cluster shares.
pub(crate) fn needs_upgrade(data: &Path, now: &Program) -> bool {
    match (oldest(data), programs::minor(now)) {
        (Some(oldest), Some(now)) => oldest < now,
        // Who cannot read it says so at its start.
        _ => false,
    }
}

fn oldest(data: &Path) -> Option<(u32, u32)> {
    let servers = std::fs::read_dir(data).ok()?.flatten();
    let versions = servers.flat_map(|server| {
        let files = VERSION_FILES.map(|name| server.path().join(name));
        files.into_iter().filter_map(|file| {
            let text = std::fs::read_to_string(file).ok()?;
            version_in(&text)
        })
    });
    versions.min()
}

/// `{"version": 31114, "tasks": {}}`: 3.11.14.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let number = u32::try_from(value.get("version")?.as_u64()?).ok()?;
    Some((number / 10_000, number / 100 % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_version_of_all_servers_counts() {
        assert_eq!(version_in(r#"{"version":31114,"tasks":{}}"#), Some((3, 11)));
        assert_eq!(version_in("{"), None);
        let root = tempfile::tempdir().unwrap();
        assert_eq!(oldest(root.path()), None);
        for (server, file, version) in [
            ("agent-1", "VERSION", 31_204),
            ("dbserver-1", "VERSION-1", 31_114),
            ("dbserver-2", "VERSION-1", 31_204),
        ] {
            std::fs::create_dir(root.path().join(server)).unwrap();
            let text = format!(r#"{{"version":{version}}}"#);
            std::fs::write(root.path().join(server).join(file), text).unwrap();
        }
        assert_eq!(oldest(root.path()), Some((3, 11)));
    }
}
