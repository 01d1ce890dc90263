//! `--doctor`: trying out assumptions on deployments that are started for it, one at a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use armadillo_orchestrator::doctor::{self, CheckedDeployment};
use armadillo_orchestrator::{Deadline, Deployment, StartRequest, System};
use tokio::sync::watch;

use super::Daemon;
use crate::protocol::doctor::{TriedOut, TryOut};

/// How long a deployment may take to be good.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a deployment may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The deployment of the present stage.
struct Checked {
    topology: armadillo_orchestrator::Topology,
    deployment: Arc<Deployment>,
    started: watch::Receiver<Option<Result<(), String>>>,
}

/// The deployment of the present stage, and how many there were.
#[derive(Default)]
pub(super) struct Checks {
    present: RefCell<Option<Rc<Checked>>>,
    count: RefCell<u32>,
}

impl Checks {
    /// Kills the deployment of the present stage.
    pub(super) fn kill_now(&self) {
        if let Some(present) = &*self.present.borrow() {
            present.deployment.kill_now();
        }
    }
}

/// Tries one assumption out, on the deployment of its stage.
pub(super) async fn try_out(daemon: &Rc<Daemon>, wanted: &TryOut) -> Result<TriedOut, String> {
    let system = armadillo_orchestrator::system(&wanted.system)
        .ok_or_else(|| format!("this executable has no system named `{}`", wanted.system))?;
    let all = system.assumptions().iter();
    let assumption = all
        .clone()
        .find(|assumption| assumption.name == wanted.assumption)
        .ok_or_else(|| {
            format!(
                "{} has no assumption `{}`",
                wanted.system, wanted.assumption
            )
        })?;
    let stage = system
        .stages()
        .iter()
        .find(|stage| stage.name == assumption.stage())
        .ok_or_else(|| format!("{} has no stage `{}`", wanted.system, assumption.stage()))?;
    let checked = match of_stage(daemon, system, stage).await {
        Ok(checked) => checked,
        Err(error) => {
            return Ok(TriedOut {
                outcome: Err(error),
            });
        }
    };
    let deadline = Deadline::after(daemon.limit(doctor::LIMIT));
    let deployment = CheckedDeployment::new(
        checked.deployment.clone(),
        checked.started.clone(),
        deadline,
    );
    let tried = deadline
        .bound(system.try_out(assumption.name, &deployment))
        .await;
    let outcome = tried.unwrap_or_else(|| {
        let limit = daemon.limit(doctor::LIMIT);
        Err(deployment
            .ended()
            .unwrap_or_else(|| format!("no result within {limit:.0?}")))
    });
    Ok(TriedOut { outcome })
}

/// The deployment of a stage: the present one, or a new one whose start begins now.
async fn of_stage(
    daemon: &Rc<Daemon>,
    system: &'static dyn System,
    stage: &doctor::CheckStage,
) -> Result<Rc<Checked>, String> {
    let topology = doctor::topology(system, stage, &daemon.orders.settings)?;
    let present = daemon.doctor.present.borrow().clone();
    if let Some(present) = present {
        if present.topology == topology {
            return Ok(present);
        }
        stop(daemon).await;
    }
    let number = daemon.doctor.count.replace_with(|count| *count + 1);
    let id = format!("{}-{}x{number}", topology.label(), daemon.orders.run);
    let request = StartRequest {
        directory: daemon.servers.join(&id),
        secrets: Some(daemon.secrets.join(&id)),
        id,
        system,
        topology: topology.clone(),
        settings: daemon.orders.settings.clone(),
        programs: daemon.orders.programs.clone(),
        share: None,
        deadline: daemon.limit(START_LIMIT).into(),
    };
    let placed = Deployment::place(daemon.host.clone(), request, daemon.notices.clone()).await;
    let deployment = placed.map_err(|error| error.to_string())?;
    let (sender, started) = watch::channel(None);
    let starting = deployment.clone();
    let limit = daemon.limit(START_LIMIT);
    daemon.spawn(async move {
        let outcome = starting.start_all(limit).await;
        sender.send_replace(Some(outcome.map_err(|error| error.to_string())));
    });
    let checked = Rc::new(Checked {
        topology,
        deployment,
        started,
    });
    *daemon.doctor.present.borrow_mut() = Some(checked.clone());
    Ok(checked)
}

/// Stops the deployment of the present stage.
pub(super) async fn stop(daemon: &Daemon) {
    let present = daemon.doctor.present.borrow_mut().take();
    if let Some(present) = present {
        present.deployment.stop(daemon.limit(STOP_LIMIT)).await;
        if let Err(error) = present.deployment.remove_data() {
            tracing::warn!(
                "{}: cannot remove its data: {error}",
                present.deployment.id()
            );
        }
    }
}
