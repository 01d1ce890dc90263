//! Rounds, until enough of them count.

use std::time::Duration;

use armadillo_harness::fixture::TestContext;
use tokio::time::Instant;

use crate::check::violations;
use crate::fault::Fault;
use crate::history::{History, Recorder};
use crate::load::Shape;
use crate::random::Random;
use crate::report::{Report, RoundReport};
use crate::round::Round;
use crate::servers::Servers;
use crate::subject::Subject;

/// How long a failover is taken to be until one was seen. It is waited for twice as long where nobody knows whether
/// there will be one, and a system that is slower would never be seen to promote the wrong server in a first round.
const FAILOVER: Duration = Duration::from_secs(4);

/// How many rounds may be played beyond twice the number that is to count.
const SPARE: u32 = 8;

/// Rounds that are to count, and how they are.
#[derive(Clone)]
pub struct Proof {
    seed: u64,
    /// What the report calls the seed: what makes the choices again.
    told: u64,
    rounds: u32,
    faults: Vec<Fault>,
    clients: usize,
    patience: Duration,
    limit: Duration,
    context: Option<TestContext>,
}

/// The proof is not given.
#[derive(Debug, thiserror::Error)]
#[error("{why}\n{report}")]
pub struct ProofError {
    /// In one sentence.
    pub why: String,
    /// All rounds until then.
    pub report: Report,
    /// The history of the last of them.
    pub history: History,
}

impl Proof {
    /// Ten rounds with the choices of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            told: seed,
            rounds: 10,
            faults: Fault::ALL.to_vec(),
            clients: 6,
            patience: Duration::from_secs(1),
            limit: Duration::from_secs(30),
            context: None,
        }
    }

    /// The same with the seed of the test. The report has the run's, from which the test's is made: `--seed` and that number
    /// make the same choices again. What comes out is kept with the test's results:
    /// `consistency.txt`, and the history of a round that went wrong as `history-N.jsonl`.
    #[must_use]
    pub fn of_test(cx: &TestContext) -> Self {
        Self {
            context: Some(cx.clone()),
            told: cx.run_seed(),
            ..Self::new(cx.seed())
        }
    }

    /// How many rounds are to count. At most twice as many are played, and a few.
    #[must_use]
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// What happens to servers: one fault after the other, from one that the seed says.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = faults.into_iter().collect();
        self
    }

    /// How many clients write and read at once; 6 if not said.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// How long a client waits for an answer; 1 s if not said. Better less than a failover takes: a client that waits
    /// through it does not see what happens meanwhile.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long each step of a round may take (another leader, everything in sync, ...); 30 s if not said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Plays rounds until enough count.
    ///
    /// # Errors
    /// At the first round with answers that no register could have given, or that does not come to its end; and when too
    /// few rounds count.
    pub async fn run<S: Subject, V: Servers>(
        &self,
        subject: &S,
        servers: &V,
    ) -> Result<Report, ProofError> {
        let outcome = self.play(subject, servers).await;
        if let Some(cx) = &self.context {
            let report = match &outcome {
                Ok(report) => report,
                Err(error) => &error.report,
            };
            // What cannot be kept is still in the error.
            let text = format!("{report}\n\n{}", report.round_lines());
            let _ = cx.attach("consistency.txt", text);
            if let Err(error) = &outcome
                && let Ok(lines) = error.history.to_json_lines()
            {
                let _ = cx.attach(&format!("history-{}.jsonl", report.rounds.len()), lines);
            }
        }
        outcome
    }

    async fn play<S: Subject, V: Servers>(
        &self,
        subject: &S,
        servers: &V,
    ) -> Result<Report, ProofError> {
        let mut random = Random::new(self.seed);
        let first = random.below(self.faults.len());
        let mut faults = self.faults.iter().cycle().skip(first);
        let mut report = Report {
            seed: self.told,
            wanted: self.rounds,
            rounds: Vec::new(),
            broken: None,
        };
        let mut history = History::default();
        let enough = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        let Some(mut fault) = faults.next() else {
            return Ok(report);
        };
        for number in 1..=self.rounds.saturating_mul(2).saturating_add(SPARE) {
            if report.counted() >= enough {
                break;
            }
            let begun = Instant::now();
            let mut round = Round {
                subject,
                servers,
                recorder: Recorder::default(),
                shape: self.shape(number),
                limit: self.step_limit(),
                random: random.branch(),
                fault: *fault,
                failover: report.failovers().max().unwrap_or(FAILOVER),
            };
            let played = round.play().await;
            history = round.recorder.history();
            let mut this = RoundReport::new(number, *fault, &history);
            this.took = begun.elapsed();
            this.violations = violations(&history);
            match played {
                Ok(played) => {
                    this.in_flight = played.in_flight;
                    this.failovers = played.failovers;
                    this.not_counted = played.not_counted;
                }
                Err(broken) => {
                    this.not_counted = Some("it did not come to its end".to_owned());
                    report.broken = Some(broken.to_string());
                }
            }
            tracing::info!("{this}");
            // One that does not count is played again with other choices.
            if this.counts() {
                fault = faults.next().unwrap_or(fault);
            }
            report.rounds.push(this);
            if report.broken.is_some() || report.violations().next().is_some() {
                break;
            }
        }
        match verdict(&report) {
            None => Ok(report),
            Some(why) => Err(ProofError {
                why,
                report,
                history,
            }),
        }
    }

    fn shape(&self, round: u32) -> Shape {
        Shape {
            clients: self.clients,
            patience: self.patience,
            prefix: format!("r{round}"),
        }
    }

    /// How long a step may take, now that so much of the test's time has passed.
    fn step_limit(&self) -> Duration {
        let left = self.context.as_ref().map(|cx| cx.deadline().left());
        left.map_or(self.limit, |left| left.min(self.limit))
    }
}

/// Why the proof is not given, if so.
fn verdict(report: &Report) -> Option<String> {
    let violations = report.violations().count();
    if violations > 0 {
        let round = report.rounds.len();
        return Some(format!(
            "round {round} has answers that no register gives, of {violations} keys"
        ));
    }
    if let Some(broken) = &report.broken {
        return Some(broken.clone());
    }
    let counted = report.counted();
    let is_enough = usize::try_from(report.wanted).is_ok_and(|wanted| counted >= wanted);
    (!is_enough).then(|| format!("only {counted} of {} rounds count", report.wanted))
}
