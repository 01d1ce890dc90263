//! Operations on a deployment as a whole: requests of the test that has it for itself.

use std::time::Duration;

use armadillo_orchestrator::deployment::OperationRefused;
use armadillo_orchestrator::{Deadline, OperationPlan};

use super::Daemon;
use super::holders::Used;
use crate::protocol::operations::{
    BeginOperation, OperationBegun, PlanRolling, SteerOperation, Steering, VersionedOperation,
    WaitForOperation,
};

fn deadline(limit_ms: u64) -> Deadline {
    Deadline::after(Duration::from_millis(limit_ms))
}

pub(super) async fn plan_rolling(
    used: &Used,
    request: PlanRolling,
) -> Result<OperationPlan, OperationRefused> {
    let deployment = &used.deployment;
    let PlanRolling {
        name,
        direction,
        changes,
        ..
    } = request;
    let plan = deployment.plan_rolling(&name, direction, changes, deadline(request.limit_ms));
    let plan = plan.await?;
    Ok(match request.trouble {
        Some(seed) => deployment.with_trouble(plan, seed),
        None => plan,
    })
}

/// It goes on whoever waits for it: with its test it is cancelled, and stops where it is safe.
pub(super) fn begin(
    daemon: &Daemon,
    used: &Used,
    request: BeginOperation,
) -> Result<OperationBegun, OperationRefused> {
    let deadline = deadline(request.limit_ms);
    let deployment = &used.deployment;
    let (id, conducted) = deployment.begin_operation(request.plan, request.terms, deadline)?;
    daemon.spawn(conducted);
    Ok(OperationBegun { id })
}

pub(super) async fn wait(
    used: &Used,
    request: &WaitForOperation,
) -> Result<VersionedOperation, OperationRefused> {
    let limit = deadline(request.limit_ms);
    let waited = used
        .deployment
        .wait_for_operation(request.id, request.after, limit);
    let (version, status) = waited.await?;
    Ok(VersionedOperation {
        version,
        status,
        roll: used.deployment.view().membership.roll(),
    })
}

pub(super) fn steer(used: &Used, request: &SteerOperation) -> Result<(), OperationRefused> {
    match request.how {
        Steering::Cancel => used.deployment.cancel_operation(request.id),
        Steering::Proceed => used.deployment.proceed_with_operation(request.id),
    }
}
