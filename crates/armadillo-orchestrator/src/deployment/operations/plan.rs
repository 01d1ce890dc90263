//! Plans of rolling operations, made from what a look has shown, and refused before anything is done.

use std::collections::BTreeSet;

use super::OperationRefused;
use crate::deadline::Deadline;
use crate::deployment::Deployment;
use crate::deployment::status::{Phase, Server};
use crate::operations::{
    Change, Direction, OperationPlan, Rolling, RollingServer, Step, StepKind, Version,
};
use crate::server::ServerKey;

impl Deployment {
    /// The plan of a rolling operation as things are now: a look at the deployment says who leads, and who does its part.
    ///
    /// # Errors
    /// When the system has none, when it would cost those who vote their majority, or when a server is down.
    pub async fn plan_rolling(
        &self,
        name: &str,
        direction: Direction,
        changes: Vec<Change>,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<OperationPlan, OperationRefused> {
        let planned = self.plan(direction, changes, deadline.into()).await;
        let (steps, notes) = planned.map_err(|why| OperationRefused::NoPlan {
            name: name.to_owned(),
            why,
        })?;
        Ok(OperationPlan {
            name: name.to_owned(),
            steps,
            notes,
        })
    }

    async fn plan(
        &self,
        direction: Direction,
        changes: Vec<Change>,
        deadline: Deadline,
    ) -> Result<(Vec<Step>, Vec<String>), String> {
        let health = self.health(deadline).await;
        let rescued = self.rescued(direction);
        let mut servers: Vec<RollingServer> = (self.parts())
            .map(|server| {
                let key = &server.plan.key;
                let version = Version::of(&server.program());
                let planned = Version::of(server.planned_program());
                RollingServer {
                    key: key.clone(),
                    role: server.plan.role.to_owned(),
                    version,
                    runs: !is_down(server),
                    has_older_data: version > planned || self.view.topology.data.is_some(),
                    leads: health.led_by(key).into_iter().map(str::to_owned).collect(),
                }
            })
            .collect();
        servers.sort_by_key(|server| {
            (
                rescued.as_ref() != Some(&server.key),
                !server.leads.is_empty(),
            )
        });
        let rolling = Rolling { servers, changes };
        rolling.goes(direction)?;
        let steps = self.system.rolling(&self.view, &rolling)?;
        // Before anything is done: a plan that would have to stop half-way is none.
        let unforced: Vec<&ServerKey> = (steps.iter())
            .filter(|step| matches!(&step.what, StepKind::Restart(restart) if !restart.forced))
            .filter_map(|step| step.server.as_ref())
            .collect();
        if !unforced.is_empty() {
            self.keeps_quorum_all_along(&unforced, rescued.as_ref(), deadline)
                .await?;
            self.nothing_is_down(rescued.as_ref())?;
        }
        let notes = self.without_substitute(&steps);
        Ok((steps, notes))
    }

    /// The one server that is down, if it has ended by itself and another version is to take its place: what became of an upgrade
    /// that has failed. Its turn is the first.
    fn rescued(&self, direction: Direction) -> Option<ServerKey> {
        let down: Vec<&Server> = self.parts().filter(|server| is_down(server)).collect();
        match down[..] {
            [server] if direction == Direction::Down && phase(server) == Phase::Crashed => {
                Some(server.plan.key.clone())
            }
            _ => None,
        }
    }

    /// The servers whose process does not run, in words; none if all of them run.
    pub(super) fn down(&self, except: Option<&ServerKey>) -> Option<String> {
        let down = self.parts().filter(|server| is_down(server));
        let down = down.filter(|server| Some(&server.plan.key) != except);
        let down: Vec<String> = down
            .map(|server| format!("{} is {}", server.plan.key, phase(server)))
            .collect();
        (!down.is_empty()).then(|| down.join(", "))
    }

    /// Gates wait until all servers do their part: they would wait for one that is down, to the end.
    fn nothing_is_down(&self, except: Option<&ServerKey>) -> Result<(), String> {
        match self.down(except) {
            None => Ok(()),
            Some(down) => Err(format!(
                "{down}, and the gates would wait for it; `.force()` in a test, `--force` on the command line, does it all the \
                 same"
            )),
        }
    }

    /// What clients will notice: servers that are the only ones of their role.
    fn without_substitute(&self, steps: &[Step]) -> Vec<String> {
        let restarted: BTreeSet<&ServerKey> = (steps.iter())
            .filter(|step| step.takes_down())
            .filter_map(|step| step.server.as_ref())
            .collect();
        let role = |server: &ServerKey| {
            let mut known = self.parts();
            known
                .find(|known| known.plan.key == *server)
                .map(|known| known.plan.role)
        };
        let alone = restarted.into_iter().filter(|server| {
            let role = role(server);
            let same = self.parts().filter(|other| Some(other.plan.role) == role);
            same.count() == 1
        });
        alone
            .map(|server| format!("nothing takes the place of {server} while it is restarted"))
            .collect()
    }
}

fn phase(server: &Server) -> Phase {
    server.status.borrow().phase
}

pub(super) fn is_down(server: &Server) -> bool {
    phase(server).is_down()
}
