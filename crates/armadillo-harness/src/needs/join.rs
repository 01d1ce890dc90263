//! How many deployments the arguments of one function need together, and which argument uses which.
//!
//! Handles name deployments: each `Fresh<_>` one of its own, those of equal kind and lease the same one. What fits any
//! deployment of its kind, such as a fixture made from a handle, is on the one that is there, or brings it if there is
//! none. Those that leave the least to choose come first, so that the order of the arguments decides nothing.

use armadillo_orchestrator::StaticTopology;

use super::binding::Bindings;
use super::fit::{Rank, fits, is_unclear};
use super::problem::{Problem, Text};
use super::{Fitting, LeaseMode, MOST, Needs, Wanted};

/// An argument of a test or of a fixture.
#[derive(Clone, Copy)]
pub struct Argument {
    needs: Needs,
    on: &'static [usize],
}

impl Argument {
    pub(crate) const fn new(needs: Needs) -> Self {
        Self { needs, on: &[] }
    }

    /// With a topology said of it, which makes its deployment one of its own.
    ///
    /// # Errors
    /// When it uses no deployment that can have this topology, or several; why.
    pub const fn topology(mut self, topology: StaticTopology) -> Result<Self, &'static str> {
        match self.needs.only_that_fits(&topology) {
            Fitting::None if self.needs.count == 0 => {
                Err("the argument does not use a deployment, so it has no topology")
            }
            Fitting::None => Err("the argument uses no deployment of this kind"),
            Fitting::Said => Err("the topology of that deployment is already set"),
            Fitting::Several => Err("the argument uses several deployments of this kind"),
            Fitting::One(index) => {
                self.needs.say(index, topology);
                Ok(self)
            }
        }
    }

    /// On the deployments of these other arguments, as far as they fit.
    #[must_use]
    pub const fn on(mut self, others: &'static [usize]) -> Self {
        self.on = others;
        self
    }

    const fn wanted(&self, request: usize) -> Option<&Wanted> {
        if request < self.needs.count {
            self.needs.wanted[request].as_ref()
        } else {
            None
        }
    }
}

/// What the arguments of a function need together, or why that cannot be said.
#[derive(Clone, Copy)]
pub struct Joined {
    needs: Needs,
    pub(super) problem: Option<(usize, Problem)>,
}

impl Joined {
    /// What they need, and which argument uses what of it.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        self.needs
    }

    /// What is wrong with one argument, if something is; `names` are those of all.
    #[must_use]
    pub const fn complaint(&self, argument: usize, names: &[&str]) -> Option<Text> {
        match self.problem {
            Some((at, problem)) if at == argument => Some(problem.text(names[at], names)),
            _ => None,
        }
    }

    /// What is wrong, where nobody knows the arguments' names.
    pub(crate) const fn any_complaint(&self) -> Option<Text> {
        const NAMES: [&str; 8] = [
            "input 1", "input 2", "input 3", "input 4", "input 5", "input 6", "input 7", "input 8",
        ];
        match self.problem {
            Some((at, _)) => self.complaint(at, &NAMES),
            None => None,
        }
    }
}

/// Finds out what the arguments need together.
#[must_use]
pub const fn join(arguments: &[Argument]) -> Joined {
    let mut joining = Joining {
        slots: [None; MOST],
        count: 0,
        chosen: [[None; MOST]; 8],
        problem: None,
    };
    let mut rank = 0;
    while rank < Rank::COUNT {
        joining.choose_all(arguments, rank);
        rank += 1;
    }
    joining.check_on(arguments);
    Joined {
        needs: joining.in_order(arguments),
        problem: joining.problem,
    }
}

/// A deployment that has been found to be needed.
#[derive(Clone, Copy)]
struct Slot {
    wanted: Wanted,
    /// The argument that brought it.
    owner: usize,
}

struct Joining {
    slots: [Option<Slot>; MOST],
    count: usize,
    /// By argument and by what it asks for, the number of its slot.
    chosen: [[Option<usize>; MOST]; 8],
    problem: Option<(usize, Problem)>,
}

impl Joining {
    const fn choose_all(&mut self, arguments: &[Argument], rank: u8) {
        let mut at = 0;
        while at < arguments.len() {
            let mut request = 0;
            while let Some(wanted) = arguments[at].wanted(request) {
                if Rank::of(wanted, !arguments[at].on.is_empty()) == rank && self.problem.is_none()
                {
                    match self.choice(at, arguments[at].on, wanted, rank) {
                        Ok(Some(slot)) => self.attach(at, request, slot, wanted),
                        Ok(None) => self.bring(at, request, wanted),
                        Err(problem) => self.problem = Some((at, problem)),
                    }
                }
                request += 1;
            }
            at += 1;
        }
    }

    /// The slot of what an argument asks for: among those it is said to be on, if one of them fits. `None` for a new one.
    const fn choice(
        &self,
        at: usize,
        on: &[usize],
        wanted: &Wanted,
        rank: u8,
    ) -> Result<Option<usize>, Problem> {
        if rank == Rank::NEW {
            return Ok(None);
        }
        match self.choice_among(at, Some(on), wanted, rank) {
            Ok(None) => self.choice_among(at, None, wanted, rank),
            choice => choice,
        }
    }

    /// The slot that fits, among those of the arguments in `on`, or among all.
    const fn choice_among(
        &self,
        at: usize,
        on: Option<&[usize]>,
        wanted: &Wanted,
        rank: u8,
    ) -> Result<Option<usize>, Problem> {
        let mut found = None;
        let mut i = 0;
        while let Some(slot) = self.slot(i) {
            let is_looked_at = match on {
                Some(on) => self.is_of(i, on),
                None => true,
            };
            if is_looked_at && fits(&slot.wanted, wanted) {
                if self.is_of(i, &[at]) {
                    // What one argument asks for twice are two deployments.
                    if slot.owner != at {
                        return Err(Problem::Several(slot.owner));
                    }
                } else if is_unclear(&slot.wanted, wanted, rank) {
                    return Err(Problem::Unclear(slot.owner));
                } else if let Some(other) = found {
                    return Err(Problem::Ambiguous(self.owner(other), slot.owner));
                } else {
                    found = Some(i);
                }
            }
            i += 1;
        }
        Ok(found)
    }

    const fn slot(&self, index: usize) -> Option<&Slot> {
        if index < self.count {
            self.slots[index].as_ref()
        } else {
            None
        }
    }

    const fn owner(&self, slot: usize) -> usize {
        match self.slot(slot) {
            Some(slot) => slot.owner,
            None => 0,
        }
    }

    /// Whether one of the arguments uses the slot.
    const fn is_of(&self, slot: usize, arguments: &[usize]) -> bool {
        let mut i = 0;
        while i < arguments.len() {
            let mut request = 0;
            while request < MOST {
                if matches!(self.chosen[arguments[i]][request], Some(chosen) if chosen == slot) {
                    return true;
                }
                request += 1;
            }
            i += 1;
        }
        false
    }

    const fn bring(&mut self, at: usize, request: usize, wanted: &Wanted) {
        if self.count == MOST {
            self.problem = Some((at, Problem::TooMany));
            return;
        }
        self.slots[self.count] = Some(Slot {
            wanted: *wanted,
            owner: at,
        });
        self.chosen[at][request] = Some(self.count);
        self.count += 1;
    }

    /// Two that are one deployment: with what either says of its topology, and the stronger lease.
    const fn attach(&mut self, at: usize, request: usize, slot: usize, wanted: &Wanted) {
        self.chosen[at][request] = Some(slot);
        let Some(slot) = &mut self.slots[slot] else {
            return;
        };
        let says_more = match (&slot.wanted.need.topology, &wanted.need.topology) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(old), Some(new)) => {
                (old.is_any() && !new.is_any()) || (old.is_plain() && !new.is_plain())
            }
        };
        if says_more && !slot.wanted.said {
            slot.wanted.need.topology = wanted.need.topology;
        }
        if slot.wanted.need.lease.is(LeaseMode::Shared) {
            slot.wanted.need.lease = wanted.need.lease;
        }
    }

    /// Each argument that another is said to be on shares a deployment with it.
    const fn check_on(&mut self, arguments: &[Argument]) {
        let mut at = 0;
        while at < arguments.len() && self.problem.is_none() {
            let mut i = 0;
            while i < arguments[at].on.len() {
                if !self.share(at, arguments[at].on[i]) {
                    self.problem = Some((at, Problem::NotOn(arguments[at].on[i])));
                }
                i += 1;
            }
            at += 1;
        }
    }

    const fn share(&self, one: usize, other: usize) -> bool {
        let mut slot = 0;
        while slot < self.count {
            if self.is_of(slot, &[one]) && self.is_of(slot, &[other]) {
                return true;
            }
            slot += 1;
        }
        false
    }

    /// The deployments in the order in which the arguments use them. For whoever has these needs they are no longer
    /// named by a handle.
    const fn in_order(&self, arguments: &[Argument]) -> Needs {
        let mut needs = Needs::NOTHING;
        let mut bindings = Bindings::NONE;
        let mut numbers = [None; MOST];
        let mut at = 0;
        while at < arguments.len() {
            let mut request = 0;
            while request < arguments[at].needs.count {
                if let Some(chosen) = self.chosen[at][request]
                    && let Some(slot) = self.slot(chosen)
                {
                    let number = match numbers[chosen] {
                        Some(number) => number,
                        None => {
                            let mut wanted = slot.wanted;
                            wanted.by_handle = false;
                            needs.wanted[needs.count] = Some(wanted);
                            needs.count += 1;
                            needs.count - 1
                        }
                    };
                    numbers[chosen] = Some(number);
                    bindings.add(at, number);
                }
                request += 1;
            }
            at += 1;
        }
        needs.bindings = bindings;
        needs
    }
}
