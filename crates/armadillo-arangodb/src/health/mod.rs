//! One look at the whole: a state for every planned server.

use armadillo_orchestrator::{Health, State, View};

use crate::probe::{Look, look};
use crate::topology::CLUSTER;

mod cluster;
mod judge;

/// The name of the group of servers that have a leader: the agents.
pub const AGENCY: &str = "agency";

pub(crate) async fn health(view: &View) -> Health {
    if view.topology.shape == CLUSTER {
        return cluster::health(view).await;
    }
    let mut health = Health::default();
    for (server, _) in view.servers() {
        let state = state_of(look(view, server).await);
        health.servers.insert(server.clone(), state);
    }
    health
}

fn state_of(look: Look) -> (State, String) {
    match look {
        Look::Serving { .. } => (State::Good, String::new()),
        Look::Waiting { why, .. } => (State::Degraded, why),
        Look::Silent(why) | Look::Stranger(why) | Look::Wrong(why) => (State::Failed, why),
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::Identity;

    use super::*;
    use crate::scripted::run;

    #[test]
    fn a_planned_server_that_is_gone_is_failed() {
        let (health, _) = run(vec![], async |view| health(&view).await);
        assert_eq!(health.missing(), ["single-1 is failed: connection refused"]);
    }

    #[test]
    fn what_a_look_means() {
        let waiting = Look::Waiting {
            identity: Identity::Pid(1),
            why: "w".into(),
        };
        assert_eq!(state_of(waiting).0, State::Degraded);
        assert_eq!(state_of(Look::Stranger("x".into())).0, State::Failed);
        let serving = Look::Serving {
            identity: Identity::Pid(1),
        };
        assert_eq!(state_of(serving), (State::Good, String::new()));
        assert_eq!(state_of(Look::Wrong("x".into())).0, State::Failed);
    }
}
