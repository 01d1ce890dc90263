//! A round in which servers are changed as one changes a system in use.

use crate::fault::Fault;
use crate::load::Load;
use crate::round::{AFTER, Broken, Played, Round};
use crate::servers::Servers;
use crate::subject::{Leadership, Subject};

impl<S: Subject, V: Servers> Round<'_, S, V> {
    /// Does it from beginning to end, with writes going on.
    pub(crate) async fn operate(
        &mut self,
        load: &mut Load<S>,
        before: &Leadership,
    ) -> Result<Played, Broken> {
        self.burst(load).await?;
        let begun = self.recorder.acknowledged();
        let begun = *begun.borrow();
        let leader = &before.leader;
        let what = match self.fault {
            Fault::ReplaceLeader => format!("add a server and remove {leader}"),
            Fault::RollingUpgrade => format!("rolling upgrade to {}", self.path.join(", ")),
            _ => self.fault.to_string(),
        };
        self.recorder.mark(&what);
        let done = match self.fault {
            Fault::ReplaceLeader => self.servers.replace(leader).await,
            Fault::RollingUpgrade => self.servers.rolling_upgrade(self.path).await,
            _ => self.servers.rolling_restart().await,
        };
        done.map_err(Broken::Servers)?;
        self.recorder.mark(format!("{what}: done"));
        let meanwhile = *self.recorder.acknowledged().borrow() - begun;
        self.acknowledges(AFTER).await?;
        self.in_sync(&[]).await?;
        Ok(Played {
            followers: before.followers.len(),
            not_counted: (meanwhile == 0).then(|| "no write was acknowledged meanwhile".to_owned()),
            ..Played::default()
        })
    }
}
