//! `armadillo up`: servers that are up until somebody ends them.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use armadillo_harness::report::terminal_size;
use armadillo_harness::{Body, Exec, Held};
use armadillo_orchestrator::Fut;

use crate::flags::{Deployments, help_on_topologies, typed};
use crate::ps::Running;
use crate::session::{is_watched, say};
use crate::table;

/// How often the table is drawn: memory and times in it change all the time.
const PAUSE: Duration = Duration::from_secs(1);

/// The name of the file with the variables.
const VARIABLES: &str = "environment";

/// The line by which a program says that something failed, so that the files of the run are kept as those of a failed one.
const FAILED: &str = "failed";

/// Start servers and keep them up until Ctrl-C or `armadillo down`
///
/// Shows a table of the servers, and how to reach them. In a second terminal, `armadillo ps`, `logs`, `kill`, `pause`,
/// `restart`, `cut` and so on look at them and disturb them.
#[derive(clap::Args)]
#[command(after_long_help = after_help())]
pub(crate) struct Args {
    /// For programs: print a line of JSON when the servers are ready, and stop them when standard input ends
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    deployments: Deployments,
}

fn after_help() -> String {
    format!(
        "{}\nExamples:\n  \
           armadillo up etcd\n  \
           armadillo up 'etcd(members = 5, links)' --etcd 3.6\n  \
           armadillo up cluster --dbservers 5\n",
        help_on_topologies()
    )
}

pub(crate) fn up(args: Args) -> ExitCode {
    let topologies = match args.deployments.topologies(|_| None) {
        Ok(topologies) => topologies,
        Err(error) => error.exit(),
    };
    armadillo_harness::exec(Exec {
        flags: args.deployments.flags.0,
        topologies,
        body: Body::Hold(match args.json {
            true => |held| -> Fut<'static, _> { Box::pin(for_a_program(held)) },
            false => |held| -> Fut<'static, _> { Box::pin(for_a_person(held)) },
        }),
        typed: typed(),
        quiet: false,
    })
}

/// Ends with standard input, too: that of a program ends with the program, however it does.
async fn for_a_program(mut held: Held) -> Result<(), String> {
    let running = Running::of(&held.session).await;
    let running = running.map_err(|error| error.to_string())?;
    let text = serde_json::to_string(&running).map_err(|error| error.to_string())?;
    say(&(text + "\n"));
    let (ends, end) = tokio::sync::oneshot::channel::<bool>();
    // A blocking read cannot be given up: the thread ends with the process if a signal comes first.
    let reader = std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let mut failed = false;
            for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
                failed |= line == FAILED.as_bytes();
            }
            // Nobody waits any more if a signal came first.
            let _ = ends.send(failed);
        });
    reader.map_err(|error| format!("cannot start a thread: {error}"))?;
    tokio::select! {
        () = held.told_to_end() => Ok(()),
        failed = end => match failed {
            Ok(true) => Err("the program that holds the servers says that something failed".to_owned()),
            _ => Ok(()),
        },
    }
}

async fn for_a_person(mut held: Held) -> Result<(), String> {
    let variables = write_variables(&held)
        .map_err(|error| format!("cannot write the variables of the servers: {error}"))?;
    let how = how_to_reach(&held, &variables);
    let mut shown = Shown::default();
    loop {
        let text = table::of(&held.session).await;
        shown.show(&(text + &how));
        tokio::select! {
            () = held.told_to_end() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// The variables as a file for a shell, which only its owner can read. It ends with the run.
fn write_variables(held: &Held) -> io::Result<PathBuf> {
    let path = held.session.found().path().with_file_name(VARIABLES);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    for (name, value) in &held.variables {
        writeln!(file, "export {name}='{}'", value.replace('\'', "'\\''"))?;
    }
    Ok(path)
}

fn how_to_reach(held: &Held, variables: &Path) -> String {
    let names: Vec<&str> = held.variables.keys().map(String::as_str).collect();
    let mut text = String::new();
    let _ = writeln!(text, "\nIn another shell:");
    let _ = writeln!(text, "  source {}", variables.display());
    let _ = writeln!(text, "    # sets {}", names.join(", "));
    let _ = writeln!(
        text,
        "  armadillo ps | logs | kill | pause | upgrade | ... | down"
    );
    let _ = writeln!(text, "Ctrl-C stops the servers.");
    text
}

/// The lines, none longer than this: wrapped ones could not be counted.
fn cut_to(text: &str, width: usize) -> String {
    let cut = |line: &str| match line.chars().count() > width {
        true => line
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…', '\n'])
            .collect(),
        false => format!("{line}\n"),
    };
    text.lines().map(cut).collect()
}

/// What stands on the screen.
#[derive(Default)]
struct Shown(String);

impl Shown {
    /// On a terminal in the place of what was shown before; elsewhere only once.
    fn show(&mut self, text: &str) {
        if *text == self.0 || (!self.0.is_empty() && !is_watched()) {
            return;
        }
        let back = match self.0.lines().count() {
            0 => String::new(),
            // To the first line, and everything below it cleared.
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        let whole = match is_watched() {
            true => back + &cut_to(text, terminal_size().0),
            false => text.to_owned(),
        };
        // Whoever closed stdout wants to see no more.
        let _ = io::stdout().write_all(whole.as_bytes());
        let _ = io::stdout().flush();
        text.clone_into(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(cut_to("abcd\nabcde\n\n", 4), "abcd\nabc…\n\n");
    }
}
