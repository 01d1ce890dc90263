//! A cluster on existing data: the first member starts on it as a cluster of its own, and the others join it, each as a learner
//! that gets its vote when it has caught up. Then no member is ever waited for that has not been started.
//!
//! Source: <https://etcd.io/docs/v3.4/op-guide/recovery/>; `--force-new-cluster` forgets the members that the data knows.

use std::time::Duration;

use armadillo_orchestrator::{ServerKey, Topology, View};

use crate::client::{EtcdClient, EtcdError, Member, Reconfiguration};
use crate::launch::peers;
use crate::names::member_name;
use crate::topology::ROLE;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The member that starts on the data.
pub(crate) fn is_first(server: &ServerKey) -> bool {
    *server == ServerKey::numbered(ROLE, 1)
}

/// Whether a server of this topology starts on a copy of existing data.
pub(crate) fn takes_data(_topology: &Topology, server: &ServerKey) -> bool {
    is_first(server)
}

/// What the first start of a member is told besides, and what every start.
pub(crate) fn arguments(
    view: &View,
    server: &ServerKey,
) -> (Vec<String>, Vec<(&'static str, String)>) {
    if view.topology.data.is_none() || !view.places.contains_key(server) {
        return (Vec::new(), Vec::new());
    }
    // Members are added as soon as they can be.
    let mut first = vec!["--strict-reconfig-check=false".to_owned()];
    if is_first(server) {
        first.push("--force-new-cluster=true".to_owned());
        return (first, Vec::new());
    }
    let own = member_name(&view.deployment, server);
    let all = peers(view);
    let known = all.iter().position(|(name, _)| *name == own);
    let known = &all[..known.map_or(all.len(), |own| own + 1)];
    let cluster: Vec<String> = known
        .iter()
        .map(|(name, url)| format!("{name}={url}"))
        .collect();
    let words = vec![
        ("initial-cluster", cluster.join(",")),
        ("initial-cluster-state", "existing".to_owned()),
    ];
    (first, words)
}

/// Gives a member that serves what it lacks in a cluster that grows: its own address, its vote, and the next member. When all is
/// done, it changes nothing.
pub(crate) async fn grow(view: &View, server: &ServerKey) -> Result<(), String> {
    if view.topology.data.is_none() || view.membership.roll().was_changed() {
        return Ok(());
    }
    let client = EtcdClient::without_prefix(view).with_limit(LIMIT);
    let step = step(view, server, &client).await;
    step.map_err(|error| format!("the cluster has not grown yet: {error}"))
}

async fn step(view: &View, server: &ServerKey, client: &EtcdClient) -> Result<(), EtcdError> {
    let members = client.members().await?;
    let all = peers(view);
    let own_name = member_name(&view.deployment, server);
    let own = all.iter().position(|(name, _)| *name == own_name);
    let known = members.iter().find(|member| member.name == own_name);
    let (Some(own), Some(known)) = (own, known) else {
        return Ok(());
    };
    let peer_url = all[own].1.clone();
    if !has_url(known, &peer_url) {
        let id = known.id;
        client
            .reconfigure(&Reconfiguration::Move { id, peer_url })
            .await?;
    }
    if known.is_learner {
        client
            .reconfigure(&Reconfiguration::Promote(known.id))
            .await?;
    }
    match all.get(own + 1) {
        Some((_, url)) if !members.iter().any(|member| has_url(member, url)) => {
            let add = Reconfiguration::Add {
                peer_url: url.clone(),
                learner: true,
            };
            client.reconfigure(&add).await.map(drop)
        }
        _ => Ok(()),
    }
}

fn has_url(member: &Member, url: &str) -> bool {
    member.peer_urls.iter().any(|known| known == url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn the_first_starts_on_the_data_and_the_others_join() {
        let mut view = canned::view(3);
        let none = arguments(&view, &"member-1".into());
        assert!(none.0.is_empty() && none.1.is_empty());
        view.topology.data = Some("tests/data/old".into());
        let (first, words) = arguments(&view, &"member-1".into());
        assert!(first.contains(&"--force-new-cluster=true".to_owned()) && words.is_empty());
        let (first, words) = arguments(&view, &"member-2".into());
        assert_eq!(first, ["--strict-reconfig-check=false"]);
        assert_eq!(words[1], ("initial-cluster-state", "existing".to_owned()));
        let names: Vec<&str> = words[0].1.split(',').collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[1].contains(".member-2="), "{names:?}");
    }
}
