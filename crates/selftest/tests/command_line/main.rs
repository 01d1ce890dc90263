//! What can be said on a command line, in the environment and in `armadillo.toml`: clear messages, documented exit codes,
//! nothing left behind.

mod contradictions;
mod copies;
mod earlier_runs;
mod endings;
mod histories;
mod listings;
mod repeats;
mod reports;
mod selecting;
mod settings;
mod shards;
mod wrong;

use armadillo_selftest::{Ran, Suite, meeting};

fn suite(args: &[&str]) -> Suite {
    let suite = Suite::new(env!("CARGO_BIN_EXE_commands")).args(args);
    let place = suite.home().join("meeting");
    suite.env(meeting::PLACE, place)
}

/// Runs the suite; nothing may be left of it.
fn run(args: &[&str]) -> Ran {
    let ran = suite(args).run();
    assert_eq!(ran.remains(), [""; 0], "{}", ran.said());
    ran
}

/// The names of the tests in the lines of stdout, in their order.
fn tests(ran: &Ran) -> Vec<String> {
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("test "));
    let names = lines.filter_map(|line| Some(line.split_once(" ... ")?.0.to_owned()));
    names.collect()
}
