//! Evidence: what is collected of a deployment when something has failed. Each piece is optional and has its limit.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Deployment, leaders};
use crate::deadline::Deadline;
use crate::join::join_all;
use crate::system::Evidence;

/// How many of the last lines of each log are saved.
const LOG_LINES: usize = 200;

/// How long a server may take to write what a verb makes it write.
const WRITE_LIMIT: Duration = Duration::from_secs(1);

/// What was collected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceReport {
    /// The files that were written.
    pub saved: Vec<PathBuf>,
    /// What could not be had, and why, one sentence each.
    pub failed: Vec<String>,
}

type Piece = Result<PathBuf, String>;

impl Deployment {
    /// Collects what the system names, the process table, the log of who led and the last log lines into the directory `dest`. Verbs that
    /// may end a server come after everything that asks it.
    pub async fn evidence(
        &self,
        dest: &Path,
        deadline: impl Into<Deadline> + Send,
    ) -> EvidenceReport {
        let deadline = deadline.into();
        let mut report = self.look_for_evidence(dest, deadline).await;
        self.collect_all(dest, deadline, &mut report, |item| {
            matches!(item, Evidence::Signal(..))
        })
        .await;
        for key in self.servers.keys() {
            let lines = self.last_lines(key, LOG_LINES);
            if !lines.is_empty() {
                let text = lines.join("\n") + "\n";
                report.add(save(dest, &format!("{key}.log"), text.as_bytes()));
            }
        }
        report
    }

    /// The same without the log, and without what a server may end by.
    pub(super) async fn look_for_evidence(
        &self,
        dest: &Path,
        deadline: Deadline,
    ) -> EvidenceReport {
        let mut report = EvidenceReport::default();
        if let Err(error) = fs::create_dir_all(dest) {
            let problem = format!("cannot make {}: {error}", dest.display());
            report.failed.push(problem);
            return report;
        }
        report.add(save(dest, "processes", self.process_table().as_bytes()));
        let lines = self.leadership_log().to_lines();
        if !lines.is_empty() {
            report.add(save(dest, leaders::FILE, lines.as_bytes()));
        }
        self.collect_all(dest, deadline, &mut report, |item| {
            !matches!(item, Evidence::Signal(..))
        })
        .await;
        report
    }

    /// Collects those items of the system's that are wanted.
    async fn collect_all(
        &self,
        dest: &Path,
        deadline: Deadline,
        report: &mut EvidenceReport,
        wanted: impl Fn(&Evidence) -> bool,
    ) {
        let items = self.system.evidence(&self.view).into_iter();
        let all = items
            .filter(wanted)
            .map(|item| self.collect(item, dest, deadline));
        for piece in join_all(all).await.into_iter().flatten() {
            report.add(piece);
        }
    }

    async fn collect(&self, item: Evidence, dest: &Path, deadline: Deadline) -> Option<Piece> {
        match item {
            Evidence::Http {
                server,
                request,
                save_as,
                limit,
            } => {
                let known = self.servers.get(&server);
                let client =
                    known.and_then(|known| self.view.client(&server, known.plan.ports.first()?));
                let Some(client) = client else {
                    return Some(Err(format!("{save_as}: {server} has no port for requests")));
                };
                let answer = client.send(request, deadline.within(limit)).await;
                Some(match answer {
                    Ok(response) if response.is_success() => save(dest, &save_as, &response.body),
                    Ok(response) => {
                        Err(format!("{save_as}: {server} responded {}", response.status))
                    }
                    Err(error) => Err(format!("{save_as}: {error}")),
                })
            }
            Evidence::File { server, path } => {
                let from = self.view.places.get(&server)?.dir_outside.join(&path);
                let name = format!("{server}-{}", path.to_string_lossy().replace('/', "-"));
                Some(match fs::read(&from) {
                    Ok(bytes) => save(dest, &name, &bytes),
                    Err(error) => Err(format!("{}: {error}", from.display())),
                })
            }
            Evidence::Signal(key, verb) => {
                let server = self.servers.get(&key)?;
                let running = server.running()?;
                if !self.back_end.can(verb) {
                    return Some(Err(format!("cannot {verb} {key}")));
                }
                server.expect_exit(true);
                let before = self.site.log_size(&key);
                let limit = deadline.within(WRITE_LIMIT);
                if let Err(error) = running.deliver(verb, limit).await {
                    return Some(Err(format!("cannot {verb} {key}: {error}")));
                }
                // What it writes has no end that could be seen: its own, or silence after the first words.
                let written =
                    limit.bound(server.gone()).await.is_some() || self.site.log_size(&key) > before;
                if server.phase().is_alive() {
                    server.expect_exit(false);
                }
                if !written {
                    return Some(Err(format!("{key} wrote no output after {verb}")));
                }
                None
            }
        }
    }

    /// Every process of every server: id, state, memory, CPU time.
    fn process_table(&self) -> String {
        let mut table = format!(
            "{:<20} {:<9} {:>8} {:>5} {:>10} {:>9} name\n",
            "server", "phase", "pid", "state", "rss KiB", "cpu s"
        );
        for (key, server) in &self.servers {
            let phase = server.phase();
            let processes = server
                .running()
                .map(|running| running.processes())
                .unwrap_or_default();
            // Writing to a string cannot fail.
            if processes.is_empty() {
                let exit = server.status.borrow().exit.clone().unwrap_or_default();
                let _ = writeln!(
                    table,
                    "{:<20} {:<9} {exit}",
                    key.as_str(),
                    phase.to_string()
                );
            }
            for stat in processes {
                let _ = writeln!(
                    table,
                    "{:<20} {:<9} {:>8} {:>5} {:>10} {:>6}.{:02} {}",
                    key.as_str(),
                    phase.to_string(),
                    stat.pid,
                    stat.state,
                    stat.rss_kib,
                    stat.cpu_ticks / 100,
                    stat.cpu_ticks % 100,
                    stat.name
                );
            }
        }
        table
    }
}

impl EvidenceReport {
    fn add(&mut self, piece: Piece) {
        match piece {
            Ok(path) => self.saved.push(path),
            Err(problem) => self.failed.push(problem),
        }
    }
}

/// Writes a file whose name stays within `dest`.
fn save(dest: &Path, name: &str, bytes: &[u8]) -> Piece {
    let name = name.replace('/', "-");
    let path = dest.join(name);
    let written: io::Result<()> = fs::write(&path, bytes);
    match written {
        Ok(()) => Ok(path),
        Err(error) => Err(format!("cannot write {}: {error}", path.display())),
    }
}
