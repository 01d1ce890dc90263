//! Forecasts of small runs, each of which can be told by hand.

use std::collections::BTreeMap;

use super::*;
use crate::plan::PlannedTopology;

fn topology(shape: &str) -> Topology {
    Topology {
        system: "toy".to_owned(),
        shape: shape.to_owned(),
        params: BTreeMap::new(),
        words: Default::default(),
        options: Vec::new(),
        binaries: BTreeMap::new(),
        data: None,
    }
}

/// What takes so much memory and nothing of the cores, or has it and cores for all.
const fn memory(memory_mib: u64) -> Resources {
    Resources {
        memory_mib,
        cpu_percent: 0,
    }
}

/// Deployments of these costs, each of one MiB, and memory for all.
pub(crate) fn work(slots: usize, costs: &[(Moment, Moment)]) -> Work {
    let each = costs.iter().enumerate();
    let topologies = each.map(|(number, (start, repair))| {
        let cost = Cost {
            takes: memory(1),
            start: *start,
            repair: *repair,
        };
        (Arc::new(topology(&format!("shape{number}"))), cost)
    });
    Work {
        slots,
        has: memory(1_000),
        topologies: topologies.collect(),
        jobs: Vec::new(),
    }
}

impl Work {
    /// And so many tests of this kind and length.
    pub(crate) fn with(
        mut self,
        count: usize,
        needs: &[(usize, LeaseMode)],
        takes: Moment,
    ) -> Self {
        let needs = needs.to_vec();
        let job = Job { needs, takes };
        self.jobs.extend(std::iter::repeat_n(job, count));
        self
    }
}

const ALONE: [(usize, LeaseMode); 1] = [(0, LeaseMode::Exclusive)];
const SHARED: [(usize, LeaseMode); 1] = [(0, LeaseMode::Shared)];

#[test]
fn tests_that_want_a_deployment_alone_wait_for_each_other() {
    let work = work(4, &[(200, 10)]).with(4, &ALONE, 100);
    // A start, four tests, a repair between each two.
    assert_eq!(forecast(&work, &[1]).end, 200 + 4 * 100 + 3 * 10);
    assert_eq!(forecast(&work, &[2]).end, 200 + 2 * 100 + 10);
    assert_eq!(forecast(&work, &[4]).end, 200 + 100);
}

#[test]
fn tests_that_share_wait_for_slots_only() {
    let work = work(2, &[(200, 10)]).with(4, &SHARED, 100);
    assert_eq!(forecast(&work, &[1]).end, 200 + 2 * 100);
    assert_eq!(forecast(&work, &[2]).end, 200 + 2 * 100);
}

#[test]
fn tests_without_a_deployment_fill_the_time_of_its_start() {
    let work = work(1, &[(200, 0)]).with(2, &[], 100).with(1, &SHARED, 50);
    assert_eq!(forecast(&work, &[1]).end, 250);
}

#[test]
fn a_test_may_bring_its_own_or_need_several() {
    let fresh = [(0, LeaseMode::Fresh)];
    let own = work(1, &[(200, 0)]).with(1, &fresh, 100);
    assert_eq!(forecast(&own, &[1]).end, 300);
    let both = [(0, LeaseMode::Shared), (1, LeaseMode::Exclusive)];
    let two = work(2, &[(200, 0), (300, 0)]).with(1, &both, 100);
    let ends = forecast(&two, &[1, 1]);
    assert_eq!((ends.end, ends.last), (400, vec![400, 400]));
}

#[test]
fn what_does_not_fit_into_the_memory_waits_for_room() {
    let mut work = work(2, &[(200, 0), (200, 0)]).with(1, &SHARED, 100).with(
        1,
        &[(1, LeaseMode::Shared)],
        100,
    );
    assert_eq!(forecast(&work, &[1, 1]).end, 300);
    work.has.memory_mib = 1;
    assert_eq!(forecast(&work, &[1, 1]).end, 300 + STOP + 300);
    // A second copy of the first would leave no room for the second.
    work.has.memory_mib = 2;
    assert_eq!(forecast(&work, &[2, 1]).end, 300);
}

#[test]
fn what_does_not_fit_onto_the_cores_waits_unless_it_never_would() {
    let mut work = work(2, &[(200, 0), (200, 0)]).with(1, &SHARED, 100).with(
        1,
        &[(1, LeaseMode::Shared)],
        100,
    );
    for (_, cost) in &mut work.topologies {
        cost.takes.cpu_percent = 60;
    }
    work.has.cpu_percent = 120;
    assert_eq!(forecast(&work, &[1, 1]).end, 300);
    work.has.cpu_percent = 119;
    assert_eq!(forecast(&work, &[1, 1]).end, 300 + STOP + 300);
    // One alone takes what there is.
    work.has.cpu_percent = 1;
    assert_eq!(forecast(&work, &[1, 1]).end, 300 + STOP + 300);
    // A test that needs both gets both.
    let both = [(0, LeaseMode::Shared), (1, LeaseMode::Shared)];
    let work = work.with(1, &both, 100);
    assert!(forecast(&work, &[1, 1]).end >= 300 + STOP + 300);
    let alone = Work {
        jobs: work.jobs[2..].to_vec(),
        ..work
    };
    assert_eq!(forecast(&alone, &[1, 1]).end, 500);
}

/// A plan of so many equal tests that each want a deployment alone.
fn plan_of(count: usize, expected: Option<std::time::Duration>) -> Plan {
    use crate::collect::tests::{definition, marked};
    let def = marked(definition("suite", "a_test", 1), &[], None);
    let need = crate::needs::Need {
        topology: topology("shape0"),
        mode: LeaseMode::Exclusive,
    };
    let planned = || Planned {
        test: crate::collect::Test::new(def, std::borrow::Cow::Borrowed(&[])),
        name: def.name(),
        needs: vec![need.clone()],
        expected,
        earlier: None,
        recorded: None,
        limit: std::time::Duration::MAX,
        retries: 0,
    };
    Plan {
        tests: std::iter::repeat_with(planned).take(count).collect(),
        topologies: vec![PlannedTopology {
            topology: topology("shape0"),
            copies: 1,
            apart: 0,
        }],
        attached: std::collections::BTreeSet::new(),
        script: None,
    }
}

#[test]
fn of_many_tests_neighbours_count_as_one_and_take_as_long() {
    let cost = Cost {
        takes: memory(1),
        start: 2_000,
        repair: 50,
    };
    let took = std::time::Duration::from_micros(300);
    for count in [1, MOST, 10 * MOST + 1] {
        let work = Work::of(&plan_of(count, Some(took)), &[cost], 4, memory(1_000));
        assert!(work.jobs.len() <= MOST);
        let count = count as Moment;
        let end = 2_000 + count * 300 + (count - 1) * 50;
        assert_eq!(forecast(&work, &[1]).end, end);
    }
}

#[test]
fn what_was_never_seen_takes_as_long_as_the_others() {
    let cost = Cost {
        takes: memory(1),
        start: 0,
        repair: 0,
    };
    let took = std::time::Duration::from_micros(300);
    let mut plan = plan_of(2, Some(took));
    plan.tests.extend(plan_of(1, None).tests);
    let work = Work::of(&plan, &[cost], 1, memory(1_000));
    assert_eq!(forecast(&work, &[1]).end, 900);
}

#[test]
fn a_test_that_takes_longest_itself_does_not_wait_for_short_ones_that_came_first() {
    let work = work(2, &[(0, 0), (0, 0)])
        .with(4, &SHARED, 25)
        .with(1, &ALONE, 1_000)
        .with(9, &[(1, LeaseMode::Exclusive)], 100);
    // One of the short ones began before the copy was there.
    assert_eq!(forecast(&work, &[2, 1]).end, 1_025);
    // On one copy it comes after those that share it.
    assert_eq!(forecast(&work, &[1, 1]).end, 1_050);
}
