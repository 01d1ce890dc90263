//! The operations on deployments that are up, whoever has begun them: `operations` and `cancel`.

use std::process::ExitCode;

use armadillo_harness::fixture::{LeaseError, Orchestrator};
use armadillo_harness::session::Session;
use armadillo_orchestrator::{OperationStatus, Outcome};

use crate::complete;
use crate::session::{CommandError, Which, say, within};

/// Show the operations on what is up, with their steps: upgrades, downgrades, rolling restarts
#[derive(clap::Args)]
pub(crate) struct Operations {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

/// Stop an operation where it is safe, whoever has begun it
///
/// A server that is being restarted comes up again first. An operation goes on if the command that began it is killed.
#[derive(clap::Args)]
pub(crate) struct Cancel {
    /// The deployment, if several have an operation in progress: `etcd`, `etcd-2`
    #[arg(long, value_name = "NAME", add = complete::deployments())]
    deployment: Option<String>,
    #[command(flatten)]
    which: Which,
}

pub(crate) fn operations(args: &Operations) -> ExitCode {
    within(&args.which, async |session| {
        let mut all = Vec::new();
        for (name, deployment) in session.named() {
            let known = of(deployment).await?;
            all.extend(known.into_iter().map(|status| (name.clone(), status)));
        }
        if args.json {
            let all: Vec<_> = all.iter().map(as_json).collect();
            say(&format!("{}\n", serde_json::Value::from(all)));
            return Ok(());
        }
        if all.is_empty() {
            say("no operation has been begun\n");
        }
        for (name, status) in all {
            say(&format!("{name}: {status}\n"));
        }
        Ok(())
    })
}

fn as_json((deployment, status): &(String, OperationStatus)) -> serde_json::Value {
    let steps = status.steps.iter().map(|(step, state)| {
        let mut step = serde_json::json!({ "what": step.to_string() });
        merge(&mut step, serde_json::to_value(state).unwrap_or_default());
        step
    });
    let mut operation = serde_json::json!({
        "deployment": deployment,
        "id": status.id,
        "name": status.name,
        "steps": steps.collect::<Vec<_>>(),
    });
    let outcome = serde_json::to_value(&status.outcome).unwrap_or_default();
    merge(&mut operation, outcome);
    operation
}

/// Adds the fields of one object to those of another.
fn merge(object: &mut serde_json::Value, other: serde_json::Value) {
    if let (Some(object), serde_json::Value::Object(other)) = (object.as_object_mut(), other) {
        object.extend(other);
    }
}

pub(crate) fn cancel(cancel: &Cancel) -> ExitCode {
    within(&cancel.which, async |session| {
        let (deployment, status) = in_progress(&session, cancel.deployment.as_deref()).await?;
        say(&format!("stopping the {} where it is safe\n", status.name));
        let operation = Session::operation(deployment, status.id);
        let stopped = operation.cancel().await.map_err(in_words)?;
        say(&format!("{stopped}\n"));
        match stopped.outcome {
            Outcome::Failed { why } => Err(CommandError::Other(why)),
            _ => Ok(()),
        }
    })
}

/// The operation that is meant: the only one that is in progress, or the one on this deployment.
async fn in_progress<'a>(
    session: &'a Session,
    deployment: Option<&str>,
) -> Result<(&'a Orchestrator, OperationStatus), CommandError> {
    // A wrong name is said to be wrong.
    let named = match deployment {
        Some(name) => Some(session.deployment(Some(name))?),
        None => None,
    };
    let mut found = Vec::new();
    for (name, one) in session.named() {
        let is_meant = named.is_none_or(|named| named.view().deployment == one.view().deployment);
        if is_meant {
            let running = of(one).await?.into_iter().find(|one| !one.has_ended());
            found.extend(running.map(|status| (name, one, status)));
        }
    }
    match found.len() {
        0 => Err(CommandError::Other(
            "no operation is in progress; `armadillo operations` shows those that have ended"
                .to_owned(),
        )),
        1 => Ok(found.remove(0)).map(|(_, deployment, status)| (deployment, status)),
        _ => {
            let names: Vec<String> = found.into_iter().map(|(name, ..)| name).collect();
            let why = format!(
                "several operations are in progress; name a deployment with --deployment: {}",
                names.join(", ")
            );
            Err(CommandError::Other(why))
        }
    }
}

async fn of(deployment: &Orchestrator) -> Result<Vec<OperationStatus>, CommandError> {
    Session::operations(deployment).await.map_err(in_words)
}

fn in_words(error: LeaseError) -> CommandError {
    CommandError::Other(error.to_string())
}
