//! A round with a follower that lacks what the others have, and two leaders that are killed while nobody writes.

use tokio::time::timeout;

use crate::load::Load;
use crate::round::{AFTER, Broken, Played, Round, Victims};
use crate::servers::{Act, Servers};
use crate::silence::Silence;
use crate::subject::{Leadership, Subject};

impl<S: Subject, V: Servers> Round<'_, S, V> {
    /// A leader that takes over may have what this follower lacks. It must not let anybody read that before the follower has
    /// it, or can lead no more. The first write would bring such a follower level, or have it dropped: so there is none.
    pub(crate) async fn kill_two_leaders(
        &mut self,
        load: &mut Load<S>,
        before: &Leadership,
        victims: &Victims,
    ) -> Result<Played, Broken> {
        let mut played = Played {
            followers: before.followers.len(),
            ..Played::default()
        };
        let [leader, follower] = &victims.in_mid_write[..] else {
            played.not_counted = Some("it has no follower".to_owned());
            return Ok(played);
        };
        self.burst(load).await?;
        let what = format!("cut {leader} -> {follower}");
        let cut = [self.servers.cut(leader, follower)];
        let injected = self.inject(&what, cut).await?;
        self.silence(load).await?;
        let mut gone = vec![leader.clone()];
        let killed = self.act(&gone, Act::Kill).await?;
        let mended = self.servers.mend(leader, follower).await;
        mended.map_err(Broken::Servers)?;
        let second = self.another_leader(&gone).await?.leader;
        let failover = killed.since.elapsed();
        played.failovers.push(failover);
        self.read_all().await?;
        gone.push(second.clone());
        self.act(&[second], Act::Kill).await?;
        // Whether a third one may lead depends on the system.
        if let Ok(led) = timeout(failover * 2, self.another_leader(&gone)).await {
            led?;
            self.read_all().await?;
        }
        self.act(&gone, Act::Start).await?;
        load.keep(Silence::Over);
        self.acknowledges(AFTER).await?;
        self.in_sync(&[]).await?;
        self.judge(before, &injected, true, &mut played).await?;
        Ok(played)
    }
}
