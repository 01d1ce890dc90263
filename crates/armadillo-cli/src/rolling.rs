//! What is done to a whole deployment that is up, one server after the other: `rolling-restart`, `upgrade` and `downgrade`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use armadillo_harness::fixture::{
    OperationError, Orchestrator, RollingOperation, RunningOperation,
};
use armadillo_harness::session::Session;
use armadillo_orchestrator::operations::StepKind;
use armadillo_orchestrator::{OperationPlan, OperationStatus, Outcome, ServerKey, StepState};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::complete;
use crate::session::{CommandError, Which, is_watched, limit, say, within};

/// How an operation is to be done.
#[derive(clap::Args)]
struct Terms {
    /// The deployment, if several are up: `etcd`, `etcd-2`
    #[arg(long, value_name = "NAME", add = complete::deployments())]
    deployment: Option<String>,
    /// Only show the plan
    #[arg(long)]
    plan: bool,
    /// Start each server with this option of its command line, too: `--option snapshot-count=500`
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,
    /// Leave out a gate, by its name in the plan: `wait for GATE`
    #[arg(long, value_name = "GATE")]
    without_gate: Vec<String>,
    /// Go on even if the servers that decide by majority lose it
    #[arg(long)]
    force: bool,
    /// How long the whole may take: `90s`, `10m`
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = limit)]
    timeout: Duration,
    #[command(flatten)]
    which: Which,
}

/// Restart one server after the other
///
/// Followers come before leaders, and everything must be well before the next server. Ctrl-C stops where it is safe.
#[derive(clap::Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    terms: Terms,
}

/// Upgrade one server after the other, on its data, while the deployment is used
///
/// Followers come before leaders, and gates must open before the next server: `--plan` shows them. Several versions are a path:
/// `armadillo upgrade 3.5 3.6`. `armadillo get etcd 3.6.16` gets a version that is not there. Ctrl-C stops where it is safe.
#[derive(clap::Args)]
pub(crate) struct Upgrade {
    /// The versions, or paths of programs, in their order
    #[arg(required = true, value_name = "VERSION", add = complete::versions())]
    path: Vec<String>,
    #[command(flatten)]
    terms: Terms,
}

/// Downgrade one server after the other, on its data, while the deployment is used
///
/// What `upgrade` does in the other direction, where the product can do that.
#[derive(clap::Args)]
pub(crate) struct Downgrade {
    /// The versions, or paths of programs, in their order
    #[arg(required = true, value_name = "VERSION", add = complete::versions())]
    path: Vec<String>,
    #[command(flatten)]
    terms: Terms,
}

pub(crate) fn restart(restart: &Restart) -> ExitCode {
    operate(&restart.terms, Session::rolling_restart)
}

pub(crate) fn upgrade(upgrade: &Upgrade) -> ExitCode {
    operate(&upgrade.terms, |on| {
        Session::rolling_upgrade(on, &upgrade.path)
    })
}

pub(crate) fn downgrade(downgrade: &Downgrade) -> ExitCode {
    operate(&downgrade.terms, |on| {
        Session::rolling_downgrade(on, &downgrade.path)
    })
}

fn operate(terms: &Terms, make: impl FnOnce(&Orchestrator) -> RollingOperation) -> ExitCode {
    within(&terms.which, async |session| {
        let deployment = session.deployment(terms.deployment.as_deref())?;
        let operation = terms.add_to(make(deployment));
        let plan = operation.plan().await.map_err(in_words)?;
        terms.check_gates(&plan)?;
        if terms.plan {
            say(&format!("{plan}\n"));
            return Ok(());
        }
        say(&format!("{}\n", plan.name));
        let begun = Instant::now();
        let running = operation.start().await.map_err(in_words)?;
        watch(&running).await?;
        say(&format!("done after {:.1?}\n", begun.elapsed()));
        Ok(())
    })
}

impl Terms {
    fn add_to(&self, mut operation: RollingOperation) -> RollingOperation {
        operation = operation.within(self.timeout);
        for (name, value) in &self.options {
            operation = operation.option(name, value);
        }
        for gate in &self.without_gate {
            operation = operation.without_gate(gate);
        }
        if self.force {
            operation = operation.force();
        }
        operation
    }

    fn check_gates(&self, plan: &OperationPlan) -> Result<(), CommandError> {
        let known = plan.gates();
        let mut unknown = self.without_gate.iter();
        match unknown.find(|gate| !known.contains(&***gate)) {
            None => Ok(()),
            Some(gate) => {
                let known: Vec<&str> = known.into_iter().collect();
                let known = known.join(", ");
                let why = format!("the plan has no gate named `{gate}`; its gates are {known}");
                Err(CommandError::Other(why))
            }
        }
    }
}

/// `NAME=VALUE`
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("write NAME=VALUE")?;
    Ok((name.trim_start_matches('-').to_owned(), value.to_owned()))
}

/// Shows each step when it has ended. Ctrl-C, or the end of the terminal, cancels the operation; a second one leaves it alone.
async fn watch(running: &RunningOperation) -> Result<(), CommandError> {
    let mut signals = Signals::new()?;
    let mut shown = 0;
    let ended = tokio::select! {
        ended = running.watched(|status| show(status, &mut shown)) => Some(ended),
        () = signals.next() => None,
    };
    if let Some(ended) = ended {
        return ended.map(drop).map_err(in_words);
    }
    say("stopping where it is safe; another Ctrl-C does not wait for that\n");
    let stopped = tokio::select! {
        stopped = running.cancel() => stopped,
        () = signals.next() => {
            let why = "not waited for: the operation is being cancelled".to_owned();
            return Err(CommandError::Interrupted(why));
        }
    };
    let status = stopped.map_err(|error| CommandError::Other(error.to_string()))?;
    show(&status, &mut shown);
    match &status.outcome {
        Outcome::Done => Ok(()),
        Outcome::Failed { why } => Err(CommandError::Other(format!(
            "{why}{}",
            what_changed(&status)
        ))),
        _ => {
            let why = format!("cancelled{}", what_changed(&status));
            Err(CommandError::Interrupted(why))
        }
    }
}

/// What asks a command to end.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> Result<Self, CommandError> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [interrupt, terminate, hang_up] = kinds.map(signal);
        let all = || Ok([interrupt?, terminate?, hang_up?]);
        all().map(Self).map_err(CommandError::Signals)
    }

    async fn next(&mut self) {
        let Self([interrupt, terminate, hang_up]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

/// The steps that have ended since.
fn show(status: &OperationStatus, shown: &mut usize) {
    let steps = status.steps.iter().enumerate().skip(*shown);
    for (number, (step, state)) in steps {
        let number_shown = number + 1;
        match state {
            StepState::Planned => return,
            // Its own line takes the place of this one.
            StepState::Running if is_watched() => {
                say(&format!("\r\x1b[2K  {number_shown:2}. {step} ...\r"));
                return;
            }
            StepState::Running => return,
            _ => {}
        }
        let line_start = if is_watched() { "\x1b[2K" } else { "" };
        say(&format!(
            "{line_start}  {number_shown:2}. {step} ({state})\n"
        ));
        *shown = number + 1;
    }
}

/// What went wrong, for somebody who has seen the steps, and what has been done.
fn in_words(error: OperationError) -> CommandError {
    CommandError::Other(match error {
        OperationError::Failed { why, status } => format!("{why}{}", what_changed(&status)),
        OperationError::Cancelled { status } => {
            format!("somebody else has cancelled it{}", what_changed(&status))
        }
        other => other.to_string(),
    })
}

fn what_changed(status: &OperationStatus) -> String {
    let names = |servers: Vec<&ServerKey>| {
        let names: Vec<String> = servers.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let failed = status.steps.iter().filter(|(step, state)| {
        let is_restart = matches!(step.what, StepKind::Restart(_));
        is_restart && matches!(state, StepState::Failed { .. })
    });
    let failed = names(
        failed
            .filter_map(|(step, _)| step.server.as_ref())
            .collect(),
    );
    let done = names(status.restarted());
    let mut text = match (done.is_empty(), failed.is_empty()) {
        (true, true) => return "\nno server was restarted".to_owned(),
        (true, false) => String::new(),
        (false, _) => format!("\nrestarted so far: {done}"),
    };
    if !failed.is_empty() {
        text += &format!(
            "\nstopped, and not ready since: {failed}; `armadillo logs {failed}` may say why"
        );
    }
    text
}
