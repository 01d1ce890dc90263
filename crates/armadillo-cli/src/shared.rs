//! Deployments that no run of this moment owns: those that `--reuse` has left, and those that the tests of nextest share.

use std::fmt::Write;
use std::time::Duration;

use armadillo_harness::warm::{self, Warm};

use crate::session::{CommandError, say};

/// How long each may take to stop everything and end.
const LIMIT: Duration = Duration::from_secs(60);

/// All of them, for people.
pub(crate) async fn text() -> String {
    let mut text = String::new();
    for warm in warm::all() {
        // Writing to a String cannot fail.
        _ = writeln!(
            text,
            "run {}  pid {}  {}",
            warm.run(),
            warm.pid(),
            warm.scope()
        );
        _ = writeln!(text, "  logs: {}", warm.files().join("servers").display());
        match warm.deployments().await {
            Ok(deployments) => deployments.iter().for_each(|(id, deployment)| {
                let tests = match deployment.leases.len() {
                    0 => "idle".to_owned(),
                    1 => "used by 1 test".to_owned(),
                    count => format!("used by {count} tests"),
                };
                let state = format!("{:?}", deployment.state).to_lowercase();
                let topology = &deployment.topology;
                _ = writeln!(text, "  {topology}  [{id}]  {state}, {tests}");
            }),
            Err(_) if !warm.lives() => {}
            Err(error) => _ = writeln!(text, "  {error}"),
        }
    }
    text
}

/// How many there are.
pub(crate) fn count() -> usize {
    warm::all().len()
}

/// Stops all that no run is using, and returns when they have ended.
pub(crate) async fn end_all() -> Result<(), CommandError> {
    let (used, all): (Vec<Warm>, Vec<Warm>) = warm::all().into_iter().partition(Warm::is_used);
    for warm in used {
        say(&format!(
            "{}: left running, a test run uses it ({})\n",
            warm.run(),
            warm.scope()
        ));
    }
    for warm in &all {
        if let Err(error) = warm.end().await
            && warm.lives()
        {
            return Err(CommandError::Other(error.to_string()));
        }
    }
    for warm in &all {
        if !warm.ended_within(LIMIT).await {
            return Err(CommandError::Other(format!(
                "{} did not end within {LIMIT:.0?}; `kill -9 {}` ends it, and its servers with it",
                warm.run(),
                warm.pid()
            )));
        }
        say(&format!("{}: stopped\n", warm.run()));
    }
    Ok(())
}
