//! What is collected about a test whose time is up, before anything is ended.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use armadillo_orchestrator::duration::millis;

use crate::client::DaemonClient;
use crate::protocol::daemon::{Collect, Grant};
use crate::protocol::endpoints::CollectEvidence;

/// How long collecting may take together.
const LIMIT: Duration = Duration::from_secs(10);

/// Writes what can be had into `directory`; what cannot is named in `evidence.txt`.
pub(in crate::dispatch) async fn collect(process: u32, leases: &[Grant], directory: &Path) {
    let mut notes = String::new();
    if let Err(error) = std::fs::create_dir_all(directory) {
        // The directory of the run cannot be written to; the report that follows will say so.
        tracing::warn!(%error, "no directory for evidence");
        return;
    }
    if let Err(error) = std::fs::write(directory.join("worker-threads.txt"), threads(process)) {
        let _ = writeln!(notes, "worker-threads.txt: {error}");
    }
    for lease in leases {
        for missing in servers(lease, directory).await {
            let _ = writeln!(notes, "{missing}");
        }
    }
    if !notes.is_empty() {
        // What could not be had is itself the least of the evidence.
        let _ = std::fs::write(directory.join("evidence.txt"), notes);
    }
}

/// Has the daemon collect what a deployment's servers tell; what could not be had.
async fn servers(lease: &Grant, directory: &Path) -> Vec<String> {
    let daemon = DaemonClient::new(&lease.socket);
    let request = Collect {
        directory: directory.to_owned(),
        limit_ms: millis(LIMIT),
    };
    let deployment = &lease.view.deployment;
    let (places, token) = ([lease.lease.as_str(), deployment], Some(&lease.token));
    let asked = daemon.ask::<CollectEvidence>(&places, &request, token, LIMIT * 2);
    match asked.await {
        Ok(collected) => collected.missing,
        Err(error) => vec![format!("the servers of {deployment}: {error}")],
    }
}

/// Every thread of the worker and of what it started: name, state, what the kernel waits for.
fn threads(worker: u32) -> String {
    let mut text = String::new();
    let mut processes = vec![worker];
    processes.extend(
        armadillo_orchestrator::process::tree::descendants(worker)
            .iter()
            .map(|stat| stat.pid),
    );
    for pid in processes {
        let command = read(&format!("/proc/{pid}/cmdline")).replace('\0', " ");
        let _ = writeln!(text, "process {pid}: {}", command.trim());
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for task in tasks.flatten() {
            let at = task.path();
            let part = |name: &str| read(&at.join(name).to_string_lossy());
            let state = part("stat")
                .rsplit(')')
                .next()
                .unwrap_or("")
                .trim_start()
                .chars()
                .next()
                .unwrap_or('?');
            let _ = writeln!(
                text,
                "  thread {:16} state {state} in {}",
                part("comm").trim(),
                part("wchan").trim()
            );
            for line in part("stack").lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    text
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
