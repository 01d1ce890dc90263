//! `armadillo logs`: what a server has logged.

use std::process::ExitCode;

use armadillo_harness::fixture::{LeaseError, LogLine};

use crate::complete;
use crate::session::{CommandError, Which, say, within};

/// Show the log of a server
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server, as `armadillo ps` shows it
    #[arg(add = complete::servers())]
    server: String,
    /// Go on until the server's deployment ends
    #[arg(short, long)]
    follow: bool,
    /// Show only the last N lines of what is there
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn logs(args: &Args) -> ExitCode {
    within(&args.which, async |session| {
        let mut log = session.server(&args.server)?.log().whole();
        let there = log.lines().await.map_err(failed)?;
        let skipped = args
            .lines
            .map_or(0, |lines| there.len().saturating_sub(lines));
        let shown: String = there.iter().skip(skipped).map(line).collect();
        if !say(&shown) || !args.follow {
            return Ok(());
        }
        // Those that were shown, and what came since.
        let mut known = there.len();
        loop {
            let next = match log.next().await {
                Ok(next) => next,
                // That is what was waited for.
                Err(_) if !session.found().lives() => return Ok(()),
                Err(LeaseError::Ended { .. }) => return Ok(()),
                Err(error) => return Err(failed(error)),
            };
            let new: String = next.iter().skip(known).map(line).collect();
            known = known.saturating_sub(next.len());
            if !new.is_empty() && !say(&new) {
                return Ok(());
            }
        }
    })
}

fn line(line: &LogLine) -> String {
    format!("{}\n", line.line)
}

fn failed(error: LeaseError) -> CommandError {
    CommandError::Other(error.to_string())
}
