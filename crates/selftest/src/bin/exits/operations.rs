//! Operations on a whole deployment: done, cancelled, checked, failed and left to themselves.

use std::cell::Cell;
use std::time::Duration;

use armadillo::deployment::{OperationError, OperationStatus, Outcome};
use armadillo::prelude::*;
use tally_system::{Tally, tally};

use crate::program;

#[armadillo::test(tally(servers = 3))]
async fn restarts_all(tally: Exclusive<Tally>) -> TestResult {
    let before = tally.processes().await?;
    let status = tally.rolling_restart().await?;
    let restarted: Vec<&str> = status.restarted().iter().map(|key| key.as_str()).collect();
    assert_eq!(restarted, ["tally-1", "tally-2", "tally-3"]);
    let after = tally.processes().await?;
    for server in tally.orchestrator().servers() {
        assert_ne!(before[&server].pid, after[&server].pid, "{server}");
    }
    // Its own, and none of other tests.
    assert_eq!(tally.operations().await?, [status]);
    Ok(())
}

#[armadillo::test(tally(servers = 3))]
async fn cancels_in_the_middle(tally: Exclusive<Tally>) -> TestResult {
    let operation = tally.rolling_restart().start().await?;
    // One at a time.
    let second = tally
        .rolling_restart()
        .start()
        .await
        .err()
        .ok_or("two at once")?;
    assert!(second.to_string().contains("is in progress"), "{second}");
    operation.has_restarted(1).await?;
    let status = operation.cancel().await?;
    // Everything is up, and it is known how far it came.
    assert!(tally.health().await?.is_good());
    let (done, rest) = (status.restarted().len(), status.not_restarted().len());
    assert!(done >= 1 && done + rest == 3, "{status}");
    if rest > 0 {
        assert_eq!(status.outcome, Outcome::Cancelled);
        assert!(matches!(
            operation.await,
            Err(OperationError::Cancelled { .. })
        ));
    }
    Ok(())
}

/// Nothing is taken back of what has ended, and it is not called cancelled.
#[armadillo::test(tally(servers = 2))]
async fn cancels_what_is_done(tally: Exclusive<Tally>) -> TestResult {
    let operation = tally.rolling_restart().start().await?;
    let done = operation.clone().await?;
    assert_eq!(done.outcome, Outcome::Done);
    assert_eq!(operation.cancel().await?, done);
    assert_eq!(operation.await?, done);
    assert_eq!(tally.operations().await?, [done]);
    Ok(())
}

#[armadillo::test(tally(servers = 2))]
async fn leaves_gates_out(tally: Exclusive<Tally>) -> TestResult {
    let plan = tally.rolling_restart().plan().await?;
    assert_eq!(
        plan.to_string(),
        "rolling restart\n   1. tally-1: restart\n   2. wait for healthy\n   3. tally-2: restart\n   4. wait for healthy"
    );
    let status = tally.rolling_restart().without_gate("healthy").await?;
    assert!(
        status.to_string().contains("wait for healthy (left out)"),
        "{status}"
    );
    let unknown = tally.rolling_restart().without_gate("wealthy").await;
    let why = unknown.err().ok_or("it is known")?.to_string();
    assert!(
        why.contains("no gate named `wealthy`; its gates are healthy"),
        "{why}"
    );
    Ok(())
}

/// Before anything is done: its gates would wait for the server that is down.
#[armadillo::test(tally(servers = 3))]
async fn refuses_while_one_is_down(tally: Exclusive<Tally>) -> TestResult {
    tally.server("tally-2").stop().await?;
    let refused = tally.rolling_restart().start().await;
    let why = refused.err().ok_or("it was begun")?.to_string();
    assert!(why.contains("tally-2 is stopped, and the gates"), "{why}");
    assert!(tally.operations().await?.is_empty());
    // A plan of one's own risk is another matter.
    let plan = tally.rolling_restart().force().plan().await?;
    assert_eq!(plan.steps.len(), 6);
    Ok(())
}

#[armadillo::test(tally(servers = 1))]
async fn says_what_nothing_takes_the_place_of(tally: Exclusive<Tally>) -> TestResult {
    let plan = tally.rolling_restart().plan().await?.to_string();
    let note = "note: nothing takes the place of tally-1 while it is restarted";
    assert!(plan.ends_with(note), "{plan}");
    Ok(())
}

/// The check between two servers takes longer than the operation may: nobody has cancelled that. Where the restart of the first
/// takes as long by itself, that step fails.
#[armadillo::test(tally(servers = 2))]
async fn runs_out_of_time_between(tally: Exclusive<Tally>) -> TestResult {
    let was_held = Cell::new(false);
    let rolling = tally.rolling_restart().within(Duration::from_secs(2));
    let late = rolling.checked(async |status| {
        if status.restarted().len() == 1 {
            was_held.set(true);
            // Until it has ended by itself.
            while !tally
                .operations()
                .await?
                .iter()
                .all(OperationStatus::has_ended)
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    });
    let late = late.await.err().ok_or("it was done")?;
    assert!(matches!(late, OperationError::Failed { .. }), "{late}");
    let said = late.to_string();
    assert!(
        !was_held.get() || said.contains("its time was up"),
        "{said}"
    );
    Ok(())
}

#[armadillo::test(tally(servers = 3))]
async fn checks_between(tally: Exclusive<Tally>) -> TestResult {
    let checks = Cell::new(0);
    let rolling = tally.rolling_restart();
    let status = rolling.checked(async |status| {
        checks.set(checks.get() + 1);
        assert_eq!(status.restarted().len(), checks.get());
        Ok(())
    });
    assert_eq!(status.await?.outcome, Outcome::Done);
    assert_eq!(checks.get(), 3);
    let failed = rolling
        .checked(async |_| Err("the data are wrong".into()))
        .await;
    let failed = failed.err().ok_or("it went on")?;
    assert_eq!(
        failed.status().map(|status| status.restarted().len()),
        Some(1)
    );
    assert!(
        failed.to_string().contains("the data are wrong"),
        "{failed}"
    );
    Ok(())
}

/// The first server starts with it, the second does not.
const STARTS_ONCE: &str = "[ \"$1\" = --version ] || mkdir \"$0.once\" 2>/dev/null || { echo 'fatal: cannot read this' >&2; exit 4; }";

#[armadillo::test(tally(servers = 3))]
async fn fails_and_goes_back(tally: Fresh<Tally>, cx: TestContext) -> TestResult {
    let newer = program(&cx, "newer", STARTS_ONCE)?;
    let operation = tally.rolling_upgrade([newer]).start().await?;
    let failed = operation.clone().await.err().ok_or("it did not fail")?;
    let said = failed.to_string();
    let first: Vec<&str> = said.lines().take(10).collect();
    let first = first.join("\n");
    assert!(first.contains("tally-2: restart with"), "{said}");
    assert!(first.contains("fatal: cannot read this"), "{said}");
    assert!(said.contains("`operation.go_back()`"), "{said}");
    operation.go_back().await?;
    assert!(tally.health().await?.is_good());
    Ok(())
}

/// Ends while its operation is on its way: it is cancelled, and the next test finds the deployment as it was.
#[armadillo::test(tally(servers = 3))]
async fn leaves_an_operation(tally: Exclusive<Tally>) -> TestResult {
    tally.rolling_restart().start().await?;
    Ok(())
}

/// Another option instead of another program; what is wrong with it is seen.
#[armadillo::test(tally(servers = 1))]
async fn restarts_with_an_option(tally: Exclusive<Tally>) -> TestResult {
    let server = tally.server("tally-1");
    server.restart_with_option("verbose", "yes").await?;
    Ok(())
}
