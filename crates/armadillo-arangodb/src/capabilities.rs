//! What tests may require of ArangoDB with `requires(..)`, beside `real` and a version.

use std::collections::BTreeSet;

use armadillo_orchestrator::{Program, Settings};

use crate::launch::{EDITION, ENTERPRISE, FAILURE_TESTS};
use crate::topology::SYSTEM;

/// The key that the servers verify tokens with is known.
const SIGNING_KEY: &str = "signing_key";

/// The key that the servers verify tokens with can be replaced while they run.
const ROTATION: &str = "rotation";

/// What a program says that is not of the Enterprise Edition.
const COMMUNITY: &str = "community";

/// Servers can be told to fail at places in their source.
pub(crate) const FAILURE_POINTS: &str = "failure_points";

/// Every capability, with its meaning. All but the last three are what the stand-in has nothing of.
pub(crate) const ALL: [(&str, &str); 10] = [
    ("aql", "queries in AQL"),
    ("indexes", "indexes beside the primary one"),
    ("graphs", "named graphs and edges"),
    ("views", "views and analyzers"),
    ("foxx", "Foxx services and JavaScript transactions"),
    ("backup", "hot backups"),
    ("replication_api", "the replication API"),
    (
        SIGNING_KEY,
        "tokens signed by the test; not on servers that somebody else started",
    ),
    (
        ROTATION,
        "the key of tokens can be rotated; only in the Enterprise Edition, and not on servers that somebody else started",
    ),
    (
        FAILURE_POINTS,
        "failure points; only in builds with failure tests",
    ),
];

pub(crate) fn lacks(capability: &str, program: &Program, settings: &Settings) -> Option<String> {
    match capability {
        SIGNING_KEY => return unknown_key(settings),
        ROTATION => return unknown_key(settings).or_else(|| no_rotation(program, settings)),
        FAILURE_POINTS => return no_failure_points(program, settings),
        _ => {}
    }
    program
        .stand_in
        .then(|| format!("this run has {}", program.title))
}

fn unknown_key(settings: &Settings) -> Option<String> {
    let attached = settings.attached(SYSTEM)?;
    Some(format!("the key of {attached} is not known"))
}

/// Community builds do not know the request (`RestAdminServerHandler.cpp`). What does not say its edition is taken to have it.
fn no_rotation(program: &Program, settings: &Settings) -> Option<String> {
    let needed = "the Community Edition cannot read its key again";
    if program.stand_in {
        let is_able = settings.get(EDITION) == Some(ENTERPRISE);
        return (!is_able).then(|| format!("{needed}: use --edition enterprise"));
    }
    let is_able = !program.features.contains(COMMUNITY);
    (!is_able).then(|| needed.to_owned())
}

fn no_failure_points(program: &Program, settings: &Settings) -> Option<String> {
    let built = "the servers were built without failure tests";
    if program.stand_in {
        let is_able = settings.is_on(FAILURE_TESTS);
        return (!is_able).then(|| format!("{built}: use --failure-tests"));
    }
    let is_able = program.features.contains(FAILURE_POINTS);
    (!is_able).then(|| built.to_owned())
}

/// What a program says of its build when it is asked for its version: its edition, and whether it has failure tests.
pub(crate) fn features_of(output: &str) -> BTreeSet<String> {
    let says = |line: &str| output.lines().any(|known| known.trim() == line);
    let features = [
        ("license: community", COMMUNITY),
        ("failure-tests: true", FAILURE_POINTS),
    ];
    features
        .into_iter()
        .filter(|(line, _)| says(line))
        .map(|(_, feature)| feature.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Attached;

    use super::*;
    use crate::topology::single;

    #[test]
    fn the_stand_in_lacks_everything_but_its_key_and_what_its_edition_can() {
        let program = |stand_in| Program {
            path: "/arangod".into(),
            leading_args: Vec::new(),
            version: None,
            title: "a toy".to_owned(),
            stand_in,
            note: None,
            origin: None,
            sanitizers: Default::default(),
            features: Default::default(),
        };
        let mut settings = Settings::default();
        for (capability, _) in ALL {
            let lacks = lacks(capability, &program(true), &settings);
            assert_eq!(lacks.is_none(), capability == SIGNING_KEY, "{capability}");
            let lacks = super::lacks(capability, &program(false), &settings);
            assert_eq!(
                lacks.is_some(),
                capability == FAILURE_POINTS,
                "{capability}"
            );
        }
        let mut built = program(false);
        built.features = features_of("3.12.10\n\nlicense: community\nfailure-tests: false\n");
        let none = lacks(ROTATION, &built, &settings).unwrap();
        assert!(none.starts_with("the Community Edition"), "{none}");
        assert!(lacks(FAILURE_POINTS, &built, &settings).is_some());
        built.features = features_of("3.12.10\n\nlicense: enterprise\nfailure-tests: true\n");
        assert_eq!(lacks(ROTATION, &built, &settings), None);
        assert_eq!(lacks(FAILURE_POINTS, &built, &settings), None);
        settings.set(EDITION, vec![ENTERPRISE.to_owned()]);
        assert_eq!(lacks(ROTATION, &program(true), &settings), None);
        settings.set(FAILURE_TESTS, vec!["true".to_owned()]);
        assert_eq!(lacks(FAILURE_POINTS, &program(true), &settings), None);
        let attached = Attached {
            topology: single().topology().to_topology(),
            servers: [(
                "single-1".into(),
                [("http".to_owned(), "a:1".to_owned())].into(),
            )]
            .into(),
            advertised: Default::default(),
            addresses: vec!["a:1".to_owned()],
            left_out: None,
            version: String::new(),
            stand_in: None,
            login: None,
            tls: None,
        };
        settings.attach(SYSTEM, attached);
        for capability in [SIGNING_KEY, ROTATION] {
            let lacks = lacks(capability, &program(false), &settings).unwrap();
            assert_eq!(lacks, "the key of http://a:1 is not known");
        }
    }
}
