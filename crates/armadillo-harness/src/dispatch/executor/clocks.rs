//! The clocks of an attempt: each phase has its own.

use std::time::{Duration, Instant};

use armadillo_orchestrator::duration::millis;

use crate::protocol::worker::{Phase, PhaseLimits};

/// How long fixtures may take to be set up, before the factor.
const SET_UP: Duration = Duration::from_secs(60);

/// How long fixtures may take to be torn down, before the factor.
const TEAR_DOWN: Duration = Duration::from_secs(30);

/// How long a body may take to be dropped after it was told to end, before the factor. A body that blocks its thread is
/// never dropped; its worker is killed after this.
const DROP: Duration = Duration::from_secs(1);

impl PhaseLimits {
    /// The limits of an attempt whose body has this one; the others are multiplied with `factor`.
    pub(in crate::dispatch) fn of(body: Duration, factor: f64) -> Self {
        let millis = |limit: Duration| Some(millis(limit));
        Self {
            set_up: millis(SET_UP.mul_f64(factor)),
            body: millis(body),
            tear_down: millis(TEAR_DOWN.mul_f64(factor)),
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
    cancelled: Option<Phase>,
}

impl Clocks {
    /// Starts with the body: a test without fixtures has no other phase and reports none.
    pub(in crate::dispatch) fn start(limits: PhaseLimits, factor: f64) -> Self {
        let mut clocks = Self {
            limits,
            factor,
            phase: Phase::Body,
            deadline: None,
            cancelled: None,
        };
        clocks.enter(Phase::Body);
        clocks
    }

    /// A phase begins.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.deadline = self
            .limits
            .limit(phase)
            .and_then(|limit| Instant::now().checked_add(limit));
    }

    /// The limit of the phase was reached, and the test was told: it has a moment to drop its body.
    pub(super) fn cancel(&mut self) {
        self.cancelled.get_or_insert(self.phase);
        self.deadline = Instant::now().checked_add(DROP.mul_f64(self.factor));
    }

    /// Whether a limit was reached.
    pub(super) fn is_late(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Waits for the end of the running clock.
    pub(super) async fn expired(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    }

    /// What to say of the limit that was reached, if one was.
    pub(super) fn late(&self) -> Option<String> {
        let phase = self.cancelled?;
        let limit = self.limits.limit(phase).unwrap_or_default();
        Some(match phase {
            Phase::SetUp => format!("its fixtures were not set up within {limit:?}"),
            Phase::Body => format!("it did not end within {limit:?}"),
            Phase::TearDown => format!("its fixtures were not torn down within {limit:?}"),
        })
    }
}
