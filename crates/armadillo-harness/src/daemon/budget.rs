//! The memory that all runs of a user share: what this one holds is written down for the others, and what they hold is seen before
//! anything is started.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::RunDir;
use armadillo_orchestrator::run_dir::reservation::{Reservation, Reservations, Waits};

use super::Daemon;
use super::drive::{Step, take};
use crate::clock::monotonic_us;
use crate::event::EventKind;
use crate::leases::{Action, Input, Others};
use crate::protocol::start::Start;

/// How long the first look may take, before anybody is served.
const FIRST_LIMIT: Duration = Duration::from_secs(1);

/// How long any other may take. The daemon does nothing else meanwhile, so it rather looks again later.
const LIMIT: Duration = Duration::from_millis(20);

/// How often somebody who waits for others looks. Nothing announces that they hold less.
const PAUSE: Duration = Duration::from_millis(250);

/// How often somebody who could give way looks whether others wait.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// This run's part of it.
pub(super) struct Budget {
    reservations: Reservations,
    /// What others see of this run.
    written: Cell<Option<Reservation>>,
    /// What this run waits for, and since when, by a clock that all runs have.
    waits: Cell<Option<Waits>>,
    /// Whether it was said that this run waits.
    is_told: Cell<bool>,
    /// What all runs may hold together; `None`: this run's limit is its own.
    total_mib: Option<u64>,
}

impl Budget {
    /// The first run says what there is for all: it has seen the machine without any of their servers. Later ones adopt that.
    pub(super) fn new(orders: &Start, run_dir: &RunDir) -> Self {
        let reservations = Reservations::of(run_dir);
        let look = reservations.look(FIRST_LIMIT).inspect_err(|error| {
            tracing::warn!(%error, "cannot see what other runs hold");
        });
        let totals = look.iter().flat_map(|look| &look.others);
        let others = totals.filter_map(|other| other.total_mib).max();
        let budget = Self {
            reservations,
            written: Cell::new(None),
            waits: Cell::new(None),
            is_told: Cell::new(false),
            total_mib: (orders.shares_memory).then(|| others.unwrap_or(orders.memory_mib)),
        };
        budget.write(0);
        budget
    }

    pub(super) fn total_mib(&self) -> Option<u64> {
        self.total_mib
    }

    /// Others see what this run holds now.
    fn write(&self, memory_mib: u64) {
        let now = Reservation::new(memory_mib, self.total_mib, self.waits.get());
        if self.written.replace(Some(now)) == Some(now) {
            return;
        }
        if let Err(error) = self.reservations.write(&now) {
            tracing::debug!(%error, "other runs do not see what this one holds");
        }
    }

    fn others(&self, seen: &[Reservation]) -> Others {
        let own = Reservation::new(0, None, self.waits.get()).place_in_line();
        let waiting = seen.iter().filter(|other| other.waits.is_some());
        let first = waiting.min_by_key(|other| other.place_in_line());
        let first_before = first.filter(|first| first.place_in_line() < own);
        Others {
            memory_mib: sum(seen),
            wait: first.is_some(),
            first_wants_mib: first_before.and_then(|first| Some(first.waits?.memory_mib)),
        }
    }
}

fn sum(all: &[Reservation]) -> u64 {
    let each = all.iter().map(|one| one.memory_mib);
    each.fold(0, u64::saturating_add)
}

/// The core sees what others hold, and starts what fits beside it, before anybody else does. If they cannot be seen now, it waits for
/// the next look.
pub(super) fn look(daemon: &Daemon) -> Vec<Action> {
    let budget = &daemon.budget;
    let look = match budget.reservations.look(LIMIT) {
        Ok(look) => look,
        Err(error) => {
            tracing::warn!(%error, "cannot see what other runs hold");
            return Vec::new();
        }
    };
    let others = budget.others(&look.others);
    let actions = take(daemon, Input::Looked { others });
    note(daemon);
    tell(daemon, others);
    drop(look);
    actions
}

/// Others see what this run holds after a step.
pub(super) fn note(daemon: &Daemon) {
    let budget = &daemon.budget;
    let core = daemon.core.borrow();
    let since = budget.waits.get().map(|waits| waits.since_us);
    let waits = core.wants_mib().map(|memory_mib| Waits {
        since_us: since.unwrap_or_else(monotonic_us),
        memory_mib,
    });
    budget.waits.set(waits);
    if waits.is_none() {
        // The next wait is another one.
        budget.is_told.set(false);
    }
    budget.write(core.holds_mib());
}

/// Says it once each time that it begins to wait.
fn tell(daemon: &Daemon, others: Others) {
    let budget = &daemon.budget;
    if budget.waits.get().is_none() || budget.is_told.replace(true) {
        return;
    }
    let (held, total) = (others.memory_mib, budget.total_mib.unwrap_or_default());
    let text = format!(
        "waiting for memory: other runs of this user hold {held} of {total} MiB; `armadillo ps --all` shows deployments that are up"
    );
    daemon.log.emit(EventKind::Warning { text });
}

/// Looks again and again while that is of use.
pub(super) async fn watch(daemon: Rc<Daemon>) {
    loop {
        let waits = daemon.core.borrow().waits_for_look();
        tokio::time::sleep(if waits { PAUSE } else { LONG_PAUSE }).await;
        if daemon.core.borrow().looks_out() {
            super::drive::step(&daemon, Step::Look);
        }
    }
}
