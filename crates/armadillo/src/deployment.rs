//! What tests seldom name of deployments: the traits of handles, the servers, their health and their exits.

pub use armadillo_harness::fixture::{
    Condition, DeploymentHandle, ExpectedExit, Faults, Healthy, Observe, ServerControl, ServerName,
    WaitError, When,
};
pub use armadillo_orchestrator::{Exit, ExitExpectation, Health, Request, Secret, ServerKey};
