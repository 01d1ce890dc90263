//! The steps of operations that only etcd knows: one try of each, and one look at each gate.

pub(crate) mod members;

use std::cmp::Ordering;
use std::time::Duration;

use armadillo_orchestrator::operations::Version;
use armadillo_orchestrator::{Request, ServerKey, SystemStep, Tried, View};

use crate::all::all;
use crate::client::wire::{VersionAnswer, decode};
use crate::client::{Code, EtcdClient, EtcdError, MemberStatus};
use crate::health::GROUP;
use crate::{health, statistics};

/// Leadership is moved to another member, if this one leads.
pub(crate) const HAND_OVER: &str = "hand-over";
/// The cluster is told that it will be downgraded.
pub(crate) const ENABLE_DOWNGRADE: &str = "enable-downgrade";
/// The opposite.
pub(crate) const CANCEL_DOWNGRADE: &str = "cancel-downgrade";
/// Gate: the member's Status says this version.
pub(crate) const VERSION: &str = "version";
/// Gate: every member follows the same leader in the same term.
pub(crate) const LEADER: &str = "leader";
/// Gate: the member has applied what the others have, up to a few entries.
pub(crate) const APPLIED: &str = "applied";
/// Gate: the member complains of nothing.
pub(crate) const ERRORS: &str = "errors";
/// Gate: the member answers a linearizable read.
pub(crate) const READ: &str = "read";
/// Gate: every member says that the cluster has this version.
pub(crate) const CLUSTER_VERSION: &str = "cluster-version";
/// Gate: every member's database has the format of this version.
pub(crate) const STORAGE_VERSION: &str = "storage-version";
/// Gate: members that run another version notwithstanding, the cluster still has this one, so they may go back to it.
pub(crate) const STILL_ON: &str = "still-on";
/// Gate: every member has taken a snapshot since its process began.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// How long one request may take. A member waits for the leadership to be where it was asked to be, even if it has gone elsewhere
/// meanwhile.
const LIMIT: Duration = Duration::from_secs(1);

/// How many entries a member may be behind: writes go on while they are compared.
const FEW_ENTRIES: u64 = 50;

/// Counts the snapshots that a process has taken (`etcdserver/api/snap/metrics.go`).
const SNAPSHOTS: &str = "etcd_debugging_snap_save_total_duration_seconds_count";

/// One try, or one look.
pub(crate) async fn try_step(view: &View, server: Option<&ServerKey>, step: &SystemStep) -> Tried {
    let client = EtcdClient::without_prefix(view).with_limit(LIMIT);
    if let Some(server) = server
        && let Some(tried) = members::try_step(view, &client, server, step).await
    {
        return tried;
    }
    let tried = match (step.name.as_str(), server) {
        (HAND_OVER, Some(server)) => hand_over(view, &client, server).await,
        (VERSION, Some(server)) => has_version(&client, server, &step.argument).await,
        (LEADER, _) => one_leader(view).await,
        (APPLIED, Some(server)) => has_applied(view, &client, server).await,
        (ERRORS, Some(server)) => has_no_errors(&client, server).await,
        (READ, Some(server)) => reads(view, server).await,
        (CLUSTER_VERSION, _) => cluster_version(view, &step.argument).await,
        (STORAGE_VERSION, _) => storage_version(view, &client, &step.argument).await,
        (SNAPSHOT, _) => snapshot(view).await,
        (STILL_ON, _) => return still_on(view, &step.argument).await,
        (ENABLE_DOWNGRADE, _) => return enable_downgrade(view, &client, &step.argument).await,
        (CANCEL_DOWNGRADE, _) => return cancel_downgrade(view, &client).await,
        _ => return Tried::Refused(format!("etcd has no step {step}")),
    };
    match tried {
        Ok(seen) => Tried::Done(seen),
        Err(why) => Tried::NotYet(why),
    }
}

async fn status(client: &EtcdClient, server: &ServerKey) -> Result<MemberStatus, String> {
    let status = client.status(server).await;
    status.map_err(|error| error.to_string())
}

async fn all_statuses(
    view: &View,
    client: &EtcdClient,
) -> Result<Vec<(ServerKey, MemberStatus)>, String> {
    let statuses = view.servers().map(|(server, _)| async move {
        let status = status(client, server).await?;
        Ok::<_, String>((server.clone(), status))
    });
    all(statuses).await.into_iter().collect()
}

/// Moves leadership to the member that has applied most, of those that answer.
async fn hand_over(view: &View, client: &EtcdClient, server: &ServerKey) -> Result<String, String> {
    let looks = view.servers().map(|(server, _)| async move {
        let status = status(client, server).await.ok()?;
        Some((server.clone(), status))
    });
    let statuses: Vec<_> = all(looks).await.into_iter().flatten().collect();
    match statuses.iter().find(|(_, status)| status.leads()) {
        Some((leader, _)) if leader != server => return Ok(format!("{leader} leads")),
        Some(_) => {}
        None if statuses.iter().any(|(key, _)| key == server) => {
            return Err("there is no leader".to_owned());
        }
        None => return Ok("it does not answer".to_owned()),
    }
    let others = statuses
        .iter()
        .filter(|(key, status)| key != server && !status.is_learner);
    let Some((heir, _)) = others.max_by_key(|(_, status)| status.applied_index) else {
        return Ok("nobody else can lead".to_owned());
    };
    let moved = client.transfer_leadership(heir).await;
    // Seen at the next look, whatever the answer.
    let answer = moved
        .err()
        .map_or(String::new(), |error| format!(": {error}"));
    Err(format!("it still leads{answer}"))
}

async fn has_version(
    client: &EtcdClient,
    server: &ServerKey,
    version: &str,
) -> Result<String, String> {
    let status = status(client, server).await?;
    match Version::parse(&status.version) == Version::parse(version) {
        true => Ok(String::new()),
        false => Err(format!("its status says {}", status.version)),
    }
}

async fn one_leader(view: &View) -> Result<String, String> {
    let health = health::health(view).await;
    match health.leader(GROUP) {
        Some(leader) if health.is_good() => Ok(format!("{leader} leads")),
        _ => Err(health.missing().join("; ")),
    }
}

/// Compared with those that answer: whether everybody does is the matter of another gate.
async fn has_applied(
    view: &View,
    client: &EtcdClient,
    server: &ServerKey,
) -> Result<String, String> {
    let own = status(client, server).await?.applied_index;
    let others = view.servers().map(|(server, _)| status(client, server));
    let others = all(others).await.into_iter().flatten();
    let most = others.map(|other| other.applied_index).max();
    let behind = most.unwrap_or(own).saturating_sub(own);
    match behind < FEW_ENTRIES {
        true => Ok(format!("{behind} entries behind")),
        false => Err(format!("it is {behind} entries behind")),
    }
}

async fn has_no_errors(client: &EtcdClient, server: &ServerKey) -> Result<String, String> {
    let errors = status(client, server).await?.errors;
    match errors.is_empty() {
        true => Ok(String::new()),
        false => Err(errors.join("; ")),
    }
}

async fn reads(view: &View, server: &ServerKey) -> Result<String, String> {
    let client = view.client(server, "client");
    let client = client.ok_or_else(|| format!("{server} has no client port"))?;
    match health::serves_reads(view, &client).await {
        true => Ok(String::new()),
        false => Err("it does not answer a linearizable read".to_owned()),
    }
}

fn is_of(version: &str, line: &str) -> bool {
    Version::parse(version).is_some_and(|version| version.line() == line)
}

fn is_newer(version: &str, line: &str) -> bool {
    let versions = Version::parse(version).zip(Version::parse(line));
    versions.is_some_and(|(version, line)| version.cmp_line(&line) == Ordering::Greater)
}

/// What each member says that the cluster has.
async fn cluster_versions(view: &View) -> Vec<(ServerKey, Result<String, String>)> {
    let answers = view.servers().map(|(server, _)| async move {
        let asked = async {
            let client = view.client(server, "client");
            let client = client.ok_or_else(|| format!("{server} has no client port"))?;
            let response = client.send(Request::get("/version"), LIMIT).await;
            let response = response.map_err(|error| format!("{server}: {error}"))?;
            Ok(decode::<VersionAnswer>(&response.body)?.cluster)
        };
        (server.clone(), asked.await)
    });
    all(answers).await
}

async fn cluster_version(view: &View, line: &str) -> Result<String, String> {
    let answers = cluster_versions(view).await.into_iter();
    let looks = answers.map(|(server, answer)| match answer? {
        said if is_of(&said, line) => Ok(()),
        said => Err(format!("{server} says that the cluster has {said}")),
    });
    nothing_missing(looks.collect())
}

/// The cluster has the new version as soon as all members run it, and nobody can go back from then on without a downgrade. A
/// member that does not answer may be the one that could not start with the new version.
async fn still_on(view: &View, line: &str) -> Tried {
    let answers = cluster_versions(view).await;
    let (mut still, mut silent) = (0, Vec::new());
    for (server, answer) in &answers {
        match answer {
            Ok(said) if is_of(said, line) => still += 1,
            Ok(said) if is_newer(said, line) => {
                return Tried::Refused(format!(
                    "{server} says that the cluster has {said} already; upgrade all members, and downgrade then"
                ));
            }
            // One that has just started says 3.0.0.
            Ok(said) => silent.push(format!("{server} says that the cluster has {said}")),
            Err(why) => silent.push(why.clone()),
        }
    }
    match still > answers.len() / 2 {
        true => Tried::Done(format!("{still} members say so")),
        false => Tried::NotYet(silent.join("; ")),
    }
}

/// Everything that is still missing, in one sentence.
fn nothing_missing(looks: Vec<Result<(), String>>) -> Result<String, String> {
    let missing: Vec<String> = looks.into_iter().filter_map(Result::err).collect();
    match missing.is_empty() {
        true => Ok(String::new()),
        false => Err(missing.join("; ")),
    }
}

async fn storage_version(view: &View, client: &EtcdClient, line: &str) -> Result<String, String> {
    for (server, status) in all_statuses(view, client).await? {
        // Before 3.6 a member does not say so: it writes the format of its own version.
        let said = status.storage_version.unwrap_or(status.version);
        if !is_of(&said, line) {
            return Err(format!(
                "the database of {server} has the format of `{said}`"
            ));
        }
    }
    Ok(String::new())
}

async fn snapshot(view: &View) -> Result<String, String> {
    let counts = view.servers().map(|(server, _)| async move {
        let metrics = statistics::metrics(view, server).await?;
        match metrics.value(SNAPSHOTS) {
            Some(count) if count > 0.0 => Ok(()),
            _ => Err(format!(
                "{server} has taken no snapshot since it was started, so its log may hold entries that a later version cannot read; \
                 it takes one after `snapshot-count` entries: write more, or set the option \"snapshot-count\" to \"500\", say"
            )),
        }
    });
    nothing_missing(all(counts).await)
}

/// Tells the cluster, unless it knows. A downgrade before this one must be over.
async fn enable_downgrade(view: &View, client: &EtcdClient, line: &str) -> Tried {
    let statuses = match all_statuses(view, client).await {
        Ok(statuses) => statuses,
        Err(why) => return Tried::NotYet(why),
    };
    let mut under_way = statuses
        .iter()
        .filter_map(|(_, status)| status.downgrade_to.as_deref());
    match under_way.next() {
        Some(target) if is_of(target, line) => Tried::Done(String::new()),
        Some(other) => Tried::NotYet(format!("the downgrade to {other} is not over")),
        None => told(client.enable_downgrade(&format!("{line}.0")).await),
    }
}

/// Tells the cluster, if it is to be downgraded.
async fn cancel_downgrade(view: &View, client: &EtcdClient) -> Tried {
    match all_statuses(view, client).await {
        Err(why) => Tried::NotYet(why),
        Ok(statuses)
            if statuses
                .iter()
                .all(|(_, status)| status.downgrade_to.is_none()) =>
        {
            Tried::Done(String::new())
        }
        Ok(_) => told(client.cancel_downgrade().await),
    }
}

fn told(answer: Result<(), EtcdError>) -> Tried {
    match answer {
        Ok(()) => Tried::Done(String::new()),
        Err(
            error @ EtcdError::Refused {
                code: Code::InvalidArgument,
                ..
            },
        ) => Tried::Refused(error.to_string()),
        Err(error) => Tried::NotYet(error.to_string()),
    }
}
