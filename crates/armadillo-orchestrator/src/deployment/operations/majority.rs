//! Whether those who decide by majority keep it while servers are restarted.

use std::collections::BTreeSet;
use std::time::Duration;

use super::plan::is_down;
use crate::deadline::Deadline;
use crate::deployment::Deployment;
use crate::poll::Poll;
use crate::quorum::{QuorumChange, Voters};
use crate::server::ServerKey;

/// How long a server that has just come back may take to do its part again.
const SETTLED_LIMIT: Duration = Duration::from_secs(5);

/// What is asked of a majority.
#[derive(Clone, Copy)]
struct Question<'a> {
    /// The servers that vote.
    voting: &'a [ServerKey],
    called: &'static str,
    /// Those of them that are restarted, one after the other.
    restarted: &'a [&'a ServerKey],
    /// Whether there must be a majority to begin with.
    from_the_start: bool,
    /// A server that is down, and is up before the turn of any other.
    rescued: Option<&'a ServerKey>,
}

impl Deployment {
    /// Whether those who vote still have a majority while this server is away.
    pub(super) async fn keeps_quorum(
        &self,
        restarted: &ServerKey,
        deadline: Deadline,
    ) -> Result<(), String> {
        self.ask_for_majority(&[restarted], false, None, deadline)
            .await
    }

    /// Whether those who vote have a majority now, and while one of these servers is away.
    pub(super) async fn keeps_quorum_all_along(
        &self,
        restarted: &[&ServerKey],
        rescued: Option<&ServerKey>,
        deadline: Deadline,
    ) -> Result<(), String> {
        self.ask_for_majority(restarted, true, rescued, deadline)
            .await
    }

    /// One that votes alone has nobody to be missed by. A server that has just come back is given time to do its part again; what
    /// cannot be so however long that takes is refused at once.
    async fn ask_for_majority(
        &self,
        restarted: &[&ServerKey],
        from_the_start: bool,
        rescued: Option<&ServerKey>,
        deadline: Deadline,
    ) -> Result<(), String> {
        let Some((role, called)) = self.system.voters(&self.view.topology) else {
            return Ok(());
        };
        let voting = self.parts().filter(|server| server.plan.role == role);
        let voting: Vec<ServerKey> = voting.map(|server| server.plan.key.clone()).collect();
        let restarted: Vec<&ServerKey> = (restarted.iter().copied())
            .filter(|server| voting.contains(server))
            .collect();
        if restarted.is_empty() || voting.len() == 1 {
            return Ok(());
        }
        let question = Question {
            voting: &voting,
            called,
            restarted: &restarted,
            from_the_start,
            rescued,
        };
        let settled = deadline.within(SETTLED_LIMIT);
        let mut poll = Poll::new(Duration::from_millis(20), Duration::from_millis(200));
        let mut lost = "no time is left to see whether the majority is kept".to_owned();
        while !settled.passed() {
            let health = self.health(deadline).await;
            if deadline.passed() {
                // A look that is cut short says of servers that they do nothing, and they may be restarted.
                break;
            }
            let voters = Voters::seen(called, voting.iter().cloned(), &health);
            match question.answer(&voters) {
                Ok(()) => return Ok(()),
                Err(why) => lost = why,
            }
            let may_come = voting.iter().filter(|server| !self.is_down(server));
            if question.answer(&question.with(may_come)).is_err() {
                let down = self.down(rescued);
                return Err(down.map_or(lost.clone(), |down| format!("{down}: {lost}")));
            }
            poll.pause(settled).await;
        }
        Err(lost)
    }

    fn is_down(&self, server: &ServerKey) -> bool {
        let mut known = self.parts();
        known.any(|known| known.plan.key == *server && is_down(known))
    }
}

impl Question<'_> {
    fn with<'a>(&self, healthy: impl Iterator<Item = &'a ServerKey>) -> Voters {
        Voters {
            called: self.called.to_owned(),
            all: self.voting.iter().cloned().collect(),
            healthy: healthy.cloned().collect::<BTreeSet<_>>(),
        }
    }

    fn answer(&self, voters: &Voters) -> Result<(), String> {
        if self.from_the_start {
            voters.have_majority().map_err(|error| error.to_string())?;
        }
        let mut later = voters.clone();
        later.healthy.extend(self.rescued.cloned());
        for server in self.restarted {
            let voters = if self.rescued == Some(server) {
                voters
            } else {
                &later
            };
            let allowed = voters.allow(QuorumChange::Restart(server));
            allowed.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
