//! How many deployments of each topology tests may share at the same time, and why.

#[cfg(test)]
mod tests;

use super::Plan;
use super::cost::{Cost, costs};
use super::forecast::{Forecast, Work, forecast};
use crate::event::{CopiesReason, PlannedCopies};
use crate::history::History;
use crate::leases::Moment;
use crate::needs::{LeaseMode, Need};
use crate::options::Copies;
use crate::resources::Resources;

/// How many forecasts may be made for one plan.
const MOST_FORECASTS: usize = 24;

/// More memory than any deployments take.
const ANY_MEMORY: u64 = u64::MAX / 2;

/// Decides for this plan, and says what there is to say; nothing if nobody asked for copies.
pub(crate) fn decide(
    plan: &mut Plan,
    copies: Copies,
    slots: usize,
    has: Resources,
    history: &History,
) -> Option<PlannedCopies> {
    // A script has decided already.
    if copies == Copies::default() || plan.topologies.is_empty() || plan.script.is_some() {
        return None;
    }
    let costs = costs(&plan.topologies, history);
    let (counts, why, no_room) = match copies {
        Copies::Exactly(number) => {
            let number = number.get() as usize;
            let (counts, no_room) = exactly(number, plan, &costs, has.memory_mib);
            let copies = u32::try_from(number).unwrap_or(u32::MAX);
            (counts, CopiesReason::Said { copies }, no_room)
        }
        Copies::Auto => auto(plan, &costs, slots, has),
    };
    for (planned, count) in plan.topologies.iter_mut().zip(counts) {
        planned.copies = if plan.attached.contains(&planned.topology.system) {
            1
        } else {
            u32::try_from(count).unwrap_or(u32::MAX)
        };
    }
    let several = plan.topologies.iter().filter(|planned| planned.copies > 1);
    Some(PlannedCopies {
        of: several
            .map(|planned| (planned.topology.to_string(), planned.copies))
            .collect(),
        why,
        no_room_in_mib: no_room.then_some(has.memory_mib),
    })
}

/// When the run is expected to end, in microseconds from its start; `None` if the durations of most of its tests are unknown.
pub(crate) fn expected_end(
    plan: &Plan,
    slots: usize,
    has: Resources,
    history: &History,
) -> Option<Moment> {
    let known = plan.tests.iter().filter(|test| test.expected.is_some());
    if known.count() * 2 < plan.tests.len().max(1) || plan.script.is_some() {
        return None;
    }
    let costs = costs(&plan.topologies, history);
    let copies = plan
        .topologies
        .iter()
        .map(|planned| planned.copies as usize);
    let work = Work::of(plan, &costs, slots, has);
    Some(forecast(&work, &copies.collect::<Vec<_>>()).end)
}

/// So many of each, as far as there are tests for them and one topology's copies fit into the memory; whether all that
/// fits at the same time, too. If not, the daemon starts as many as there is room for.
fn exactly(number: usize, plan: &Plan, costs: &[Cost], memory_mib: u64) -> (Vec<usize>, bool) {
    let wanted = tests_of(plan, |_| true).into_iter();
    let wanted: Vec<usize> = wanted.map(|tests| number.min(tests).max(1)).collect();
    let together = wanted.iter().zip(costs);
    let together: u64 = together
        .map(|(count, cost)| *count as u64 * cost.takes.memory_mib)
        .sum();
    let fitting = wanted.iter().zip(costs).map(|(count, cost)| {
        let fit = memory_mib
            .checked_div(cost.takes.memory_mib)
            .unwrap_or(ANY_MEMORY);
        (*count)
            .min(usize::try_from(fit).unwrap_or(usize::MAX))
            .max(1)
    });
    (fitting.collect(), together > memory_mib)
}

/// As many as make the run end sooner by more than their starts cost; whether there is no room for more that would.
fn auto(
    plan: &Plan,
    costs: &[Cost],
    slots: usize,
    has: Resources,
) -> (Vec<usize>, CopiesReason, bool) {
    let one_each = vec![1; costs.len()];
    let on_deployments = plan.tests.iter().filter(|test| !test.needs.is_empty());
    if on_deployments.clone().all(|test| test.expected.is_none()) {
        return (one_each, CopiesReason::NothingRecorded, false);
    }
    let most = most(plan, slots);
    if most.iter().all(|most| *most < 2) {
        return (one_each, CopiesReason::NobodyWaits, false);
    }
    let work = Work::of(plan, costs, slots, has);
    let first = forecast(&work, &one_each);
    let choice = choose(&work, &first, &most);
    let without_limit = without_limit(&work, &most);
    let no_room = (without_limit.as_ref())
        .filter(|other| other.extra > choice.extra && other.costs() < choice.costs());
    let instead_of_us = first.end;
    let why = match (choice.extra > 0, no_room) {
        (true, _) => CopiesReason::Pays {
            ends_us: choice.end,
            instead_of_us,
        },
        (false, Some(other)) => CopiesReason::WouldPay {
            ends_us: other.end,
            instead_of_us,
        },
        (false, None) => CopiesReason::DoesNotPay,
    };
    (choice.copies, why, no_room.is_some())
}

/// How many copies of each could be of use: tests that share do not wait for each other, so one at least wants it alone.
fn most(plan: &Plan, slots: usize) -> Vec<usize> {
    let alone = tests_of(plan, |need| need.mode == LeaseMode::Exclusive);
    let all = tests_of(plan, |_| true);
    let each = alone.into_iter().zip(all);
    each.map(|(alone, all)| if alone == 0 { 1 } else { all.min(slots).max(1) })
        .collect()
}

/// How many tests use a deployment of each topology that is not theirs alone from start to stop.
fn tests_of(plan: &Plan, which: impl Fn(&Need) -> bool) -> Vec<usize> {
    let needs = plan.tests.iter().flat_map(|test| &test.needs);
    let needs: Vec<&Need> = needs
        .filter(|need| !need.mode.is_fresh() && which(need))
        .collect();
    let of = |planned: &super::PlannedTopology| {
        let same = needs
            .iter()
            .filter(|need| need.topology == planned.topology);
        same.count()
    };
    plan.topologies.iter().map(of).collect()
}

/// Copies of each topology, and what comes of them.
struct Choice {
    copies: Vec<usize>,
    end: Moment,
    /// What the starts of second and later copies cost together.
    extra: Moment,
}

impl Choice {
    /// What is to be as small as possible.
    fn costs(&self) -> Moment {
        self.end + self.extra
    }
}

/// Adds one copy after the other of the topology whose tests end last, and takes the best of all that came up. Not the first
/// that is better: where two topologies take equally long, a copy of one of them alone changes nothing; and of four tests
/// three copies end no sooner than two.
fn choose(work: &Work, first: &Forecast, most: &[usize]) -> Choice {
    let mut copies = vec![1; most.len()];
    let mut now = first.clone();
    let mut best = Choice {
        copies: copies.clone(),
        end: first.end,
        extra: 0,
    };
    // What is tried: more copies than `copies` of the topology at this place.
    let mut trial = copies.clone();
    let mut of_no_use = vec![false; most.len()];
    for _ in 0..MOST_FORECASTS {
        let open = (0..most.len()).filter(|at| trial[*at] < most[*at] && !of_no_use[*at]);
        let Some(at) = open.max_by_key(|at| now.last[*at]) else {
            break;
        };
        trial[at] += 1;
        let next = forecast(work, &trial);
        if next.last[at] >= now.last[at] {
            if trial[at] == most[at] {
                of_no_use[at] = true;
                trial[at] = copies[at];
            }
            continue;
        }
        copies.clone_from(&trial);
        now = next;
        let choice = Choice {
            extra: extra(work, &copies),
            copies: copies.clone(),
            end: now.end,
        };
        if choice.costs() < best.costs() {
            best = choice;
        }
    }
    best
}

/// What the starts of second and later copies cost together.
fn extra(work: &Work, copies: &[usize]) -> Moment {
    let each = work.topologies.iter().zip(copies);
    each.map(|((_, cost), count)| cost.start * (*count as Moment - 1))
        .sum()
}

/// What would be chosen if memory were no matter; `None` if it is none.
fn without_limit(work: &Work, most: &[usize]) -> Option<Choice> {
    let each = work.topologies.iter().zip(most);
    let all: u64 = each
        .map(|((_, cost), most)| cost.takes.memory_mib * *most as u64)
        .sum();
    if all <= work.has.memory_mib {
        return None;
    }
    let work = Work {
        has: Resources {
            memory_mib: ANY_MEMORY,
            ..work.has
        },
        ..work.clone()
    };
    let first = forecast(&work, &vec![1; most.len()]);
    Some(choose(&work, &first, most))
}
