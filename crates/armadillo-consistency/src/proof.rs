//! Rounds, until enough of them count.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use armadillo_harness::fixture::TestContext;
use armadillo_harness::outcome::Inconclusive;
use armadillo_orchestrator::Deadline;
use tokio::time::Instant;

use crate::check::violations;
use crate::fault::Fault;
use crate::history::{History, Recorder};
use crate::load::Shape;
use crate::report::{Report, RoundReport};
use crate::round::{Broken, Round};
use crate::servers::Servers;
use crate::subject::Subject;
use crate::wait::Waits;
use armadillo_orchestrator::random::Random;

/// How long a failover is taken to be until one was seen, before the factor. It is waited for twice as long where nobody knows whether
/// there will be one, and a system that is slower would never be seen to promote the wrong server in a first round.
const FAILOVER: Duration = Duration::from_secs(4);

/// How many rounds may be played beyond twice the number that is to count, before the factor.
const SPARE: u32 = 8;

/// How many times as many writes begin at once, at most, after rounds that did not count.
const MOST_EAGER: usize = 4;

/// What a proof that is not given says of the system.
static NOTHING_KNOWN: Inconclusive = Inconclusive::because("not enough was observed");

/// Rounds that are to count, and how they are.
#[derive(Clone)]
pub struct Proof {
    seed: u64,
    /// What the report calls the seed: what makes the choices again.
    told: u64,
    rounds: u32,
    /// Nothing said: all that the system offers.
    faults: Option<Vec<Fault>>,
    /// The versions of the one upgrade; none without one.
    path: Vec<String>,
    clients: usize,
    patience: Duration,
    limit: Duration,
    factor: f64,
    end: Option<Deadline>,
    context: Option<TestContext>,
}

/// Why a proof is not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// No round was wanted. Nothing was started.
    #[error("0 rounds prove nothing: at least one round must count")]
    NoRounds,
    /// No fault was wanted. Nothing was started.
    #[error("rounds without a fault prove nothing: add at least one fault")]
    NoFaults,
    /// A fault was wanted that cannot happen to this system. Nothing was started.
    #[error("cannot run the fault \"{fault}\": {why}", fault = .0, why = .0.needs())]
    NotOffered(Fault),
    /// There are answers that no register could have given.
    #[error("round {round} is not linearizable for {keys} keys")]
    Violations {
        /// The number of the round, from 1: the last one.
        round: usize,
        /// How many keys have such answers.
        keys: usize,
    },
    /// The last round did not come to its end, for this reason.
    #[error("{0}")]
    Broken(String),
    /// Too many rounds proved nothing.
    #[error("only {counted} of {wanted} rounds counted")]
    TooFew {
        /// How many count.
        counted: usize,
        /// How many were wanted.
        wanted: u32,
    },
    /// The time was up before enough rounds counted.
    #[error("only {counted} of {wanted} rounds counted before the time limit")]
    OutOfTime {
        /// How many count.
        counted: usize,
        /// How many were wanted.
        wanted: u32,
    },
}

impl NoProof {
    /// Whether it says nothing of the system: too little was seen.
    #[must_use]
    pub fn is_inconclusive(&self) -> bool {
        matches!(self, Self::TooFew { .. } | Self::OutOfTime { .. })
    }
}

/// The proof is not given. A test that returns this where too little was seen ends as inconclusive.
#[derive(Debug)]
pub struct ProofError {
    /// In one sentence.
    pub why: NoProof,
    /// All rounds until then.
    pub report: Report,
    /// The history of the last of them.
    pub history: History,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.why, self.report)
    }
}

impl Error for ProofError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.why.is_inconclusive().then_some(&NOTHING_KNOWN as _)
    }
}

impl Proof {
    /// Ten rounds with the choices of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            told: seed,
            rounds: 10,
            faults: None,
            path: Vec::new(),
            clients: 6,
            patience: Duration::from_secs(1),
            limit: Duration::from_secs(30),
            factor: 1.0,
            end: None,
            context: None,
        }
    }

    /// The same with the seed, the time and the `--timeout-factor` of the test. The report has the run's, from which the test's is made: `--seed` and that number
    /// make the same choices again. What comes out is kept with the test's results:
    /// `consistency.txt`, and the history of a round that went wrong as `history-N.jsonl`.
    #[must_use]
    pub fn of_test(cx: &TestContext) -> Self {
        Self {
            context: Some(cx.clone()),
            told: cx.run_seed(),
            factor: cx.timeout_factor(),
            ..Self::new(cx.seed())
        }
    }

    /// How many rounds are to count, at least one. At most twice as many are played, and a few.
    #[must_use]
    pub fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds;
        self
    }

    /// What happens to servers: one fault after the other, from one that the seed says; at least one. If not said, all that
    /// can happen to the system.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = Some(faults.into_iter().collect());
        self
    }

    /// Upgrades the servers along this path of versions, when it is the turn of [`Fault::RollingUpgrade`], and never again. Whether
    /// they are there, `rolling_upgrade(path).plan()` of the handle says.
    #[must_use]
    pub fn upgrade<T: Into<String>>(mut self, path: impl IntoIterator<Item = T>) -> Self {
        self.path = path.into_iter().map(Into::into).collect();
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

    /// How long each step of a round may take (another leader, everything in sync, ...), before the factor; 30 s if not
    /// said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What limits are multiplied with, because the machine is slow or has other things to do; if not said, what
    /// `--timeout-factor` says to the test, or 1.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// When all must be over; if not said, with the test's time, or never.
    #[must_use]
    pub fn end(mut self, end: Deadline) -> Self {
        self.end = Some(end);
        self
    }

    /// Plays rounds until enough count.
    ///
    /// # Errors
    /// Before anything is started, when no round or no fault is wanted, or one that cannot happen to this system.
    /// At the first round with answers that no register could have given, or that does not come to its end; and when too
    /// few rounds count.
    pub async fn run<S: Subject, V: Servers>(
        &self,
        subject: &S,
        servers: &V,
    ) -> Result<Report, ProofError> {
        let outcome = match self.faults_of(subject, servers) {
            Ok(faults) => self.play(subject, servers, &faults).await,
            Err(why) => Err(ProofError {
                why,
                report: self.empty_report(),
                history: History::default(),
            }),
        };
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

    /// What is to happen to the servers of this system.
    fn faults_of<S: Subject, V: Servers>(
        &self,
        subject: &S,
        servers: &V,
    ) -> Result<Vec<Fault>, NoProof> {
        if self.rounds == 0 {
            return Err(NoProof::NoRounds);
        }
        let fronts = subject.fronts().len();
        let can_happen = |fault: &Fault| {
            let is_named = *fault != Fault::RollingUpgrade || !self.path.is_empty();
            is_named && fault.can_happen(fronts) && servers.offers(*fault)
        };
        let Some(wanted) = &self.faults else {
            return Ok(Fault::ALL.into_iter().filter(can_happen).collect());
        };
        match wanted.iter().find(|fault| !can_happen(fault)) {
            Some(fault) => Err(NoProof::NotOffered(*fault)),
            None if wanted.is_empty() => Err(NoProof::NoFaults),
            None => Ok(wanted.clone()),
        }
    }

    fn empty_report(&self) -> Report {
        Report {
            seed: self.told,
            wanted: self.rounds,
            rounds: Vec::new(),
            broken: None,
        }
    }

    /// Plays these faults, at least one.
    async fn play<S: Subject, V: Servers>(
        &self,
        subject: &S,
        servers: &V,
        faults: &[Fault],
    ) -> Result<Report, ProofError> {
        let mut random = Random::new(self.seed);
        let first = random.below(faults.len());
        let (before, after) = faults.split_at(first);
        let mut faults: VecDeque<Fault> = after.iter().chain(before).copied().collect();
        let mut report = self.empty_report();
        let mut history = History::default();
        let enough = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        let waits = self.waits();
        let mut missed: usize = 0;
        let mut out_of_time = false;
        for number in 1..=self.most_rounds() {
            if report.counted() >= enough {
                break;
            }
            // One that cannot come to its end is not begun.
            let longest = report.rounds.iter().map(|round| round.took).max();
            if longest.is_some_and(|longest| waits.left() < longest) {
                out_of_time = true;
                break;
            }
            let Some(fault) = faults.pop_front() else {
                break;
            };
            // Nobody upgrades to what is there.
            if fault != Fault::RollingUpgrade {
                faults.push_back(fault);
            }
            let begun = Instant::now();
            let mut round = Round {
                subject,
                servers,
                recorder: Recorder::default(),
                shape: self.shape(number),
                waits,
                eagerness: (1 + missed).min(MOST_EAGER),
                random: random.branch(),
                fault,
                path: &self.path,
                failover: report.failovers().max().unwrap_or(waits.slowed(FAILOVER)),
            };
            let played = round.play().await;
            history = round.recorder.history();
            let mut this = RoundReport::new(number, fault, &history);
            this.took = begun.elapsed();
            this.violations = violations(&history);
            match played {
                Ok(played) => {
                    this.in_flight = played.in_flight;
                    this.failovers = played.failovers;
                    this.not_counted = played.not_counted;
                }
                Err(broken) => {
                    this.not_counted = Some("it was not completed".to_owned());
                    report.broken = Some(broken.to_string());
                    out_of_time = matches!(&broken, Broken::InVain(vain) if waits.cut_short(vain));
                }
            }
            tracing::info!("{this}");
            if let Some(cx) = &self.context {
                crate::timeline::show(cx, &this, &history, round.recorder.begun());
            }
            // After one that does not count, more writes begin at once that a fault can meet. The next fault comes all the same: what a
            // busy machine spoils again and again must not keep the others from being played.
            missed += usize::from(!this.counts());
            report.rounds.push(this);
            if report.broken.is_some() || report.violations().next().is_some() {
                break;
            }
        }
        match verdict(&report, out_of_time) {
            None => Ok(report),
            Some(why) => Err(ProofError {
                why,
                report,
                history,
            }),
        }
    }

    /// How many rounds may be played.
    fn most_rounds(&self) -> u32 {
        let most = self.rounds.saturating_mul(2).saturating_add(SPARE);
        // On a slow machine more of them do not count.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast to a whole number ends at the largest"
        )]
        let slowed = (f64::from(most) * self.factor.max(1.0)) as u32;
        slowed
    }

    fn waits(&self) -> Waits {
        let of_test = self.context.as_ref().map(TestContext::deadline);
        let end = self.end.or(of_test);
        let never = Deadline::after(Duration::MAX);
        Waits::new(self.limit, self.factor, end.unwrap_or(never))
    }

    fn shape(&self, round: u32) -> Shape {
        Shape {
            clients: self.clients,
            patience: self.patience,
            prefix: format!("r{round}"),
        }
    }
}

/// Why the proof is not given, if so.
fn verdict(report: &Report, out_of_time: bool) -> Option<NoProof> {
    let keys = report.violations().count();
    if keys > 0 {
        let round = report.rounds.len();
        return Some(NoProof::Violations { round, keys });
    }
    if let Some(broken) = &report.broken
        && !out_of_time
    {
        return Some(NoProof::Broken(broken.clone()));
    }
    let (counted, wanted) = (report.counted(), report.wanted);
    let is_enough = usize::try_from(wanted).is_ok_and(|wanted| counted >= wanted);
    if is_enough {
        None
    } else if out_of_time {
        Some(NoProof::OutOfTime { counted, wanted })
    } else {
        Some(NoProof::TooFew { counted, wanted })
    }
}
