//! Data of another version: what a start says to it (`Upgrade.cpp`, `UpgradeFeature.cpp` and `CheckVersionFeature.cpp` of
//! arangodb/arangodb).
//!
//! Only major and minor version count. Older data needs a run with `--database.auto-upgrade`. Newer data is complained of, and
//! the server goes on: arangod's option text speaks of a refusal, its sources of none. `--database.check-version` refuses both.
//! A coordinator has no data: its upgrade run upgrades what the whole cluster shares.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::cluster::{AgencyError, Cluster, PATIENCE};
use crate::directory::{DirectoryError, Found};
use crate::exit::Exit;
use crate::logging::Logger;
use crate::server::Server;
use crate::version::imitated;

/// Where the cluster keeps the version that it was upgraded to.
pub(crate) const CLUSTER_VERSION: &str = "/arango/ClusterUpgradeVersion";
/// Who upgrades it at the moment.
const CLUSTER_UPGRADER: &str = "/arango/ClusterUpgradeExecutedBy";

/// What a start does about the version of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It serves, if it can.
    Serve,
    /// `--database.auto-upgrade`
    Upgrade,
    /// `--database.check-version`
    Check,
}

/// Refuses data that the server cannot have in this mode.
pub(crate) fn judge(found: Found, mode: Mode, log: &Logger) -> Result<(), DirectoryError> {
    let refusal = |exit, id, message: &str| {
        let message = String::from(message);
        Err(DirectoryError { id, message, exit })
    };
    match (found, mode) {
        (Found::Nothing | Found::Same, _) | (Found::Older(_), Mode::Upgrade) => Ok(()),
        (Found::Older(_), Mode::Check) => {
            let message = "Database version check failed for '_system': upgrade needed";
            log.warning("b7514", "general", message);
            let message = "Database version check failed: upgrade needed";
            refusal(Exit::UpgradeRequired, "40e37", message)
        }
        (Found::Newer(_), Mode::Check) => {
            let message = "Database version check failed for '_system': downgrade needed";
            log.warning("ef6ca", "general", message);
            let message = "Database version check failed: downgrade needed";
            refusal(Exit::DowngradeRequired, "290c2", message)
        }
        (Found::Older(old), Mode::Serve) => {
            complain_of_age(old, log);
            let exit = match imitated().says_why_it_exits() {
                true => Exit::UpgradeRequired,
                false => Exit::Failed,
            };
            let message = "Database '_system' upgrade failed (bad parameter). Please inspect the logs from the upgrade \
                           procedure and try starting the server again.";
            refusal(exit, "2eb08", message)
        }
        (Found::Newer(new), _) => {
            let text = format!(
                "Database directory version ({new}) is higher than current version ({}).",
                imitated().number()
            );
            log.error("fdbd9", "startup", text);
            let text = "It seems like you are running ArangoDB on a database directory that was created with a newer \
                        version of ArangoDB. Maybe this is what you wanted but it is not supported by ArangoDB.";
            log.error("b99ca", "startup", text);
            Ok(())
        }
    }
}

/// The lines with which arangod says that its data is too old for it.
fn complain_of_age(old: u64, log: &Logger) {
    let lower = format!(
        "Database directory version ({old}) is lower than current version ({}).",
        imitated().number()
    );
    let rule = "-".repeat(70);
    for (id, text) in [
        ("3bc7f", lower.as_str()),
        ("ebca0", &rule),
        (
            "24e3c",
            "It seems like you have upgraded the ArangoDB binary.",
        ),
        (
            "8bcec",
            "If this is what you wanted to do, please restart with the",
        ),
        ("b0360", "  --database.auto-upgrade true"),
        (
            "13414",
            "option to upgrade the data in the database directory.",
        ),
        ("24bd1", &rule),
    ] {
        log.error(id, "startup", text);
    }
    let text =
        "Database '_system' needs upgrade. Please start the server with --database.auto-upgrade";
    log.error("1c156", "general", text);
}

/// What the upgrade run of a coordinator does (`ClusterUpgradeFeature.cpp`): the first one with a newer version upgrades what
/// the cluster shares, of which the emulator has nothing but the version. Another coordinator's work is left to it.
pub(crate) async fn upgrade_cluster(
    cluster: &Rc<Cluster>,
    server: &Server,
) -> Result<(), AgencyError> {
    let log = &server.log;
    let ours = imitated().number();
    let known = cluster.look("ClusterUpgradeVersion", Value::clone);
    if known.as_u64().is_some_and(|known| known >= u64::from(ours)) {
        return Ok(());
    }
    let from = match known.as_u64() {
        Some(known) => format!("version {known}"),
        None => String::from("an unknown version"),
    };
    let before = match &known {
        Value::Null => json!({ "oldEmpty": true }),
        known => json!({ "old": known }),
    };
    let claim = json!({ CLUSTER_UPGRADER: { "op": "set", "new": cluster.id } });
    let alone = json!({ CLUSTER_VERSION: before, CLUSTER_UPGRADER: { "oldEmpty": true } });
    let claimed = cluster.agency.write(claim, alone, PATIENCE).await?;
    if claimed.place().is_none() {
        return Ok(());
    }
    let text = format!("running cluster upgrade from {from} to version {ours}...");
    log.info("15ac4", "cluster", text);
    let done = json!({ CLUSTER_VERSION: ours, CLUSTER_UPGRADER: { "op": "delete" } });
    let still = json!({ CLUSTER_UPGRADER: { "old": cluster.id } });
    cluster.agency.write(done, still, PATIENCE).await?;
    let text = format!("cluster upgrade to version {ours} completed successfully");
    log.info("853de", "cluster", text);
    Ok(())
}
