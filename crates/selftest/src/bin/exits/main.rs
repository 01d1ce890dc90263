//! Tests whose servers end by themselves, or do not even start, because the tests mean them to. `tests/exits` says how each must end.

mod operations;
mod upgrades;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use armadillo::deployment::{Exit, ExitExpectation, ServerKey};
use armadillo::harness::fixture::{ChangeOperation, PlannedChange};
use armadillo::orchestrator::{Step, StepKind, SystemStep};
use armadillo::prelude::*;
use armadillo_selftest::brittle::{Brittle, brittle};
use tally_system::{Tally, tally};

/// What a server does that is told to crash.
const ABORT: ExitExpectation = ExitExpectation::signal(6);

/// The one server.
const SERVER: &str = "tally-1";

fn main() -> std::process::ExitCode {
    armadillo::main()
}

#[armadillo::test]
async fn sees_what_it_expects(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let abort = server.expect_exit(ABORT).await?;
    tally.crash(SERVER).await;
    let exit = abort.seen().await?;
    assert_eq!(exit.signal, Some(6));
    assert_eq!(tally.health().await?.percent(), 0);
    server.start().await?;
    tally.add(SERVER, "visits", 1).await?;
    Ok(())
}

/// The server is started again before the next test.
#[armadillo::test]
async fn expects_anything_and_leaves_it(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let exit = server.expect_exit(ExitExpectation::any()).await?;
    tally.crash(SERVER).await;
    exit.seen().await?;
    Ok(())
}

#[armadillo::test]
async fn expects_what_does_not_happen(tally: Exclusive<Tally>) -> TestResult {
    tally.server(SERVER).expect_exit(ABORT).await?;
    Ok(())
}

#[armadillo::test]
async fn waits_for_what_does_not_happen(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER).within(Duration::from_millis(50));
    server.expect_exit(ABORT).await?.seen().await?;
    Ok(())
}

#[armadillo::test]
async fn expects_something_else(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let killed = server.expect_exit(ExitExpectation::signal(9)).await?;
    tally.crash(SERVER).await;
    assert!(killed.seen().await.is_err());
    Ok(())
}

/// What was meant once is a crash the next time.
#[armadillo::test]
async fn expects_one_exit_of_two(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let abort = server.expect_exit(ABORT).await?;
    tally.crash(SERVER).await;
    abort.seen().await?;
    server.start().await?;
    tally.crash(SERVER).await;
    Ok(())
}

#[armadillo::test(brittle(broken))]
async fn sees_a_start_fail(brittle: Unstarted<Brittle>) -> TestResult {
    let failed = brittle.server(SERVER).start_expecting_failure().await?;
    assert_eq!(failed.exit, Exit::with_code(2));
    assert_eq!(failed.to_string(), "exit code 2: called wrongly");
    assert_eq!(failed.log, "usage: tally ADDRESS\n");
    Ok(())
}

/// Its server starts, and is stopped again.
#[armadillo::test]
async fn expects_a_start_to_fail_that_does_not(tally: Unstarted<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let failed = server.start_expecting_failure().await;
    assert_eq!(tally.health().await?.percent(), 0);
    failed?;
    Ok(())
}

/// A start that fails and was not meant to.
#[armadillo::test(brittle(broken))]
async fn starts_what_cannot_start(brittle: Unstarted<Brittle>) -> TestResult {
    brittle.server(SERVER).start().await?;
    Ok(())
}

/// Nothing runs before the test says so.
#[armadillo::test(tally(servers = 2))]
async fn starts_one_and_then_all(tally: Unstarted<Tally>) -> TestResult {
    assert_eq!(tally.health().await?.percent(), 0);
    tally.server("tally-2").start().await?;
    tally.add("tally-2", "visits", 1).await?;
    assert_eq!(tally.health().await?.percent(), 50);
    tally.start_all().await?;
    assert!(tally.health().await?.is_good());
    assert_eq!(tally.get("tally-2", "visits").await?, 1);
    Ok(())
}

/// Nothing has to run at all.
#[armadillo::test]
async fn starts_nothing(_tally: Unstarted<Tally>) {}

/// Does not wait for its restarts, and finds the server up each time.
#[armadillo::test]
async fn drops_its_restarts(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    for round in 0..20 {
        let limit = Duration::from_millis(2 * round);
        // At another moment each time.
        let _ = tokio::time::timeout(limit, server.restart()).await;
        tally.wait_until(healthy()).await?;
    }
    Ok(())
}

/// Ends while the server restarts: the next test finds it up.
#[armadillo::test]
async fn leaves_a_restart(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server(SERVER);
    let _ = tokio::time::timeout(Duration::from_millis(5), server.restart()).await;
    Ok(())
}

/// Whatever the others did, there is a server.
#[armadillo::test]
async fn finds_a_server(tally: Tally) -> TestResult {
    tally.add(SERVER, "visits", 1).await?;
    Ok(())
}

/// A script that says so and becomes the program that the deployment has anyway.
const SCRIPT: &str = "[ \"$1\" = --version ] || echo another program >&2";

/// What the server logs when it is started with the script.
const SAID: &str = "another program";

/// A program that does this before it becomes the one that every deployment of this suite has.
fn program(cx: &TestContext, name: &str, first: &str) -> TestResult<String> {
    let script = cx.temporary_directory().join(name);
    let own = std::env::current_exe()?;
    let own = own.display();
    let text = format!("#!/bin/sh\n{first}\nexec {own} __armadillo tally \"$@\"\n");
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script.display().to_string())
}

#[armadillo::test]
async fn y_runs_another_program(tally: Exclusive<Tally>, cx: TestContext) -> TestResult {
    let script = program(&cx, "another", SCRIPT)?;
    let server = tally.server(SERVER);
    let before = server.log().mark().await?;
    // What is not there is found out before anything is done.
    let missing = server.restart_with("/nonexistent/program").await;
    assert!(missing.is_err_and(|error| error.to_string().contains("does not exist")));
    assert_eq!(server.log().since(before).lines().await?, []);
    server.restart_with(&script).await?;
    server.log().since(before).wait_for(SAID).await?;
    tally.add(SERVER, "visits", 1).await?;
    // Later restarts run the same.
    let between = server.log().mark().await?;
    server.restart().await?;
    server.log().since(between).wait_for(SAID).await?;
    Ok(())
}

/// Steps on the test's server, as a system's own operation makes them.
fn change(tally: &Tally, name: &'static str, steps: Vec<Step>) -> ChangeOperation<(), TestError> {
    tally.orchestrator().change(move |_| {
        let planned = PlannedChange::new(name, steps.clone(), ());
        std::future::ready(Ok(planned))
    })
}

/// It is removed, and comes back as another.
#[armadillo::test]
async fn y_removes_a_server(tally: Exclusive<Tally>) -> TestResult {
    let server = ServerKey::from(SERVER);
    let orchestrator = tally.orchestrator();
    let grace = Duration::ZERO;
    let removal = vec![
        Step::of(&server, StepKind::Leave),
        Step::of(&server, StepKind::Dismiss { grace }).bound(),
    ];
    change(&tally, "removal", removal).await?;
    assert!(orchestrator.servers().is_empty());
    tally.wait_until(healthy()).await?;
    let refused = tally.server(SERVER).start().await;
    assert!(refused.is_err_and(|error| error.to_string().contains("not part of the deployment")));
    let spare = orchestrator.spare("tally", "spares")?;
    assert_eq!(spare, server);
    let addition = vec![
        Step::of(&spare, StepKind::Join),
        Step::of(&spare, StepKind::Start),
    ];
    change(&tally, "addition", addition).await?;
    let none = orchestrator.spare("tally", "spares");
    let none = none.err().ok_or("there is one")?;
    assert_eq!(
        none.to_string(),
        "no spare tally is left; add `spares = 1` to the topology of the test"
    );
    tally.wait_until(healthy()).await?;
    let names = tally.operations().await?.into_iter();
    let names: Vec<String> = names.map(|status| status.name).collect();
    assert_eq!(names, ["removal", "addition"]);
    Ok(())
}

/// What fails on the way is undone: the server is up, and part of the deployment.
#[armadillo::test]
async fn y_fails_to_remove_a_server(tally: Exclusive<Tally>) -> TestResult {
    let server = ServerKey::from(SERVER);
    let steps = vec![
        Step::of(&server, StepKind::Stop { forced: false }),
        Step::of(&server, StepKind::Leave),
        Step::act(Some(&server), SystemStep::new("forget")),
    ];
    let failed = change(&tally, "removal", steps).await;
    let failed = failed.err().ok_or("it was removed")?.to_string();
    assert!(
        failed.starts_with(&format!("{SERVER}: forget: ")),
        "{failed}"
    );
    assert_eq!(tally.orchestrator().servers(), [server]);
    tally.wait_until(healthy()).await?;
    Ok(())
}

/// What it gets is a deployment of which every server runs what the topology says.
#[armadillo::test]
async fn z_runs_its_own_again(tally: Exclusive<Tally>) -> TestResult {
    tally.server(SERVER).restart().await?;
    let lines = tally.server(SERVER).log().lines().await?;
    assert!(!lines.is_empty() && lines.iter().all(|line| line.line != SAID));
    Ok(())
}
