//! A suite for a cluster that somebody else uses at the same time. `armadillo exec` has started it, and the other suite is
//! `python/tests/meeting.py`.

use std::process::ExitCode;
use std::time::Duration;

use armadillo::prelude::*;
use serde_json::{Value, json};

fn main() -> ExitCode {
    armadillo::main()
}

/// Who else comes: the two workers of pytest-xdist.
const OTHERS: [&str; 2] = ["gw0", "gw1"];

/// How long to wait before the next look.
const PAUSE: Duration = Duration::from_millis(20);

/// Comes to the meeting and stays until all have come: they all run at that moment, on this cluster.
#[armadillo::test(
    timeout = "3m",
    ignore = "waits for suites in other languages that run beside it"
)]
async fn all_meet(cluster: Cluster, client: ArangoClient, docs: Collection) -> TestResult {
    let guests = client.database("meeting").collection("guests");
    // The others make the place.
    while let Err(error) = guests.insert(&json!({ "_key": "rust" })).await {
        if !error.is_not_found() {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
    for other in OTHERS {
        while guests.get::<Value>(other).await?.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    docs.insert(&json!({ "_key": "own" })).await?;
    assert_eq!(docs.count().await?, 1);
    cluster.wait_until(healthy()).await?;
    Ok(())
}
