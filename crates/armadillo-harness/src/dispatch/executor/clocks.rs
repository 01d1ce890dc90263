//! The clocks of an attempt: each phase has its own.

use std::time::{Duration, Instant};

use armadillo_orchestrator::duration::{millis, times};

use crate::failure::Failure;
use crate::protocol::worker::{Phase, PhaseLimits};
use crate::trace::Trace;

/// How long fixtures may take to be set up, before the factor.
const SET_UP: Duration = Duration::from_secs(60);

/// How long fixtures may take to be torn down, before the factor.
const TEAR_DOWN: Duration = Duration::from_secs(30);

/// How long a body may take to be dropped after it was told to end, before the factor. A body that blocks its thread is
/// never dropped; its worker is killed after this.
const DROP: Duration = Duration::from_secs(3);

/// How long a process may take to say where its test is, before the factor.
const SAY_WHERE: Duration = Duration::from_secs(10);

impl PhaseLimits {
    /// The limits of an attempt whose body has this one; the others are multiplied with `factor`.
    pub(in crate::dispatch) fn of(body: Duration, factor: f64) -> Self {
        let millis = |limit: Duration| Some(millis(limit));
        Self {
            set_up: millis(times(SET_UP, factor)),
            body: millis(body),
            tear_down: millis(times(TEAR_DOWN, factor)),
        }
    }

    /// The limit of one phase, if it has one.
    pub(in crate::dispatch) fn limit(&self, phase: Phase) -> Option<Duration> {
        let millis = match phase {
            Phase::SetUp => self.set_up,
            Phase::Body => self.body,
            Phase::TearDown => self.tear_down,
        };
        millis.map(Duration::from_millis)
    }
}

/// The limits of one attempt and the clock that runs.
pub(in crate::dispatch) struct Clocks {
    limits: PhaseLimits,
    factor: f64,
    phase: Phase,
    deadline: Option<Instant>,
    begun: Instant,
    /// When the test is said to be slow, and after how long again.
    slow: Option<(Instant, Duration)>,
    late: Option<Late>,
}

/// A limit was reached.
struct Late {
    /// In this phase.
    phase: Phase,
    /// Where the test was then.
    at: Vec<Trace>,
    cancelled: bool,
}

/// What is to be done when the running clock has expired.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask where the test is.
    Ask,
    /// Collect evidence, and tell the test to end: nobody has said where it is.
    Cancel,
    /// Give it up: it does not end.
    GiveUp,
}

impl Clocks {
    /// Starts with the body: a test without fixtures has no other phase and reports none.
    pub(in crate::dispatch) fn start(
        limits: PhaseLimits,
        slow: Option<Duration>,
        factor: f64,
    ) -> Self {
        let begun = Instant::now();
        let slow = slow.map(|slow| times(slow, factor));
        let mut clocks = Self {
            limits,
            // A smaller one shortens what a test may take, not what its end takes.
            factor: factor.max(1.0),
            phase: Phase::Body,
            deadline: None,
            begun,
            slow: slow.and_then(|slow| Some((begun.checked_add(slow)?, slow))),
            late: None,
        };
        clocks.enter(Phase::Body);
        clocks
    }

    /// A phase begins.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        if self.late.as_ref().is_some_and(|late| !late.cancelled) {
            return;
        }
        self.deadline = self
            .limits
            .limit(phase)
            .and_then(|limit| Instant::now().checked_add(limit));
    }

    /// What is due now that the running clock has expired.
    pub(super) fn due(&self) -> Due {
        match &self.late {
            None => Due::Ask,
            Some(late) if !late.cancelled => Due::Cancel,
            Some(_) => Due::GiveUp,
        }
    }

    /// The limit of the phase was reached, and the test's process was asked where it is.
    pub(super) fn ask(&mut self) {
        self.late = Some(Late {
            phase: self.phase,
            at: Vec::new(),
            cancelled: false,
        });
        self.deadline = Instant::now().checked_add(times(SAY_WHERE, self.factor));
    }

    /// The process has said where its test is. Whether it was asked because of a limit.
    pub(super) fn answered(&mut self, at: &[Trace]) -> bool {
        match &mut self.late {
            Some(late) if !late.cancelled => {
                late.at = at.to_vec();
                true
            }
            _ => false,
        }
    }

    /// The test was told to end: it has a moment to drop its body.
    pub(super) fn cancel(&mut self) {
        if let Some(late) = &mut self.late {
            late.cancelled = true;
        }
        self.deadline = Instant::now().checked_add(times(DROP, self.factor));
    }

    /// Waits for the end of the running clock.
    pub(super) async fn expired(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the test is to be said to be slow, the first time or again.
    pub(super) async fn slow(&self) {
        match self.slow {
            Some((at, _)) if self.late.is_none() => tokio::time::sleep_until(at.into()).await,
            _ => std::future::pending().await,
        }
    }

    /// The test is said to be slow; how long it has run.
    pub(super) fn told_slow(&mut self) -> Duration {
        self.slow = self
            .slow
            .and_then(|(_, after)| Some((Instant::now().checked_add(after)?, after)));
        self.begun.elapsed()
    }

    /// What to say of the limit that was reached, if one was.
    pub(super) fn late(&self) -> Option<Failure> {
        let Late { phase, at, .. } = self.late.as_ref()?;
        let limit = self.limits.limit(*phase).unwrap_or_default();
        let message = match phase {
            Phase::SetUp => format!("fixture set-up did not finish within {limit:?}"),
            Phase::Body => format!("the test did not finish within {limit:?}"),
            Phase::TearDown => format!("fixture tear-down did not finish within {limit:?}"),
        };
        Some(Failure {
            message,
            traces: at.clone(),
        })
    }
}
