//! What tests seldom name of deployments: the traits of handles, the servers, their health and their exits.

pub use armadillo_harness::fixture::{
    ChangeOperation, ClientLinks, Condition, DeploymentHandle, ExpectedExit, Faults, Healthy,
    LinePattern, Link, LinkFaultError, LinkFaults, Links, LogError, LogLine, LogMark, Observe,
    OperationError, OrderedFault, RestartError, RestartWith, RollingOperation, RunningChange,
    RunningOperation, ServerControl, ServerLog, ServerName, WaitError, When,
};
pub use armadillo_orchestrator::LinkReport;
pub use armadillo_orchestrator::deployment::{Phase, ServerProcess};
pub use armadillo_orchestrator::statistics::{
    Figure, Metrics, Quantity, ServerStatistics, Statistics, Unit,
};
pub use armadillo_orchestrator::{
    Exit, ExitExpectation, Health, Level, OperationPlan, OperationStatus, Outcome, Request, Secret,
    ServerKey, StepState,
};
