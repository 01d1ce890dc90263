//! `armadillo completions` and `armadillo man`: made from the command line itself.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use crate::session::{CommandError, code};

/// Print completions for a shell
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  armadillo completions bash > ~/.local/share/bash-completion/completions/armadillo"
)]
pub(crate) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(args: &Completions, mut command: Command) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "armadillo", &mut text);
    print(&text)
}

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

fn print(text: &[u8]) -> ExitCode {
    // Whoever closed stdout wants to see no more.
    let _ = io::stdout().write_all(text);
    ExitCode::SUCCESS
}
