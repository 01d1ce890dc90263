//! The plan: which test needs which complete topology, in which order groups and tests are run.

pub(crate) mod copies;
mod cost;
mod forecast;
mod scripted;
pub(crate) mod shards;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use armadillo_orchestrator::duration::{micros, times};
use armadillo_orchestrator::system::completed;
use armadillo_orchestrator::{PlanError, Settings, System, Topology};

use crate::collect::Test;
use crate::event::PlannedTest;
use crate::history::Recorded;
use crate::needs::{LeaseMode, Need};
use crate::options::Running;

pub(crate) use scripted::{Scripted, scripted};

/// How long a test is thought to take that was never seen.
const UNKNOWN: Duration = Duration::from_millis(200);

/// More tests than this are no run: each of their repetitions counts.
const MOST_TESTS: usize = 200_000;

/// A test with everything the run needs to know of it.
pub(crate) struct Planned {
    /// The test.
    pub(crate) test: Test,
    /// Its name; repetitions after the first have `#2` and so on behind it.
    pub(crate) name: String,
    /// The deployments it needs, in the order of its arguments.
    pub(crate) needs: Vec<Need>,
    /// How long it took in earlier runs.
    pub(crate) expected: Option<Duration>,
    /// What those came to, if it did not always pass.
    pub(crate) earlier: Option<String>,
    /// How often earlier runs failed.
    pub(crate) recorded: Option<Recorded>,
    /// The time limit of its body.
    pub(crate) limit: Duration,
    /// How often it may be tried again.
    pub(crate) retries: u32,
}

/// The tests of a run in the order in which they are asked for.
#[derive(Default)]
pub(crate) struct Plan {
    /// All tests: those without a deployment, then group by group; within a group those that may spoil it last.
    pub(crate) tests: Vec<Planned>,
    /// The topologies in the order in which they are started.
    pub(crate) topologies: Vec<PlannedTopology>,
    /// The systems whose servers somebody else started: there is one deployment of each, which all tests share.
    pub(crate) attached: BTreeSet<String>,
    /// When its tests begin, and on which copies, if a script says so.
    pub(crate) script: Option<Scripted>,
}

/// A topology of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedTopology {
    pub(crate) topology: Topology,
    /// How many deployments of it are shared between tests at the same time.
    pub(crate) copies: u32,
    /// Equal topologies with different numbers share nothing.
    pub(crate) apart: u32,
}

/// Checks that so many tests, each repeated, are not too many for one run.
pub(crate) fn check_number(tests: usize, repeat: u32) -> Result<(), PlanProblem> {
    if tests.saturating_mul(repeat as usize) <= MOST_TESTS {
        return Ok(());
    }
    Err(PlanProblem::TooMany { tests, repeat })
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanProblem {
    /// A test is of a system that is not linked into the executable.
    #[error("{test} needs the system `{system}`, but this executable has only {known}")]
    UnknownSystem {
        test: String,
        system: String,
        known: String,
    },
    /// A topology makes no sense.
    #[error("{test}: {error}")]
    Topology { test: String, error: PlanError },
    /// Two of a test's deployments are the same one, and cannot be.
    #[error(
        "{test} needs two deployments with the same topology `{topology}`, but tests share one deployment per topology\n\
         help: make one of them different with `#[topology(..)]`, or take it as `Fresh<_>`"
    )]
    SameTwice { test: String, topology: String },
    /// Too many tests, mostly because of `--repeat`.
    #[error(
        "{tests} selected tests, each run {repeat} times, exceed the limit of {MOST_TESTS} tests per run\n\
         help: use at most `--repeat {}`, or select fewer tests",
        (MOST_TESTS / (*tests).max(1)).max(1)
    )]
    TooMany { tests: usize, repeat: u32 },
}

/// The deployments a test needs: complete topologies and kinds of lease, in the order of its arguments.
pub(crate) fn needs_of(test: &Test, settings: &Settings) -> Result<Vec<Need>, PlanProblem> {
    let def = test.def;
    let needs = def.wishes().into_iter().zip(def.needs).map(|(wish, need)| {
        Ok(Need {
            topology: complete(test, &wish, settings)?,
            mode: lease_of(test, need.lease),
        })
    });
    let needs: Vec<Need> = needs.collect::<Result<_, _>>()?;
    match same_twice(&needs) {
        None => Ok(needs),
        Some(topology) => Err(PlanProblem::SameTwice {
            test: test.name.clone(),
            topology: topology.to_string(),
        }),
    }
}

fn complete(test: &Test, wish: &Topology, settings: &Settings) -> Result<Topology, PlanProblem> {
    let system = armadillo_orchestrator::system(&wish.system).ok_or_else(|| {
        let known: Vec<&str> = armadillo_orchestrator::systems()
            .iter()
            .map(|system| system.name())
            .collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        PlanProblem::UnknownSystem {
            test: test.name.clone(),
            system: wish.system.clone(),
            known,
        }
    })?;
    let complete = complete_by(system, wish, settings);
    complete.map_err(|error| PlanProblem::Topology {
        test: test.name.clone(),
        error,
    })
}

/// The wish with everything filled in: as the servers are that somebody else started and that will do, else as the system says.
pub(crate) fn complete_by(
    system: &dyn System,
    wish: &Topology,
    settings: &Settings,
) -> Result<Topology, PlanError> {
    match settings.attached(system.name()) {
        Some(attached) if system.suffices(wish, attached).is_ok() => Ok(attached.topology.clone()),
        _ => completed(system, wish, settings),
    }
}

/// The topology of two needs that would have to be one deployment.
fn same_twice(needs: &[Need]) -> Option<&Topology> {
    let mut kept = BTreeSet::new();
    let mut topologies = (needs.iter())
        .filter(|need| !need.mode.is_fresh())
        .map(|need| &need.topology);
    topologies.find(|topology| !kept.insert(*topology))
}

/// Tests that crash servers, and measurements, want their deployments for themselves.
pub(crate) fn lease_of(test: &Test, lease: LeaseMode) -> LeaseMode {
    let own = test.def.markers.iter().map(|marker| marker.name);
    let added = test.added.iter().map(|added| &*added.marker.name);
    let alone = own
        .chain(added)
        .any(|name| matches!(name, "crash_test" | "performance"));
    match lease {
        LeaseMode::Shared if alone => LeaseMode::Exclusive,
        lease => lease,
    }
}

/// A test under this name, as it runs.
fn planned(
    test: &Test,
    name: String,
    needs: &[Need],
    running: &Running,
    expected: &dyn Fn(&Test) -> Option<Duration>,
) -> Planned {
    let def = test.def;
    Planned {
        test: test.clone(),
        name,
        needs: needs.to_vec(),
        expected: expected(test),
        earlier: None,
        recorded: None,
        limit: times(
            def.timeout.unwrap_or(running.timeout),
            running.timeout_factor,
        ),
        retries: def.retries.unwrap_or(running.retries),
    }
}

/// Orders the tests. `expected` says how long a test took in earlier runs.
pub(crate) fn plan(
    kept: Vec<(Test, Vec<Need>)>,
    running: &Running,
    seed: u64,
    expected: &dyn Fn(&Test) -> Option<Duration>,
) -> Plan {
    let mut tests: Vec<Planned> = Vec::with_capacity(kept.len() * running.repeat as usize);
    for (test, needs) in kept {
        for repetition in 1..=running.repeat {
            let name = if repetition == 1 {
                test.name.clone()
            } else {
                format!("{}#{repetition}", test.name)
            };
            tests.push(planned(&test, name, &needs, running, expected));
        }
    }
    let topologies = order_topologies(&tests);
    let rank = |planned: &Planned| {
        let group = |need: &Need| {
            let mut known = topologies.iter();
            known.position(|known| known.topology == need.topology)
        };
        // Shared leases first, then fresh ones, then those that have the deployment alone and may spoil it.
        let lease = |need: &Need| match need.mode {
            LeaseMode::Shared => 0,
            LeaseMode::Fresh | LeaseMode::Unstarted => 1,
            LeaseMode::Exclusive => 2,
        };
        let first = planned.needs.iter().filter_map(group).min();
        let last = planned.needs.iter().map(lease).max();
        (first.map_or(0, |group| group + 1), last.unwrap_or_default())
    };
    if running.shuffle {
        tests.sort_by_cached_key(|planned| {
            let (group, lease) = rank(planned);
            (
                planned.test.order,
                group,
                lease,
                armadillo_orchestrator::random::seed_of(seed, &planned.name),
            )
        });
    } else {
        // Longest first; what was never seen goes before everything that was. The sort is stable, so equals stay in the
        // order of their names.
        tests.sort_by_key(|planned| {
            (
                planned.test.order,
                rank(planned),
                Reverse(planned.expected.unwrap_or(Duration::MAX)),
            )
        });
    }
    Plan {
        tests,
        topologies,
        attached: BTreeSet::new(),
        script: None,
    }
}

/// The most expensive topology first: it takes longest to start, and what is started first is ready first. What tests need that a
/// hook has put before others goes before that.
fn order_topologies(tests: &[Planned]) -> Vec<PlannedTopology> {
    // How many tests share it, and the order of the first test that needs it.
    let mut shared: BTreeMap<&Topology, (u32, i32)> = BTreeMap::new();
    for planned in tests {
        for need in &planned.needs {
            let (count, first) = shared.entry(&need.topology).or_insert((0, i32::MAX));
            *count += u32::from(!need.mode.is_fresh());
            *first = planned.test.order.min(*first);
        }
    }
    let mut topologies: Vec<(&Topology, (u32, i32))> = shared.into_iter().collect();
    topologies.sort_by_cached_key(|(topology, (tests, first))| {
        let (servers, tests) = (Reverse(servers_of(topology)), Reverse(*tests));
        (*first, servers, tests, *topology)
    });
    topologies
        .into_iter()
        .map(|(topology, _)| PlannedTopology {
            topology: topology.clone(),
            copies: 1,
            apart: 0,
        })
        .collect()
}

fn servers_of(topology: &Topology) -> u32 {
    let servers = armadillo_orchestrator::system(&topology.system)
        .map_or(0, |system| system.plan(topology).len());
    u32::try_from(servers).unwrap_or(u32::MAX)
}

impl Plan {
    /// Which copy a test has of one of its deployments, if a script says so.
    pub(crate) fn apart(&self, test: usize, need: usize) -> u32 {
        let said = (self.script.as_ref()).and_then(|script| script.apart.get(test)?.get(need));
        said.copied().unwrap_or_default()
    }
}

impl Planned {
    /// How long it is thought to take, in microseconds.
    pub(crate) fn expected_us(&self) -> u64 {
        micros(self.expected.unwrap_or(UNKNOWN))
    }

    /// What the first event says of it.
    pub(crate) fn to_event(&self) -> PlannedTest {
        PlannedTest {
            test: self.name.clone(),
            place: self.test.place(),
            markers: self.test.written_markers(),
            needs: self.needs.clone(),
            earlier: self.earlier.clone(),
            recorded: self.recorded,
            expected_us: self.expected.map(micros),
            origin: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tests::{definition, marked};
    use crate::test_def::MarkerUse;

    fn lease(mode: LeaseMode, marker: &'static [MarkerUse]) -> LeaseMode {
        let def = marked(definition("suite", "a_test", 1), marker, None);
        lease_of(&Test::new(def, def.markers.into()), mode)
    }

    #[test]
    fn crashes_and_measurements_have_a_deployment_for_themselves() {
        const CRASH: &[MarkerUse] = &[MarkerUse {
            name: "crash_test",
            args: &[],
        }];
        const MEASURE: &[MarkerUse] = &[MarkerUse {
            name: "performance",
            args: &[],
        }];
        const LABEL: &[MarkerUse] = &[MarkerUse {
            name: "failover",
            args: &[],
        }];
        assert_eq!(lease(LeaseMode::Shared, CRASH), LeaseMode::Exclusive);
        assert_eq!(lease(LeaseMode::Shared, MEASURE), LeaseMode::Exclusive);
        assert_eq!(lease(LeaseMode::Shared, LABEL), LeaseMode::Shared);
        assert_eq!(lease(LeaseMode::Fresh, CRASH), LeaseMode::Fresh);
    }

    #[test]
    fn two_deployments_that_come_out_equal_are_one_unless_they_are_new() {
        let topology =
            |shape| armadillo_orchestrator::StaticTopology::new("db", shape).to_topology();
        let needs = |modes: [LeaseMode; 2], shapes: [&'static str; 2]| {
            let each = modes.into_iter().zip(shapes);
            each.map(|(mode, shape)| Need {
                topology: topology(shape),
                mode,
            })
            .collect::<Vec<_>>()
        };
        let (shared, exclusive, fresh) =
            (LeaseMode::Shared, LeaseMode::Exclusive, LeaseMode::Fresh);
        for modes in [[shared, shared], [exclusive, shared]] {
            let same = needs(modes, ["single", "single"]);
            assert_eq!(same_twice(&same), Some(&topology("single")));
            assert_eq!(same_twice(&needs(modes, ["single", "cluster"])), None);
        }
        for modes in [[fresh, shared], [exclusive, fresh], [fresh, fresh]] {
            assert_eq!(same_twice(&needs(modes, ["single", "single"])), None);
        }
    }
}
