//! One look at a cluster: everybody is asked at the same time.

use std::time::Duration;

use armadillo_orchestrator::join::join_all;
use armadillo_orchestrator::{Health, ServerKey, View};

use super::judge::{self, Seen};
use crate::agency::Agency;
use crate::client::ArangoClient;
use crate::members::{self, Entries, Member};
use crate::probe::{Look, look, reason};
use crate::role::Role;

/// How long all looks may take together. Who has not answered by then is not there.
const LIMIT: Duration = Duration::from_millis(1500);

/// The health of a cluster, now.
pub(super) async fn health(view: &View) -> Health {
    let agency = Agency::new(view).with_limit(LIMIT);
    let others = view
        .places
        .iter()
        .filter(|(_, place)| place.role != Role::Agent.name())
        .map(|(server, _)| async move { (server.clone(), bounded(view, server).await) });
    let (agents, others, members) =
        tokio::join!(agency.look(), join_all(others), supervised(view, &agency));
    judge::judge(&Seen {
        agents,
        others,
        members,
    })
}

async fn bounded(view: &View, server: &ServerKey) -> Look {
    let looked = tokio::time::timeout(LIMIT, look(view, server)).await;
    looked.unwrap_or_else(|_| Look::Silent(format!("no answer within {LIMIT:.1?}")))
}

/// What the supervision says, by the first coordinator that answers; without one, what the agency says.
async fn supervised(view: &View, agency: &Agency) -> Result<Vec<Member>, String> {
    let coordinators = view.of_role(Role::Coordinator.name());
    let answers = join_all(coordinators.map(|(server, _)| async move {
        let client = ArangoClient::superuser_at(view, server).with_limit(LIMIT);
        members::by_coordinator(&client).await
    }));
    let mut why = "there is no coordinator".to_owned();
    for answer in answers.await {
        match answer {
            Ok(entries) => return Ok(entries.members(view)),
            Err(error) => why = reason(&error),
        }
    }
    match agency.get::<Entries>("/arango/Supervision/Health").await {
        Ok(Some(entries)) => Ok(entries.members(view)),
        Ok(None) => Err(format!("the agency knows nothing of it, and {why}")),
        Err(error) => Err(format!("{error}, and {why}")),
    }
}
