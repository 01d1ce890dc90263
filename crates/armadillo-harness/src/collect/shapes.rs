//! Markers that give a test on any deployment its shape: they agree with its deployments, and with each other. Otherwise a
//! test would be selected as what it is not.

use super::Test;
use crate::needs::StaticNeed;

/// What a marker asks for: a shape of a system's deployments.
#[derive(Clone, Copy)]
struct Shape {
    system: &'static str,
    name: &'static str,
}

/// Why a test's markers do not fit its deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// It has none.
    #[error(
        "the marker `{marker}` of the test `{test}` requires a deployment, but the test does not use one:\n    {place}\nhelp: remove the marker, or take a fixture that uses a deployment as an argument"
    )]
    NoDeployment {
        /// The marker.
        marker: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
    /// Its fixtures or its attribute ask for another one.
    #[error(
        "the marker `{marker}` of the test `{test}` requires `{asked}`, but its fixtures or its attribute require `{has}`:\n    {place}\nhelp: remove the marker; a test gets the markers of its deployment automatically"
    )]
    OtherDeployment {
        /// The marker.
        marker: String,
        /// What it asks for.
        asked: String,
        /// What the test has.
        has: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
    /// Two markers ask for two shapes of one deployment.
    #[error(
        "the markers `{first}` and `{second}` of the test `{test}` require different shapes of the same deployment:\n    {place}\nhelp: remove one of them"
    )]
    TwoShapes {
        /// One marker.
        first: String,
        /// The other.
        second: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
    /// It fits several of its deployments, and one of them has no other shape.
    #[error(
        "the marker `{marker}` of the test `{test}` matches several of its deployments:\n    {place}\nhelp: add `#[topology(..)]` to the argument it is meant for"
    )]
    SeveralDeployments {
        /// The marker.
        marker: String,
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
    /// A fixture acts on a deployment, and no marker says on which.
    #[error(
        "the test `{test}` takes an Orchestrator, but nothing selects a deployment for it:\n    {place}\nhelp: add an argument with a handle on the deployment, or name a topology in the attribute"
    )]
    NothingToActOn {
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
}

/// Whether the markers of each test fit its deployments.
pub(super) fn check(tests: &[Test]) -> Result<(), ShapeError> {
    let systems = armadillo_orchestrator::systems();
    let shapes_of = |marker: &str| {
        let shape = |system: &&'static dyn armadillo_orchestrator::System| {
            Some(Shape {
                system: system.name(),
                name: system.shape_of_marker(marker)?,
            })
        };
        systems.iter().filter_map(shape).collect()
    };
    tests
        .iter()
        .try_for_each(|test| check_one(test, &shapes_of))
}

/// `shapes_of` says what a marker asks for, of each system that knows it.
fn check_one(test: &Test, shapes_of: &dyn Fn(&str) -> Vec<Shape>) -> Result<(), ShapeError> {
    let needs = test.def.needs;
    // The marker that gives each deployment its shape.
    let mut asked: Vec<Option<(&str, Shape)>> = vec![None; needs.len()];
    for marker in test.def.markers {
        let Some((index, shape)) = fitting(test, marker.name, &shapes_of(marker.name))? else {
            continue;
        };
        match asked[index] {
            Some((first, other)) if !shape.is(other) => {
                return Err(ShapeError::TwoShapes {
                    first: first.to_owned(),
                    second: marker.name.to_owned(),
                    test: test.name.clone(),
                    place: test.place(),
                });
            }
            _ => asked[index] = Some((marker.name, shape)),
        }
    }
    let mut each = needs.iter().zip(&asked);
    if each.any(|(need, asked)| need.topology.is_none() && asked.is_none()) {
        return Err(ShapeError::NothingToActOn {
            test: test.name.clone(),
            place: test.place(),
        });
    }
    Ok(())
}

/// The deployment that a marker fits, with the shape that it asks for there; `None` for a marker that is only a label.
fn fitting(
    test: &Test,
    marker: &str,
    shapes: &[Shape],
) -> Result<Option<(usize, Shape)>, ShapeError> {
    let Some(first) = shapes.first() else {
        return Ok(None);
    };
    let needs = test.def.needs;
    let all = needs.iter().enumerate();
    let fits: Vec<(usize, Shape)> = all
        .filter_map(|(index, need)| Some((index, fitting_one(need, shapes)?)))
        .collect();
    let (test, place, marker) = (test.name.clone(), test.place(), marker.to_owned());
    match fits[..] {
        [] if needs.is_empty() => Err(ShapeError::NoDeployment {
            marker,
            test,
            place,
        }),
        [] => Err(ShapeError::OtherDeployment {
            marker,
            asked: asked(needs, shapes).unwrap_or(*first).written(),
            has: written(needs),
            test,
            place,
        }),
        [_, _, ..] if fits.iter().any(|(index, _)| is_open(&needs[*index])) => {
            Err(ShapeError::SeveralDeployments {
                marker,
                test,
                place,
            })
        }
        [fit, ..] => Ok(Some(fit)),
    }
}

/// The one of the shapes a marker asks for that fits this deployment.
fn fitting_one(need: &StaticNeed, shapes: &[Shape]) -> Option<Shape> {
    let Some(topology) = need.topology else {
        return shapes.first().copied();
    };
    let mut shapes = shapes.iter().copied();
    shapes.find(|shape| {
        shape.system == topology.system && (topology.is_any() || shape.name == topology.shape)
    })
}

/// Whether a marker decides which shape it has.
fn is_open(need: &StaticNeed) -> bool {
    need.topology.is_none_or(|topology| topology.is_any())
}

/// The one of the shapes a marker asks for that is of a system the test uses.
fn asked(needs: &[StaticNeed], shapes: &[Shape]) -> Option<Shape> {
    let systems: Vec<&str> = (needs.iter())
        .filter_map(|need| Some(need.topology?.system))
        .collect();
    let mut shapes = shapes.iter().copied();
    shapes.find(|shape| systems.contains(&shape.system))
}

fn written(needs: &[StaticNeed]) -> String {
    let topologies = needs.iter().filter_map(|need| need.topology);
    let written: Vec<String> = topologies
        .map(|topology| topology.to_topology().to_string())
        .collect();
    written.join("` and `")
}

impl Shape {
    fn is(self, other: Self) -> bool {
        (self.system, self.name) == (other.system, other.name)
    }

    fn written(self) -> String {
        format!("{} {}", self.system, self.name)
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::StaticTopology;
    use armadillo_orchestrator::topology::ANY_SHAPE;

    use super::*;
    use crate::collect::tests::definition;
    use crate::needs::LeaseMode;
    use crate::test_def::MarkerUse;

    const fn on(topology: StaticTopology) -> StaticNeed {
        StaticNeed {
            topology: Some(topology),
            lease: LeaseMode::Shared,
        }
    }

    const ANY: StaticNeed = on(StaticTopology::new("db", ANY_SHAPE));
    const SINGLE: StaticNeed = on(StaticTopology::new("db", "single"));
    const CLUSTER: StaticNeed = on(StaticTopology::new("db", "cluster").with("servers", 3));
    const OTHER: StaticNeed = on(StaticTopology::new("queue", "cluster"));
    const WHATEVER: StaticNeed = StaticNeed {
        topology: None,
        lease: LeaseMode::Shared,
    };

    fn shapes_of(marker: &str) -> Vec<Shape> {
        let name = match marker {
            "db_single" => "single",
            "db_cluster" => "cluster",
            _ => return Vec::new(),
        };
        vec![Shape { system: "db", name }]
    }

    fn checked(needs: &[StaticNeed], markers: &[&'static str]) -> Result<(), ShapeError> {
        let mut def = definition("suite::a", "b", 8);
        def.needs = needs.to_vec().leak();
        let uses = markers.iter().map(|name| MarkerUse { name, args: &[] });
        def.markers = uses.collect::<Vec<_>>().leak();
        let def = Box::leak(Box::new(def));
        let test = Test::new(def, def.markers.into());
        check_one(&test, &shapes_of)
    }

    fn refused(needs: &[StaticNeed], markers: &[&'static str]) -> String {
        checked(needs, markers).unwrap_err().to_string()
    }

    #[test]
    fn a_marker_that_agrees_is_no_mistake() {
        for (needs, markers) in [
            (&[ANY][..], &["db_cluster", "slow"][..]),
            (&[ANY], &["db_single", "db_single"]),
            (&[ANY], &["slow"]),
            (&[SINGLE], &["db_single"]),
            (&[CLUSTER], &["slow", "db_cluster"]),
            (&[OTHER], &["slow"]),
            (&[], &["slow"]),
            (&[WHATEVER], &["slow", "db_cluster"]),
            (&[OTHER, ANY], &["db_single"]),
            (&[CLUSTER, SINGLE], &["db_single", "db_cluster"]),
            (&[CLUSTER, CLUSTER], &["db_cluster"]),
            (&[ANY, ANY], &["slow"]),
        ] {
            assert_eq!(checked(needs, markers), Ok(()), "{needs:?} {markers:?}");
        }
    }

    #[test]
    fn a_marker_of_another_deployment_is_refused() {
        insta::assert_snapshot!(refused(&[SINGLE], &["slow", "db_cluster"]), @r"
        the marker `db_cluster` of the test `a::b` requires `db cluster`, but its fixtures or its attribute require `db single`:
            tests/suite/main.rs:8
        help: remove the marker; a test gets the markers of its deployment automatically
        ");
        assert!(refused(&[CLUSTER], &["db_single"]).contains("require `db cluster(servers = 3)`"));
        assert!(refused(&[OTHER], &["db_cluster"]).contains("require `queue cluster`"));
    }

    #[test]
    fn two_markers_that_contradict_each_other_are_refused() {
        insta::assert_snapshot!(refused(&[ANY], &["db_cluster", "slow", "db_single"]), @r"
        the markers `db_cluster` and `db_single` of the test `a::b` require different shapes of the same deployment:
            tests/suite/main.rs:8
        help: remove one of them
        ");
        let whatever = refused(&[WHATEVER], &["db_single", "db_cluster"]);
        assert!(whatever.starts_with("the markers `db_single` and `db_cluster`"));
    }

    #[test]
    fn a_marker_shapes_one_deployment() {
        insta::assert_snapshot!(refused(&[ANY, ANY], &["db_cluster"]), @r"
        the marker `db_cluster` of the test `a::b` matches several of its deployments:
            tests/suite/main.rs:8
        help: add `#[topology(..)]` to the argument it is meant for
        ");
        assert!(refused(&[CLUSTER, ANY], &["db_cluster"]).contains("matches several"));
        assert!(checked(&[CLUSTER, ANY], &["db_single"]).is_ok());
        let other = refused(&[OTHER, SINGLE], &["db_cluster"]);
        assert!(
            other.contains("require `queue cluster` and `db single`"),
            "{other}"
        );
        let twice = refused(&[OTHER, ANY], &["db_single", "db_cluster"]);
        assert!(
            twice.starts_with("the markers `db_single` and `db_cluster`"),
            "{twice}"
        );
    }

    #[test]
    fn a_marker_without_a_deployment_is_refused() {
        insta::assert_snapshot!(refused(&[], &["db_single"]), @r"
        the marker `db_single` of the test `a::b` requires a deployment, but the test does not use one:
            tests/suite/main.rs:8
        help: remove the marker, or take a fixture that uses a deployment as an argument
        ");
    }

    #[test]
    fn what_acts_on_a_deployment_has_one() {
        insta::assert_snapshot!(refused(&[WHATEVER], &["slow"]), @r"
        the test `a::b` takes an Orchestrator, but nothing selects a deployment for it:
            tests/suite/main.rs:8
        help: add an argument with a handle on the deployment, or name a topology in the attribute
        ");
    }
}
