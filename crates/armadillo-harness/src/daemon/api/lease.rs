//! Requests of the holders of leases.

use std::rc::Rc;

use hyper::StatusCode;

use super::super::holders::{self, Used};
use super::super::{Daemon, exits, links, membership, operations, server_log};
use super::{Answer, Call, Refusal, done, refuse, say};
use crate::needs::LeaseMode;
use crate::protocol::endpoints::{self, Access, Route};
use crate::protocol::keys::{AdvanceKeys, KeysAdvanced};
use crate::protocol::programs::ChangeServer;

/// What the holder of a lease may do and ask.
pub(super) async fn answer(daemon: &Rc<Daemon>, call: &Call<'_>) -> Answer {
    let (lease, token) = (call.places.get("lease"), &call.token);
    match call.route {
        Route::Begin => say::<endpoints::Begin>(&holders::begin(daemon, lease, token).await?),
        Route::Release => {
            let release = call.read::<endpoints::Release>()?;
            say::<endpoints::Release>(&holders::release(daemon, lease, token, release).await?)
        }
        _ => {
            let used = holders::find(daemon, lease, token, call.places.get("deployment"))?;
            if call.route.access() == Access::LeaseAlone {
                on_ones_own(daemon, &used, call).await
            } else {
                on_any(daemon, &used, call).await
            }
        }
    }
}

/// What every holder of a deployment may ask.
async fn on_any(daemon: &Rc<Daemon>, used: &Used, call: &Call<'_>) -> Answer {
    let (lease, token) = (call.places.get("lease"), &call.token);
    let conflict = refuse(StatusCode::CONFLICT);
    match call.route {
        Route::ReadView => say::<endpoints::ReadView>(used.deployment.outer_view()),
        Route::ReadHealth => {
            let request = call.read::<endpoints::ReadHealth>()?;
            say::<endpoints::ReadHealth>(&holders::health(used, &request).await)
        }
        Route::ReadLeaders => {
            let request = call.read::<endpoints::ReadLeaders>()?;
            say::<endpoints::ReadLeaders>(&holders::leaders(used, &request).await)
        }
        Route::ReadProcesses => say::<endpoints::ReadProcesses>(&used.deployment.processes()),
        Route::ReadStatistics => {
            let request = call.read::<endpoints::ReadStatistics>()?;
            say::<endpoints::ReadStatistics>(&holders::statistics(used, &request).await)
        }
        Route::CollectEvidence => {
            let request = call.read::<endpoints::CollectEvidence>()?;
            say::<endpoints::CollectEvidence>(&holders::evidence(used, &request).await)
        }
        Route::ReadLog => {
            let request = call.read::<endpoints::ReadLog>()?;
            let read = server_log::read(daemon, lease, token, used, &request).await;
            let part = read.map_err(|error| conflict(error.to_string()))?;
            say::<endpoints::ReadLog>(&part)
        }
        Route::ClaimFixture => {
            let request = call.read::<endpoints::ClaimFixture>()?;
            let claimed = holders::claim(daemon, lease, token, used, &request).await?;
            say::<endpoints::ClaimFixture>(&claimed)
        }
        Route::SettleFixture => {
            let request = call.read::<endpoints::SettleFixture>()?;
            holders::settle(daemon, lease, used, request).map_err(conflict)?;
            done::<endpoints::SettleFixture>()
        }
        _ => call.unanswered(),
    }
}

/// What only the holder of a deployment of its own may do.
async fn on_ones_own(daemon: &Daemon, used: &Used, call: &Call<'_>) -> Answer {
    if used.mode == LeaseMode::Shared {
        let error = "this deployment is shared: faults need Exclusive<_> or Fresh<_>".to_owned();
        return Err(Refusal(StatusCode::FORBIDDEN, error));
    }
    let deployment = &used.deployment;
    let conflict = refuse(StatusCode::CONFLICT);
    match call.route {
        Route::Operate => {
            let operated = holders::operate(daemon, used, call.read::<endpoints::Operate>()?);
            operated.await.map_err(conflict)?;
            done::<endpoints::Operate>()
        }
        Route::AdvanceKeys => {
            let AdvanceKeys { known } = call.read::<endpoints::AdvanceKeys>()?;
            let taken = deployment.advance_keys(known);
            let taken = taken.map_err(|error| conflict(error.to_string()))?;
            say::<endpoints::AdvanceKeys>(&KeysAdvanced { taken })
        }
        Route::ChangeServer => {
            let ChangeServer {
                server,
                program,
                options,
            } = call.read::<endpoints::ChangeServer>()?;
            let changed = deployment.change_server(&server, program, &options);
            changed.map_err(|error| conflict(error.to_string()))?;
            done::<endpoints::ChangeServer>()
        }
        Route::OperateLinks => {
            let request = call.read::<endpoints::OperateLinks>()?;
            let answer = links::operate(daemon, deployment, request).await;
            say::<endpoints::OperateLinks>(&answer)
        }
        Route::PlanRolling => {
            let plan = operations::plan_rolling(used, call.read::<endpoints::PlanRolling>()?).await;
            let plan = plan.map_err(|error| conflict(error.to_string()))?;
            say::<endpoints::PlanRolling>(&plan)
        }
        Route::BeginOperation => {
            let request = call.read::<endpoints::BeginOperation>()?;
            let begun = operations::begin(daemon, used, request);
            let begun = begun.map_err(|error| conflict(error.to_string()))?;
            say::<endpoints::BeginOperation>(&begun)
        }
        Route::WaitForOperation => {
            let request = call.read::<endpoints::WaitForOperation>()?;
            let status = operations::wait(used, &request).await;
            let status = status.map_err(|error| conflict(error.to_string()))?;
            say::<endpoints::WaitForOperation>(&status)
        }
        Route::SteerOperation => {
            let steered = operations::steer(used, &call.read::<endpoints::SteerOperation>()?);
            steered.map_err(|error| conflict(error.to_string()))?;
            done::<endpoints::SteerOperation>()
        }
        Route::ReadOperations => say::<endpoints::ReadOperations>(&deployment.operations()),
        Route::Wipe => {
            let request = call.read::<endpoints::Wipe>()?;
            let roll = membership::wipe(daemon, deployment, request).await;
            say::<endpoints::Wipe>(&roll.map_err(conflict)?)
        }
        Route::ExpectExit => {
            let expected = exits::expect(deployment, &call.read::<endpoints::ExpectExit>()?);
            say::<endpoints::ExpectExit>(&expected.map_err(conflict)?)
        }
        Route::SeeExit => {
            let seen = exits::see(deployment, &call.read::<endpoints::SeeExit>()?).await;
            say::<endpoints::SeeExit>(&seen.map_err(conflict)?)
        }
        Route::StartAll => {
            let request = call.read::<endpoints::StartAll>()?;
            let started = exits::start_all(deployment, &request).await;
            started.map_err(conflict)?;
            done::<endpoints::StartAll>()
        }
        Route::FailStart => {
            let request = call.read::<endpoints::FailStart>()?;
            let failed = exits::fail_start(deployment, &request).await;
            say::<endpoints::FailStart>(&failed.map_err(conflict)?)
        }
        _ => call.unanswered(),
    }
}
