//! The memory that all runs of a user share: what others hold is no room for what this one starts.
//!
//! Nothing is started before somebody has looked at what the others hold *at this moment*: the core asks with [`Action::Look`], and
//! starts in the same step in which it is told. Whoever drives it keeps others from starting something in that step.

use super::deployment::State;
use super::supply::Room;
use super::{Action, DeploymentNo, Leases, Moment, StopReason};
use crate::resources::Resources;

/// How long a test waits for memory that other runs hold.
pub(crate) const LIMIT: Moment = 10 * 60 * 1_000_000;

/// What other runs hold, and want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others {
    /// The memory of their deployments, in MiB.
    pub(crate) memory_mib: u64,
    /// Whether one of them waits for memory.
    pub(crate) wait: bool,
    /// Whether one of them has waited for longer than this one does.
    pub(crate) have_waited_longer: bool,
}

/// What all runs have together.
pub(super) struct Budget {
    total_mib: u64,
    others: Others,
    /// Whether `others` is how it is in this step.
    is_current: bool,
    /// Whether the driver was asked to look.
    is_asked: bool,
    /// Since when a deployment waits for what others hold.
    waits_since: Option<Moment>,
}

/// What the budget says of one more deployment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// There is room.
    Yes,
    /// Others hold it.
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
            waits_since: None,
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

    /// Since when it waits for memory that other runs hold.
    pub(crate) fn waits_since(&self) -> Option<Moment> {
        self.budget.as_ref()?.waits_since
    }

    /// Whether it is of use to look what others hold, and want, although nothing happens here.
    pub(crate) fn looks_out(&self) -> bool {
        let could_give_way = self.lingers && self.deployments.values().any(|on| on.is_idle());
        self.budget
            .as_ref()
            .is_some_and(|budget| budget.waits_since.is_some() || could_give_way)
    }

    pub(super) fn looked(&mut self, others: Others) {
        let Some(budget) = &mut self.budget else {
            return;
        };
        let waits = budget.waits_since.is_some();
        budget.others = others;
        budget.is_current = true;
        budget.is_asked = false;
        if others.wait && self.lingers {
            self.evict_one();
        }
        if waits && others.have_waited_longer {
            // Two that wait for each other would do so until both give up.
            self.give_way();
        }
    }

    /// What the driver has seen was so in this step only.
    pub(super) fn forget_look(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.is_current = false;
        }
    }

    /// Nothing is to be started: nothing waits.
    pub(super) fn waits_no_more(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.waits_since = None;
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
                self.waits_no_more();
                self.start(no);
                return true;
            }
            Says::Unknown => self.ask(),
            Says::Held if could_wait => {}
            Says::Held => {
                if self.make_room(order) == Room::Never {
                    self.wait_for_others(order);
                }
            }
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
        let with = self.used().memory_mib.saturating_add(takes.memory_mib);
        match with.saturating_add(budget.others.memory_mib) <= budget.total_mib {
            true => Says::Yes,
            false => Says::Held,
        }
    }

    /// Asks the driver to look. While it waits for others, the driver looks again and again by itself.
    fn ask(&mut self) {
        if let Some(budget) = &mut self.budget
            && budget.waits_since.is_none()
            && !std::mem::replace(&mut budget.is_asked, true)
        {
            self.out.push(Action::Look);
        }
    }

    fn wait_for_others(&mut self, order: i64) {
        let now = self.now;
        let Some(budget) = &mut self.budget else {
            return;
        };
        let since = *budget.waits_since.get_or_insert(now);
        if now.saturating_sub(since) > LIMIT {
            budget.waits_since = None;
            let (held, total) = (budget.others.memory_mib, budget.total_mib);
            self.refuse(
                order,
                format!(
                    "waited {} min for memory: other runs of this user hold {held} MiB, and all together may hold {total} MiB; \
                     `armadillo ps --all` shows deployments that are up",
                    LIMIT / 60_000_000
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
