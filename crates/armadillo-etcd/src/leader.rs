//! Who leads, decided from what every member said at one time.

use std::fmt;

use armadillo_orchestrator::ServerKey;

use crate::client::MemberStatus;

/// What one look at a planned member showed: its status, or why there is none.
pub(crate) struct Look {
    pub(crate) server: ServerKey,
    pub(crate) status: Result<MemberStatus, String>,
}

impl Look {
    /// The status, of a member that answered.
    fn answer(&self) -> Option<&MemberStatus> {
        self.status.as_ref().ok()
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        match &self.status {
            Err(why) => write!(f, "{server}: {why}"),
            Ok(status) => match status.leader {
                None => write!(f, "{server} has no leader in term {}", status.term),
                Some(leader) if leader == status.id => {
                    write!(f, "{server} leads in term {}", status.term)
                }
                Some(leader) => write!(f, "{server} follows {leader:x} in term {}", status.term),
            },
        }
    }
}

/// The leader and its term: the member that says so itself, in the newest term any member knows, and that a majority of
/// all planned members with a vote follows in that term. A term has one leader at most, so there cannot be two of them; what a
/// member that was frozen still believes of an older term does not count.
pub(crate) fn agreed_leader(looks: &[Look]) -> Option<(&ServerKey, u64)> {
    let answers = || looks.iter().filter_map(Look::answer);
    let term = answers().map(|status| status.term).max()?;
    let leader = looks.iter().find(|look| {
        look.answer()
            .is_some_and(|status| status.leads() && status.term == term)
    })?;
    let id = leader.answer()?.id;
    let votes = |status: &&MemberStatus| !status.is_learner;
    let followers = answers()
        .filter(votes)
        .filter(|status| status.term == term && status.leader == Some(id))
        .count();
    let learners = answers().filter(|status| status.is_learner).count();
    (followers > (looks.len() - learners) / 2).then_some((&leader.server, term))
}
