//! The servers of a deployment as a table.

use std::fmt::Write;

use armadillo_harness::session::Session;
use armadillo_orchestrator::ServerKey;

use crate::look::{self, Server};

/// How many of the groups that a server leads are shown: it may be hundreds of shards.
const SHOWN: usize = 3;

const TITLES: [&str; 9] = [
    "server",
    "role",
    "state",
    "pid",
    "memory",
    "up",
    "version",
    "endpoints",
    "health",
];

/// How the deployments of a session are: of each one line for it, one for each server, and what is wrong with the whole.
pub(crate) async fn of(session: &Session) -> String {
    let mut text = String::new();
    for (name, deployment) in session.named() {
        let seen = match look::at(name, deployment).await {
            Ok(seen) => seen,
            Err(error) => {
                let _ = writeln!(text, "{}  {error}", deployment.view().deployment);
                continue;
            }
        };
        let servers = seen.servers.iter().map(|server| {
            let key = ServerKey::from(server.name.as_str());
            row(session.name_of(&seen.name, &key), server)
        });
        let titles = TITLES.map(str::to_owned);
        let rows: Vec<_> = std::iter::once(titles).chain(servers).collect();
        let _ = writeln!(text, "{}  [{}]", seen.topology, seen.id);
        text.push_str(&aligned(&rows));
        for complaint in &seen.complaints {
            let _ = writeln!(text, "  {complaint}");
        }
        if let Some(operation) = &seen.operation {
            let _ = writeln!(text, "  {}", operation.in_words());
        }
    }
    text
}

fn row(name: String, server: &Server) -> [String; 9] {
    [
        name,
        server.role.clone(),
        server.state.clone(),
        server.pid.map_or_else(String::new, |pid| pid.to_string()),
        server
            .memory_bytes
            .map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20)),
        server.up_seconds.map_or_else(String::new, up),
        server.version.clone().unwrap_or_default(),
        endpoints(server),
        health(server),
    ]
}

fn up(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// With the names of the ports, where there are several.
fn endpoints(server: &Server) -> String {
    let named = server.endpoints.len() > 1;
    let endpoints = server.endpoints.iter().map(|(port, at)| match named {
        true => format!("{port} {at}"),
        false => at.clone(),
    });
    endpoints.collect::<Vec<_>>().join(", ")
}

fn health(server: &Server) -> String {
    let mut text = server.health.clone();
    let shown: Vec<&str> = server
        .leads
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect();
    if !shown.is_empty() {
        let _ = write!(text, ", leads {}", shown.join(", "));
    }
    if server.leads.len() > SHOWN {
        let _ = write!(text, " and {} more", server.leads.len() - SHOWN);
    }
    text
}

/// Columns as wide as their widest cell; empty columns are left out.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let cells = |column: usize| rows.iter().map(move |row| row[column].as_str());
    let widths: Vec<usize> = (0..N)
        .map(|column| match cells(column).skip(1).all(str::is_empty) {
            true => 0,
            false => cells(column)
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0),
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let shown = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
        let line: Vec<String> = shown
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "  {}", line.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["server", "pid", "health"]),
            row(["a", "", "good"]),
            row(["bbbbbbbb", "", ""]),
        ];
        assert_eq!(
            aligned(&rows),
            "  server    health\n  a         good\n  bbbbbbbb\n"
        );
    }

    #[test]
    fn times_are_short() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (61, "1 min"), (7320, "2 h 2 min")] {
            assert_eq!(up(seconds), text);
        }
    }
}
