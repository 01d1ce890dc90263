//! What a file of tests uses: `use armadillo::prelude::*;`.
//!
//! The attributes are not in it: `#[armadillo::test]` cannot be mistaken for another `#[test]`.

pub use armadillo_harness::fixture::{
    Condition, DeploymentHandle, Exclusive, ExpectedExit, Failed, Faults, Fixture, Fresh, Observe,
    Orchestrator, Scope, ServerControl, ServerName, TestContext, Unstarted, healthy, when,
};
pub use armadillo_harness::outcome::{Inconclusive, TestResult};
pub use armadillo_harness::{inconclusive, skip};
pub use armadillo_orchestrator::{Exit, ExitExpectation, Health, ServerKey};

#[cfg(feature = "arangodb")]
pub use armadillo_arangodb::prelude::*;
#[cfg(feature = "etcd")]
pub use armadillo_etcd::prelude::*;
