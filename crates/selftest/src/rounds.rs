//! Things done many times at random moments: how often, and which moments. The seed is printed, so that a round can be
//! done again.

use std::time::Duration;

use armadillo_orchestrator::random::Random;

/// The variable that says how often: 6 unless it is set.
pub const ROUNDS: &str = "ARMADILLO_ROUNDS";

/// The variable with the seed of the moments.
pub const SEED: &str = "SELFTEST_SEED";

/// How many rounds there are to be.
#[must_use]
pub fn rounds() -> u32 {
    number(ROUNDS)
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(6)
}

/// A third of the rounds, and at least three.
#[must_use]
pub fn third() -> u32 {
    (rounds() / 3).max(3)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Random moments, different from run to run unless the seed is given.
pub struct Moments(Random);

impl Moments {
    /// For the rounds with this name; says the seed.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let fresh = now.map_or(0, |time| u64::from(time.subsec_nanos()));
        let seed = number(SEED).unwrap_or(fresh);
        println!("{name}: {SEED}={seed}");
        Self(Random::new(seed))
    }

    /// A moment below `limit`.
    pub fn below(&mut self, limit: Duration) -> Duration {
        self.0.time_below(limit)
    }
}

/// How long each round took, for a line at the end.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort();
        let at = |part: usize| {
            sorted.get((sorted.len() * part / 100).min(sorted.len().saturating_sub(1)))
        };
        let seconds = |time: Option<&Duration>| time.map_or(0.0, Duration::as_secs_f64);
        let (median, worst) = (seconds(at(50)), seconds(sorted.last()));
        write!(
            f,
            "{} rounds, median {median:.3} s, worst {worst:.3} s",
            sorted.len()
        )
    }
}
