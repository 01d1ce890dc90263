//! The memory that all runs of a user share: what others hold is no room for what this one starts.
//!
//! Nothing is started before somebody has looked at what the others hold *at this moment*: the core asks with [`Action::Look`], and
//! starts in the same step in which it is told. Whoever drives it keeps others from starting something in that step. While something
//! is held back, the driver looks again and again by itself.

use super::deployment::State;
use super::supply::Room;
use super::{Action, DeploymentNo, Leases, Moment, StopReason};
use crate::resources::Resources;

/// How long tests wait for memory that other runs hold, while nothing else goes on in their own.
pub(crate) const LIMIT: Moment = 10 * 60 * 1_000_000;

/// What other runs hold, and want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// The memory of their deployments, in MiB.
    pub(crate) memory_mib: u64,
    /// Whether one of them waits for memory.
    pub(crate) wait: bool,
    /// How much the one of them wants, in MiB, that has waited longest, if it has waited for longer than this run.
    pub(crate) first_wants_mib: Option<u64>,
}

/// What all runs have together.
pub(super) struct Budget {
    total_mib: u64,
    others: Others,
    /// Whether `others` is how it is in this step.
    is_current: bool,
    /// Whether the driver was asked to look and has not answered.
    is_asked: bool,
    /// What is held back because of others.
    held: Option<Held>,
    /// Whether another copy of what is there is held back. Nobody waits for it.
    holds_copy: bool,
    /// Since when nothing else goes on here while something is held back.
    stuck_since: Option<Moment>,
}

/// A deployment that others leave no room for.
#[derive(Clone, Copy)]
struct Held {
    since: Moment,
    wants_mib: u64,
    /// Whether it still was in this step.
    is_current: bool,
}

/// What the budget says of one more deployment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// There is room.
    Yes,
    /// Others hold it, or come first.
    Held,
    /// Nobody has looked.
    Unknown,
}

impl Leases {
    /// The same for one of several runs whose deployments may take this much memory together.
    pub(crate) fn sharing(self, total_mib: u64) -> Self {
        let budget = Budget {
            total_mib,
            others: Others::default(),
            is_current: false,
            is_asked: false,
            held: None,
            holds_copy: false,
            stuck_since: None,
        };
        Self {
            budget: Some(budget),
            ..self
        }
    }

    /// What its deployments hold, in MiB.
    pub(crate) fn holds_mib(&self) -> u64 {
        self.used().memory_mib
    }

    /// How much memory it waits for because other runs hold it, in MiB.
    pub(crate) fn wants_mib(&self) -> Option<u64> {
        Some(self.budget.as_ref()?.held?.wants_mib)
    }

    /// Whether something is held back until the next look.
    pub(crate) fn waits_for_look(&self) -> bool {
        let waits = |budget: &Budget| budget.is_asked || budget.held.is_some() || budget.holds_copy;
        self.budget.as_ref().is_some_and(waits)
    }

    /// Whether it is of use to look what others hold, and want, although nothing happens here.
    pub(crate) fn looks_out(&self) -> bool {
        let mut all = self.deployments.values();
        let could_give_way = self.budget.is_some() && self.lingers && all.any(|on| on.is_idle());
        could_give_way || self.waits_for_look()
    }

    pub(super) fn looked(&mut self, others: Others) {
        let Some(budget) = &mut self.budget else {
            return;
        };
        let waits = budget.held.is_some();
        budget.others = others;
        budget.is_current = true;
        budget.is_asked = false;
        budget.holds_copy = false;
        if let Some(held) = &mut budget.held {
            held.is_current = false;
        }
        if others.wait && self.lingers {
            self.evict_one();
        }
        if waits && others.first_wants_mib.is_some() {
            // Two that wait for each other would do so until both give up.
            self.give_way();
        }
    }

    /// What the driver has seen was so in this step only.
    pub(super) fn forget_look(&mut self) {
        let Some(budget) = &mut self.budget else {
            return;
        };
        let looked = std::mem::take(&mut budget.is_current);
        if looked && budget.held.is_some_and(|held| !held.is_current) {
            self.is_held_back_no_more();
        }
    }

    /// Nothing is held back.
    pub(super) fn is_held_back_no_more(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.held = None;
            budget.stuck_since = None;
        }
    }

    /// Starts a deployment for which there is room here, if others leave it room. Whether it was started. One that could wait, another
    /// copy of what is there, is not waited for.
    pub(super) fn start_if_others_leave_room(
        &mut self,
        no: DeploymentNo,
        order: i64,
        could_wait: bool,
    ) -> bool {
        let takes = self.known[self.deployments[&no].topology].takes;
        match self.says(takes) {
            Says::Yes => {
                self.is_held_back_no_more();
                self.start(no);
                return true;
            }
            Says::Unknown => self.ask(),
            Says::Held if could_wait => {
                if let Some(budget) = &mut self.budget {
                    budget.holds_copy = true;
                }
            }
            Says::Held => self.hold_back(order, takes.memory_mib),
        }
        false
    }

    fn says(&self, takes: Resources) -> Says {
        let Some(budget) = &self.budget else {
            return Says::Yes;
        };
        if !budget.is_current {
            return Says::Unknown;
        }
        let now = self
            .used()
            .memory_mib
            .saturating_add(budget.others.memory_mib);
        let with = now.saturating_add(takes.memory_mib);
        // What the first in line can have now is left for it. What it cannot have anyway keeps nobody from anything.
        let first = budget.others.first_wants_mib.unwrap_or(0);
        let can_have_it = now.saturating_add(first) <= budget.total_mib;
        let left = if can_have_it { first } else { 0 };
        match with.saturating_add(left) <= budget.total_mib {
            true => Says::Yes,
            false => Says::Held,
        }
    }

    /// Asks the driver to look, unless it does so anyway.
    fn ask(&mut self) {
        if let Some(budget) = &mut self.budget
            && budget.held.is_none()
            && !budget.holds_copy
            && !std::mem::replace(&mut budget.is_asked, true)
        {
            self.out.push(Action::Look);
        }
    }

    fn hold_back(&mut self, order: i64, wants_mib: u64) {
        let goes_on = self.make_room(order) == Room::Later;
        let now = self.now;
        let Some(budget) = &mut self.budget else {
            return;
        };
        let since = budget.held.map_or(now, |held| held.since);
        budget.held = Some(Held {
            since,
            wants_mib,
            is_current: true,
        });
        if goes_on {
            budget.stuck_since = None;
            return;
        }
        // It stays so until something is started: all that wait are refused, one in each step.
        let stuck_since = *budget.stuck_since.get_or_insert(now);
        if now.saturating_sub(stuck_since) > LIMIT {
            let (held, total) = (budget.others.memory_mib, budget.total_mib);
            let minutes = LIMIT / 60_000_000;
            self.refuse(
                order,
                format!(
                    "waited {minutes} min for memory: other runs of this user hold {held} MiB, and all together may hold {total} MiB; \
                     `armadillo ps --all` shows deployments that are up"
                ),
            );
        }
    }

    /// Stops every idle deployment, also those for whom somebody waits here: they are started again later.
    fn give_way(&mut self) {
        let idle = (self.deployments.iter()).filter(|(_, on)| on.is_idle());
        let idle: Vec<DeploymentNo> = idle.map(|(no, _)| *no).collect();
        for no in idle {
            if !self.fixtures_are_kept(no) {
                self.stop(no, StopReason::MakesRoom, false);
            }
        }
    }
}

impl super::Deployment {
    /// Whether it is up, and nobody has it or is to look at it.
    fn is_idle(&self) -> bool {
        self.state == State::Ready && self.holders.is_empty() && !self.kept
    }
}
