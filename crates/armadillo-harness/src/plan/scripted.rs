//! The plan of a run that follows a script: its tests in the order of the script, each on the copies that it names.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Plan, Planned, PlannedTopology, planned};
use crate::collect::Test;
use crate::needs::Need;
use crate::options::Running;
use crate::script::{Move, Script, Step, declared_name};

/// What a script says of the tests of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted {
    /// What happens, in this order.
    pub(crate) moves: Vec<Move>,
    /// Which copy each test has of each of its deployments.
    pub(crate) apart: Vec<Vec<u32>>,
}

/// Plans the tests of a script. Also returns those of its tests that are not among the given ones.
pub(crate) fn scripted(
    kept: &[(Test, Vec<Need>)],
    script: &Script,
    running: &Running,
    expected: &dyn Fn(&Test) -> Option<Duration>,
) -> (Plan, Vec<String>) {
    let known: HashMap<&str, &(Test, Vec<Need>)> = (kept.iter())
        .map(|test| (test.0.name.as_str(), test))
        .collect();
    let mut tests: Vec<Planned> = Vec::new();
    let (mut plan, mut missing) = (Scripted::default(), Vec::new());
    let mut topologies = Vec::new();
    let (mut places, mut copies) = (HashMap::new(), BTreeMap::new());
    for step in &script.steps {
        match step {
            Step::Begin { begin, on } => {
                let found = known.get(begin.as_str());
                let Some((test, needs)) = found.or_else(|| known.get(declared_name(begin))) else {
                    missing.push(begin.clone());
                    continue;
                };
                let one = Planned {
                    // Another attempt would have no place in the script.
                    retries: 0,
                    ..planned(test, begin.clone(), needs, running, expected)
                };
                let mut word = on.iter();
                let apart = needs.iter().map(|need| {
                    let word = word.next().map_or("", String::as_str);
                    apart(need, word, &mut copies)
                });
                let apart: Vec<u32> = apart.collect();
                for (need, apart) in needs.iter().zip(&apart) {
                    note(&mut topologies, need, *apart);
                }
                places.insert(begin.as_str(), tests.len());
                plan.moves.push(Move::Begin(tests.len()));
                plan.apart.push(apart);
                tests.push(one);
            }
            Step::End { end } => {
                plan.moves
                    .extend(places.get(end.as_str()).map(|test| Move::End(*test)));
            }
        }
    }
    let plan = Plan {
        tests,
        topologies,
        script: Some(plan),
        ..Plan::default()
    };
    (plan, missing)
}

/// The number of a copy. One that belongs to a test alone needs none.
fn apart<'s>(need: &Need, word: &'s str, copies: &mut BTreeMap<&'s str, u32>) -> u32 {
    if need.mode.is_fresh() {
        return 0;
    }
    let next = u32::try_from(copies.len()).unwrap_or(u32::MAX);
    *copies.entry(word).or_insert(next)
}

fn note(topologies: &mut Vec<PlannedTopology>, need: &Need, apart: u32) {
    let known = |known: &PlannedTopology| known.topology == need.topology && known.apart == apart;
    if !topologies.iter().any(known) {
        topologies.push(PlannedTopology {
            topology: need.topology.clone(),
            copies: 1,
            apart,
        });
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::StaticTopology;

    use super::*;
    use crate::collect::tests::{definition, marked};
    use crate::needs::LeaseMode;

    fn test(name: &'static str, modes: &[LeaseMode]) -> (Test, Vec<Need>) {
        let def = marked(definition("suite", name, 1), &[], None);
        let test = Test::new(def, (&[]).into());
        let need = |mode: &LeaseMode| Need {
            topology: StaticTopology::new("db", "single").to_topology(),
            mode: *mode,
        };
        (test, modes.iter().map(need).collect())
    }

    #[test]
    fn tests_stand_in_the_order_of_the_script_with_copies_of_their_own() {
        use LeaseMode::{Fresh, Shared};
        let kept = [
            test("a", &[Shared]),
            test("b", &[Shared]),
            test("c", &[Fresh]),
        ];
        let step = |begin: &str, on: &[&str]| Step::Begin {
            begin: begin.to_owned(),
            on: on.iter().map(|word| (*word).to_owned()).collect(),
        };
        let end = |end: &str| Step::End {
            end: end.to_owned(),
        };
        let script = Script {
            script: 1,
            of: "r".to_owned(),
            steps: vec![
                step("b", &["x"]),
                step("a#2", &["y"]),
                step("gone", &["y"]),
                end("gone"),
                end("b"),
                step("c", &["z"]),
                step("a", &["x"]),
            ],
        };
        let running = Running {
            retries: 3,
            ..Running::default()
        };
        let (plan, missing) = scripted(&kept, &script, &running, &|_| None);
        let names: Vec<&str> = plan.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["b", "a#2", "c", "a"]);
        assert!(plan.tests.iter().all(|test| test.retries == 0));
        assert_eq!(missing, ["gone"]);
        let scripted = plan.script.unwrap();
        assert_eq!(scripted.apart, [vec![0], vec![1], vec![0], vec![0]]);
        let moves = [
            Move::Begin(0),
            Move::Begin(1),
            Move::End(0),
            Move::Begin(2),
            Move::Begin(3),
        ];
        assert_eq!(scripted.moves, moves);
        let copies: Vec<u32> = plan
            .topologies
            .iter()
            .map(|planned| planned.apart)
            .collect();
        assert_eq!(copies, [0, 1]);
    }
}
