//! The `armadillo` command: `armadillo --help`.

mod bisect;
mod ci;
mod complete;
mod control;
mod exec;
mod flags;
mod get;
mod history;
mod init;
mod logs;
mod look;
mod manuals;
mod nextest_config;
mod operations;
mod ps;
mod replay;
mod reports;
mod rolling;
mod session;
mod shared;
mod table;
mod test;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

// The systems register themselves.
use armadillo as _;
use clap::{CommandFactory, Parser, Subcommand};

/// Clusters for tests and programs in any language
#[derive(Parser)]
#[command(name = "armadillo", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Args),
    NextestConfig(nextest_config::Args),
    Exec(exec::Args),
    Up(up::Args),
    Ps(ps::Args),
    Logs(logs::Args),
    /// Kill servers (SIGKILL)
    Kill(control::Servers),
    /// Stop servers gracefully
    Stop(control::Servers),
    /// Start servers that do not run, and wait until they are ready
    Start(control::Servers),
    /// Stop servers gracefully, start them, and wait until they are ready
    Restart(control::Servers),
    /// Freeze servers: they keep their connections and answer nothing
    Pause(control::Servers),
    /// Resume paused servers
    Resume(control::Servers),
    RollingRestart(rolling::Restart),
    Upgrade(rolling::Upgrade),
    Downgrade(rolling::Downgrade),
    Operations(operations::Operations),
    Cancel(operations::Cancel),
    Cut(control::Cut),
    Heal(control::Heal),
    Down(control::Down),
    Init(init::Args),
    Get(get::Args),
    Merge(reports::Merge),
    History(history::Args),
    Replay(replay::Args),
    Bisect(bisect::Args),
    Ci(ci::Args),
    Completions(complete::Completions),
    Man(manuals::Manuals),
    /// Try out what Armadillo assumes of this machine and of the servers
    #[command(disable_help_flag = true)]
    Doctor {
        /// The flags of a run of tests: `--etcd 3.6`, `--arangod PATH`, `--json FILE`, names of checks
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "FLAGS"
        )]
        flags: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    // Daemon, warden and the stand-in are this executable, too.
    if let Some(code) = armadillo_harness::part() {
        return code;
    }
    complete::answer::<Args>();
    match Args::parse().command {
        Command::Test(args) => test::test(&args),
        Command::NextestConfig(args) => nextest_config::nextest_config(&args),
        Command::Exec(args) => exec::exec(args),
        Command::Up(args) => up::up(args),
        Command::Ps(args) => ps::ps(&args),
        Command::Logs(args) => logs::logs(&args),
        Command::Kill(servers) => control::operate(&servers, control::Verb::Kill),
        Command::Stop(servers) => control::operate(&servers, control::Verb::Stop),
        Command::Start(servers) => control::operate(&servers, control::Verb::Start),
        Command::Restart(servers) => control::operate(&servers, control::Verb::Restart),
        Command::Pause(servers) => control::operate(&servers, control::Verb::Pause),
        Command::Resume(servers) => control::operate(&servers, control::Verb::Resume),
        Command::RollingRestart(restart) => rolling::restart(&restart),
        Command::Upgrade(upgrade) => rolling::upgrade(&upgrade),
        Command::Downgrade(downgrade) => rolling::downgrade(&downgrade),
        Command::Operations(args) => operations::operations(&args),
        Command::Cancel(args) => operations::cancel(&args),
        Command::Cut(cut) => control::cut(&cut),
        Command::Heal(heal) => control::heal(&heal),
        Command::Down(down) => control::down(&down),
        Command::Init(args) => init::init(&args),
        Command::Get(args) => get::command(args),
        Command::Merge(args) => reports::merge(&args),
        Command::Ci(args) => ci::ci(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Bisect(args) => bisect::bisect(&args),
        Command::History(args) => history::history(&args),
        Command::Completions(args) => complete::completions(&args),
        Command::Man(args) => manuals::man(&args, Args::command()),
        Command::Doctor { flags } => {
            let flags: Vec<OsString> = ["--doctor".into()].into_iter().chain(flags).collect();
            armadillo_harness::main_with(&flags)
        }
    }
}
