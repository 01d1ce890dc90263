//! What tests may require of ArangoDB with `requires(..)`, beside `real` and a version.

use armadillo_orchestrator::{Program, Settings};

use crate::topology::SYSTEM;

/// The key that the servers verify tokens with is known.
const SIGNING_KEY: &str = "signing_key";

/// Every capability, with its meaning. All but the last are what the stand-in has nothing of.
pub(crate) const ALL: [(&str, &str); 8] = [
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
];

pub(crate) fn lacks(capability: &str, program: &Program, settings: &Settings) -> Option<String> {
    if capability == SIGNING_KEY {
        let attached = settings.attached(SYSTEM)?;
        return Some(format!("the key of {attached} is not known"));
    }
    program
        .stand_in
        .then(|| format!("this run has {}", program.title))
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Attached;

    use super::*;
    use crate::topology::single;

    #[test]
    fn the_stand_in_lacks_everything_but_its_key() {
        let program = |stand_in| Program {
            path: "/arangod".into(),
            leading_args: Vec::new(),
            version: None,
            title: "a toy".to_owned(),
            stand_in,
            note: None,
        };
        let mut settings = Settings::default();
        for (capability, _) in ALL {
            let lacks = lacks(capability, &program(true), &settings);
            assert_eq!(lacks.is_none(), capability == SIGNING_KEY, "{capability}");
            assert_eq!(super::lacks(capability, &program(false), &settings), None);
        }
        let attached = Attached {
            topology: single().topology().to_topology(),
            servers: [(
                "single-1".into(),
                [("http".to_owned(), "a:1".to_owned())].into(),
            )]
            .into(),
            version: String::new(),
            stand_in: None,
            login: None,
        };
        settings.attach(SYSTEM, attached);
        let lacks = lacks(SIGNING_KEY, &program(false), &settings).unwrap();
        assert_eq!(lacks, "the key of http://a:1 is not known");
    }
}
