//! Who leads, decided from what every agent said at one time.

use std::fmt;

use armadillo_orchestrator::ServerKey;

use super::config::AgentConfig;

/// What one look at a planned agent showed: what it says, or why it says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) server: ServerKey,
    pub(crate) config: Result<AgentConfig, String>,
}

impl Look {
    fn answer(&self) -> Option<&AgentConfig> {
        self.config.as_ref().ok()
    }
}

/// The leader of the agency, in a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// The leader's name within the deployment.
    pub server: ServerKey,
    /// Its id in the agency.
    pub id: String,
    /// The term it leads in.
    pub term: u64,
}

impl fmt::Display for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} leads in term {}", self.server, self.term)
    }
}

/// The newest term any agent knows.
pub(crate) fn newest_term(looks: &[Look]) -> Option<u64> {
    looks.iter().filter_map(Look::answer).map(|c| c.term).max()
}

/// The agents that say they lead in the newest term. There is at most one, or the agency is broken.
pub(crate) fn rivals(looks: &[Look]) -> Vec<&ServerKey> {
    let newest = newest_term(looks);
    looks
        .iter()
        .filter(|look| {
            look.answer()
                .is_some_and(|config| config.leads() && Some(config.term) == newest)
        })
        .map(|look| &look.server)
        .collect()
}

/// The leader: the only agent that says so itself, in the newest term any agent knows, and that a majority of all planned
/// agents names in that term. What an agent that was frozen still believes of an older term does not count.
///
/// ArangoDB's own test utilities ask that all agents name one leader, and that one of them has `lastAcked`
/// (`testutils/agency.js`); that all of them do is what makes the agency healthy.
pub(crate) fn agreed(looks: &[Look]) -> Option<Leadership> {
    let term = newest_term(looks)?;
    let [leader] = rivals(looks)[..] else {
        return None;
    };
    let look = looks.iter().find(|look| look.server == *leader)?;
    let id = look.answer()?.id().to_owned();
    let named = looks
        .iter()
        .filter_map(Look::answer)
        .filter(|config| config.term == term && config.leader() == Some(&id))
        .count();
    (named > looks.len() / 2).then(|| Leadership {
        server: leader.clone(),
        id,
        term,
    })
}
