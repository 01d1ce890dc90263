//! `armadillo man`: made from the command line itself.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;

use crate::session::{CommandError, code};

/// Write manual pages: one for the command, and one for each of its commands
#[derive(clap::Args)]
#[command(after_help = "Example:\n  armadillo man ~/.local/share/man/man1")]
pub(crate) struct Manuals {
    /// The directory for them
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn man(args: &Manuals, command: Command) -> ExitCode {
    let directory = &args.directory;
    let written =
        fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    code(written.map_err(|error| {
        CommandError::Other(format!("cannot write to {}: {error}", directory.display()))
    }))
}
