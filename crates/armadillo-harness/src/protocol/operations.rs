//! Operations on a deployment as a whole. Only leases on a deployment of one's own may begin and steer them.

use armadillo_orchestrator::membership::Roll;
use armadillo_orchestrator::operations::{Change, Direction};
use armadillo_orchestrator::{OperationId, OperationPlan, OperationStatus, OperationTerms};
use serde::{Deserialize, Serialize};

/// A rolling operation is to be planned, as things are now.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanRolling {
    /// What it is called.
    pub name: String,
    /// Which way the versions go.
    pub direction: Direction,
    /// What all servers are to become, one change of all of them after the other.
    pub changes: Vec<Change>,
    /// Trouble drawn from this seed is put into it: held mixtures of versions, servers that are killed.
    pub trouble: Option<u64>,
    /// When to give up, in milliseconds from now.
    pub limit_ms: u64,
}

/// An operation is to begin.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BeginOperation {
    /// Its steps.
    pub plan: OperationPlan,
    /// How.
    pub terms: OperationTerms,
    /// When to give up, in milliseconds from now.
    pub limit_ms: u64,
}

/// An operation has begun.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperationBegun {
    /// Its number.
    pub id: OperationId,
}

/// How an operation is, once that differs from what is known.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitForOperation {
    /// Which.
    pub id: OperationId,
    /// The version that is known; 0 is none.
    pub after: u64,
    /// How long to wait, in milliseconds.
    pub limit_ms: u64,
}

/// How an operation is.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VersionedOperation {
    /// Grows with every change.
    pub version: u64,
    /// How it is.
    pub status: OperationStatus,
    /// Who is part of the deployment now.
    pub roll: Roll,
}

/// What is to become of an operation.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SteerOperation {
    /// Which.
    pub id: OperationId,
    /// What.
    pub how: Steering,
}

/// What can be said to an operation that is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// Stop where it is safe.
    Cancel,
    /// Go on to the next server.
    Proceed,
}
