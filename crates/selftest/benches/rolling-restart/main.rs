//! What a rolling restart of etcd × 3 costs its writers, beside the same done by hand:
//! `cargo bench -p armadillo-selftest --bench rolling-restart`.
//!
//! `ARMADILLO_ROUNDS` (10) times each, in turn, each on a new cluster, with the same writers, the same program and the same timers.
//! Prints; judges nothing.

mod by_hand;
mod figures;
mod ours;
mod process;
mod stop;
mod writers;

use std::process::ExitCode;

use figures::{Figures, Round};
use stop::Stop;

/// Why there is no figure.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Cargo passes `--bench`; every other call is one of the suite's own.
fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("--bench") {
        return armadillo::main();
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (ours, by_hand) = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        let rounds = std::env::var("ARMADILLO_ROUNDS").ok();
        let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(10);
        let (mut ours, mut by_hand) = (Figures::default(), Figures::default());
        for number in 1..=rounds {
            let directory = directory.path().join(number.to_string());
            let (round, members) = stop.unless(ours::round(&directory)).await?;
            report(number, "the operation", &round);
            ours.add(round);
            let round = stop.unless(by_hand::round(&members, &directory)).await?;
            report(number, "by hand", &round);
            by_hand.add(round);
        }
        Ok::<_, Failed>((ours, by_hand))
    })?;
    println!(
        "a rolling restart of etcd × 3 with {} writers",
        writers::WRITERS
    );
    println!("the operation: {ours}");
    println!("by hand:       {by_hand}");
    if let (Some(ours), Some(by_hand)) = (ours.median_gap(), by_hand.median_gap()) {
        println!("longest gap, median by median: {:.2}", ours / by_hand);
    }
    Ok(())
}

/// A round, for a person who waits.
fn report(number: usize, who: &str, round: &Round) {
    eprintln!("round {number}, {who}: {round}");
}
