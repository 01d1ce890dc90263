//! Markers that give a test on any deployment its shape: they agree with its deployment, and with each other. Otherwise a
//! test would be selected as what it is not.

use super::Test;

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
        "the marker `{marker}` of the test `{test}` says on which deployment it runs, and it has none:\n    {place}\nhelp: leave the marker out, or take a fixture that uses a deployment"
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
        "the marker `{marker}` of the test `{test}` asks for `{asked}`, and its fixtures or its attribute for `{has}`:\n    {place}\nhelp: leave the marker out; a test has the markers of its deployment without saying so"
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
    /// Two markers ask for two.
    #[error(
        "the markers `{first}` and `{second}` of the test `{test}` ask for two deployments, and a test has one:\n    {place}\nhelp: leave one of them out"
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
    /// A fixture acts on a deployment, and no marker says on which.
    #[error(
        "the test `{test}` acts on a deployment, and nothing names one, no marker either:\n    {place}\nhelp: take a handle on it as another argument, or name a topology in the attribute"
    )]
    NothingToActOn {
        /// The test.
        test: String,
        /// Its place.
        place: String,
    },
}

/// Whether the markers of each test fit its deployment.
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
    let mut asked: Option<(&str, Shape)> = None;
    for marker in test.def.markers {
        let Some(shape) = fitting(test, marker.name, &shapes_of(marker.name))? else {
            continue;
        };
        match asked {
            Some((first, other)) if !shape.is(other) => {
                return Err(ShapeError::TwoShapes {
                    first: first.to_owned(),
                    second: marker.name.to_owned(),
                    test: test.name.clone(),
                    place: test.place(),
                });
            }
            _ => asked = Some((marker.name, shape)),
        }
    }
    let needs = &test.def.needs;
    if needs.acts && needs.topology.is_none() && asked.is_none() {
        return Err(ShapeError::NothingToActOn {
            test: test.name.clone(),
            place: test.place(),
        });
    }
    Ok(())
}

/// The one of the shapes a marker asks for that fits the test's deployment; `None` for a marker that is only a label.
fn fitting(test: &Test, marker: &str, shapes: &[Shape]) -> Result<Option<Shape>, ShapeError> {
    let Some(first) = shapes.first() else {
        return Ok(None);
    };
    let Some(topology) = test.def.needs.topology else {
        if test.def.needs.acts {
            return Ok(Some(*first));
        }
        return Err(ShapeError::NoDeployment {
            marker: marker.to_owned(),
            test: test.name.clone(),
            place: test.place(),
        });
    };
    let of_system = shapes.iter().find(|shape| shape.system == topology.system);
    match of_system {
        Some(shape) if topology.is_any() || shape.name == topology.shape => Ok(Some(*shape)),
        _ => Err(ShapeError::OtherDeployment {
            marker: marker.to_owned(),
            asked: of_system.unwrap_or(first).written(),
            has: topology.to_topology().to_string(),
            test: test.name.clone(),
            place: test.place(),
        }),
    }
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
    use crate::needs::Needs;
    use crate::test_def::MarkerUse;

    const ANY: Needs = Needs::of(StaticTopology::new("db", ANY_SHAPE));
    const SINGLE: Needs = Needs::of(StaticTopology::new("db", "single"));
    const CLUSTER: Needs = Needs::of(StaticTopology::new("db", "cluster").with("servers", 3));
    const OTHER: Needs = Needs::of(StaticTopology::new("queue", "cluster"));

    fn shapes_of(marker: &str) -> Vec<Shape> {
        let name = match marker {
            "db_single" => "single",
            "db_cluster" => "cluster",
            _ => return Vec::new(),
        };
        vec![Shape { system: "db", name }]
    }

    fn checked(needs: Needs, markers: &[&'static str]) -> Result<(), ShapeError> {
        let mut def = definition("suite::a", "b", 8);
        def.needs = needs;
        let uses = markers.iter().map(|name| MarkerUse { name, args: &[] });
        def.markers = uses.collect::<Vec<_>>().leak();
        let def = Box::leak(Box::new(def));
        let test = Test {
            def,
            name: def.name(),
            markers: def.markers.into(),
        };
        check_one(&test, &shapes_of)
    }

    fn refused(needs: Needs, markers: &[&'static str]) -> String {
        checked(needs, markers).unwrap_err().to_string()
    }

    #[test]
    fn a_marker_that_agrees_is_no_mistake() {
        for (needs, markers) in [
            (ANY, &["db_cluster", "slow"][..]),
            (ANY, &["db_single", "db_single"]),
            (ANY, &["slow"]),
            (SINGLE, &["db_single"]),
            (CLUSTER, &["slow", "db_cluster"]),
            (OTHER, &["slow"]),
            (Needs::NOTHING, &["slow"]),
            (Needs::WHATEVER_THERE_IS, &["slow", "db_cluster"]),
        ] {
            assert_eq!(checked(needs, markers), Ok(()), "{needs:?} {markers:?}");
        }
    }

    #[test]
    fn a_marker_of_another_deployment_is_refused() {
        insta::assert_snapshot!(refused(SINGLE, &["slow", "db_cluster"]), @r"
        the marker `db_cluster` of the test `a::b` asks for `db cluster`, and its fixtures or its attribute for `db single`:
            tests/suite/main.rs:8
        help: leave the marker out; a test has the markers of its deployment without saying so
        ");
        assert!(refused(CLUSTER, &["db_single"]).contains("for `db cluster(servers = 3)`"));
        assert!(refused(OTHER, &["db_cluster"]).contains("for `queue cluster`"));
    }

    #[test]
    fn two_markers_that_contradict_each_other_are_refused() {
        insta::assert_snapshot!(refused(ANY, &["db_cluster", "slow", "db_single"]), @r"
        the markers `db_cluster` and `db_single` of the test `a::b` ask for two deployments, and a test has one:
            tests/suite/main.rs:8
        help: leave one of them out
        ");
        let whatever = refused(Needs::WHATEVER_THERE_IS, &["db_single", "db_cluster"]);
        assert!(whatever.starts_with("the markers `db_single` and `db_cluster`"));
    }

    #[test]
    fn a_marker_without_a_deployment_is_refused() {
        insta::assert_snapshot!(refused(Needs::NOTHING, &["db_single"]), @r"
        the marker `db_single` of the test `a::b` says on which deployment it runs, and it has none:
            tests/suite/main.rs:8
        help: leave the marker out, or take a fixture that uses a deployment
        ");
    }

    #[test]
    fn what_acts_on_a_deployment_has_one() {
        insta::assert_snapshot!(refused(Needs::WHATEVER_THERE_IS, &["slow"]), @r"
        the test `a::b` acts on a deployment, and nothing names one, no marker either:
            tests/suite/main.rs:8
        help: take a handle on it as another argument, or name a topology in the attribute
        ");
    }
}
