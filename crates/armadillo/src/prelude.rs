//! What most files of tests name: `use armadillo::prelude::*;`.
//!
//! The attributes are not in it: `#[armadillo::test]` cannot be mistaken for another `#[test]`. What tests seldom name is in
//! [`crate::deployment`] and in the modules of the systems.

pub use armadillo_harness::failure::TestError;
pub use armadillo_harness::fixture::{
    Exclusive, Fixture, Fresh, Orchestrator, Scope, TestContext, Unstarted, healthy, when,
};
// For their methods.
pub use armadillo_harness::fixture::{
    Condition as _, DeploymentHandle as _, Faults as _, LinkFaults as _, Observe as _,
};
pub use armadillo_harness::outcome::TestResult;
pub use armadillo_harness::{expect, expect_eq, inconclusive, skip};
pub use armadillo_orchestrator::Certificate;

#[cfg(feature = "arangodb")]
pub use armadillo_arangodb::prelude::*;
#[cfg(feature = "etcd")]
pub use armadillo_etcd::prelude::*;
