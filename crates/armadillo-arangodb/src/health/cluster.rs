//! One look at a cluster: everybody is asked at the same time.

use std::time::Duration;

use armadillo_orchestrator::join::join_all;
use armadillo_orchestrator::{Health, ServerKey, View};

use super::judge::{self, Seen};
use crate::agency::{self, Agency};
use crate::client::ArangoClient;
use crate::members::{self, Entries, Member};
use crate::probe::{Look, look, reason};
use crate::role::Role;
use crate::shards::{self, Layout};

/// How long all looks may take together. Who has not answered by then is not there.
const LIMIT: Duration = Duration::from_millis(1500);

/// The health of a cluster, now.
pub(super) async fn health(view: &View) -> Health {
    let agency = Agency::new(view).with_limit(LIMIT);
    let others = view
        .servers()
        .filter(|(_, place)| place.role != Role::Agent.name())
        .map(|(server, _)| async move { (server.clone(), bounded(view, server).await) });
    let agency = async {
        let agents = agency.look().await;
        let layout = match agency::agreed(&agents) {
            Some(leader) => {
                agency.expect_leader(&leader.server);
                let layout = shards::layout(&agency, view, None).await;
                layout.map_err(|error| error.to_string())
            }
            // Nobody to wait for: this is one look.
            None => Err("the agency has no leader".to_owned()),
        };
        (agents, layout)
    };
    let ((agents, layout), others, coordinators) =
        tokio::join!(agency, join_all(others), by_coordinators(view));
    judge::judge(&Seen {
        agents,
        others,
        members: supervised(view, coordinators, &layout),
        parts: layout.map(|layout| layout.parts()),
    })
}

async fn bounded(view: &View, server: &ServerKey) -> Look {
    let looked = tokio::time::timeout(LIMIT, look(view, server)).await;
    looked.unwrap_or_else(|_| Look::Silent(format!("no response within {LIMIT:.1?}")))
}

/// What the supervision says, by the first coordinator that answers.
async fn by_coordinators(view: &View) -> Result<Entries, String> {
    let coordinators = view.of_role(Role::Coordinator.name());
    let answers = join_all(coordinators.map(|(server, _)| async move {
        let client = ArangoClient::superuser_at(view, server).with_limit(LIMIT);
        members::by_coordinator(&client).await
    }));
    let mut why = "there is no coordinator".to_owned();
    for answer in answers.await {
        match answer {
            Ok(entries) => return Ok(entries),
            Err(error) => why = reason(&error),
        }
    }
    Err(why)
}

/// The same; without a coordinator, what the agency says.
fn supervised(
    view: &View,
    coordinators: Result<Entries, String>,
    layout: &Result<Layout, String>,
) -> Result<Vec<Member>, String> {
    match (coordinators, layout) {
        (Ok(entries), _) => Ok(entries.members(view)),
        (Err(_), Ok(layout)) => Ok(layout.entries.clone().members(view)),
        (Err(why), Err(error)) => Err(format!("{error}, and {why}")),
    }
}
