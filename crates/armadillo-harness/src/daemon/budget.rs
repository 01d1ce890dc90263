//! The memory that all runs of a user share: what this one holds is written down for the others, and what they hold is seen before
//! anything is started.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use armadillo_orchestrator::RunDir;
use armadillo_orchestrator::run_dir::reservation::{Reservation, Reservations};

use super::Daemon;
use super::drive::{Step, take};
use crate::clock::monotonic_us;
use crate::event::EventKind;
use crate::leases::{Action, Input, Others};
use crate::protocol::start::Start;

/// How long others may look.
const LIMIT: Duration = Duration::from_secs(1);

/// How often somebody who waits for others looks. Nothing announces that they hold less.
const PAUSE: Duration = Duration::from_millis(250);

/// How often somebody who could give way looks whether others wait.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// This run's part of it.
pub(super) struct Budget {
    reservations: Reservations,
    /// What others see of this run.
    written: Cell<Option<Reservation>>,
    /// Since when it waits for others, by a clock that all runs have.
    waits_since_us: Cell<Option<u64>>,
    /// What all runs may hold together; `None`: this run's limit is its own.
    total_mib: Option<u64>,
}

impl Budget {
    /// The first run says what there is for all: it has seen the machine without any of their servers. Later ones adopt that.
    pub(super) fn new(orders: &Start, run_dir: &RunDir) -> Self {
        let reservations = Reservations::of(run_dir);
        let look = reservations.look(LIMIT).inspect_err(|error| {
            tracing::warn!(%error, "cannot see what other runs hold");
        });
        let totals = look.iter().flat_map(|look| &look.others);
        let others = totals.filter_map(|other| other.total_mib).max();
        let budget = Self {
            reservations,
            written: Cell::new(None),
            waits_since_us: Cell::new(None),
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
        let now = Reservation::new(memory_mib, self.total_mib, self.waits_since_us.get());
        if self.written.replace(Some(now)) == Some(now) {
            return;
        }
        if let Err(error) = self.reservations.write(&now) {
            tracing::debug!(%error, "other runs do not see what this one holds");
        }
    }

    fn others(&self, seen: &[Reservation]) -> Others {
        let own = Reservation::new(0, None, self.waits_since_us.get());
        Others {
            memory_mib: sum(seen),
            wait: seen.iter().any(|other| other.waits_since_us.is_some()),
            have_waited_longer: seen.iter().any(|other| other.has_waited_longer_than(&own)),
        }
    }
}

fn sum(all: &[Reservation]) -> u64 {
    let each = all.iter().map(|one| one.memory_mib);
    each.fold(0, u64::saturating_add)
}

/// The core sees what others hold, and starts what fits beside it, before anybody else does.
pub(super) fn look(daemon: &Daemon) -> Vec<Action> {
    let budget = &daemon.budget;
    let look = budget.reservations.look(LIMIT);
    let seen = match &look {
        Ok(look) => look.others.as_slice(),
        Err(error) => {
            tracing::warn!(%error, "cannot see what other runs hold");
            &[]
        }
    };
    let others = budget.others(seen);
    let actions = take(daemon, Input::Looked { others });
    note(daemon);
    tell(daemon, others);
    actions
}

/// Others see what this run holds after a step.
pub(super) fn note(daemon: &Daemon) {
    let budget = &daemon.budget;
    let core = daemon.core.borrow();
    let waits = core.waits_since().is_some();
    if waits != budget.waits_since_us.get().is_some() {
        budget.waits_since_us.set(waits.then(monotonic_us));
    }
    budget.write(core.holds_mib());
}

/// Says it once each time that it begins to wait.
fn tell(daemon: &Daemon, others: Others) {
    let waits = daemon.core.borrow().waits_since().is_some();
    if waits == daemon.waits_for_others.replace(waits) || !waits {
        return;
    }
    let (held, total) = (others.memory_mib, daemon.budget.total_mib);
    let text = format!(
        "waiting for memory: other runs of this user hold {held} of {} MiB; `armadillo ps --all` shows deployments that are up",
        total.unwrap_or_default()
    );
    daemon.log.emit(EventKind::Warning { text });
}

/// Looks again and again while that is of use.
pub(super) async fn watch(daemon: Rc<Daemon>) {
    loop {
        let waits = daemon.core.borrow().waits_since().is_some();
        tokio::time::sleep(if waits { PAUSE } else { LONG_PAUSE }).await;
        if daemon.core.borrow().looks_out() {
            super::drive::step(&daemon, Step::Look);
        }
    }
}
