//! One round: a fault in the middle of the load, healed; every key read; then the loss of whoever leads by then, as many
//! times as there are followers, and every key read again each time.

use std::fmt;
use std::time::Duration;

use armadillo_harness::failure::TestError;
use armadillo_orchestrator::ServerKey;
use armadillo_orchestrator::join::try_join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::counts::Injected;
use crate::fault::Fault;
use crate::front::Front;
use crate::history::Recorder;
use crate::load::{Load, Shape, read_all, shared_key};
use crate::servers::{Act, Servers};
use crate::silence::Silence;
use crate::subject::{Leadership, Subject};
use crate::wait::{InVain, Waits, bound, until};
use armadillo_orchestrator::random::Random;

/// How many writes must be acknowledged before the fault: so many, and up to as many more as the seed says.
const BEFORE: (usize, usize) = (20, 60);

/// How many writes begin at once just before the fault: so many, and up to as many more as the seed says.
const BURST: (usize, usize) = (16, 32);

/// How many writes must be acknowledged after each step of a round.
pub(crate) const AFTER: usize = 20;

/// How long a killed leader and follower stay away, or a leader outlives its follower: up to so long, as the seed says.
const AWAY: Duration = Duration::from_millis(300);

/// How much later things arrive: so much, and up to as much more as the seed says.
const DELAY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(150));

/// How long questions to a front that stands still may take to get there, before the factor.
const SENT: Duration = Duration::from_millis(100);

/// Leader and follower are killed at once: their deaths are seen within this time, before the factor.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(50);

/// A round that is played.
pub(crate) struct Round<'a, S, V> {
    pub(crate) subject: &'a S,
    pub(crate) servers: &'a V,
    pub(crate) recorder: Recorder,
    pub(crate) shape: Shape,
    pub(crate) waits: Waits,
    /// How many times as many writes begin at once as in a first round.
    pub(crate) eagerness: usize,
    pub(crate) random: Random,
    pub(crate) fault: Fault,
    /// The versions of an upgrade.
    pub(crate) path: &'a [String],
    /// How long a failover takes, as far as is known.
    pub(crate) failover: Duration,
}

/// A round that was played to its end.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// How many writes were surely under way when the fault took effect.
    pub(crate) in_flight: usize,
    /// How long it took until another server led, each time that it was waited for.
    pub(crate) failovers: Vec<Duration>,
    /// How many copies there are beside the leader's.
    pub(crate) followers: usize,
    /// Whether another server was seen to lead after a fault that hit the leader while a write was in flight.
    pub(crate) replaced: bool,
    /// Why the round proves nothing.
    pub(crate) not_counted: Option<String>,
}

/// A round that could not be played to its end: the system does not come back, or the harness cannot do its part.
#[derive(Debug)]
pub(crate) enum Broken {
    InVain(InVain),
    Servers(TestError),
    Forget(String),
}

impl From<InVain> for Broken {
    fn from(vain: InVain) -> Self {
        Self::InVain(vain)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InVain(vain) => vain.fmt(f),
            Self::Servers(error) => error.fmt(f),
            Self::Forget(why) => write!(f, "cannot forget the keys of the round: {why}"),
        }
    }
}

/// Whom a fault hits.
pub(crate) struct Victims {
    /// Those that are killed some time before it.
    beforehand: Vec<ServerKey>,
    /// Those that it hits all at once, in mid-write unless nobody is to write.
    pub(crate) in_mid_write: Vec<ServerKey>,
    /// The one among these that clients talk through, if the fault needs one.
    front: Option<Front>,
}

impl<S: Subject, V: Servers> Round<'_, S, V> {
    pub(crate) async fn play(&mut self) -> Result<Played, Broken> {
        self.in_sync(&[]).await?;
        let random = self.random.branch();
        let mut load = Load::start(self.subject, &self.shape, &self.recorder, random);
        let played = self.under_load(&mut load).await;
        load.rest().await;
        let mut played = played?;
        self.read_all().await?;
        if played.not_counted.is_none() {
            // Copies that differ are seen when they lead, one after the other.
            for _ in 0..played.followers {
                self.lose_the_leader_of_now(&mut load, &mut played).await?;
            }
            if !played.replaced {
                let why = "no leader change was observed while a write was in flight";
                played.not_counted = Some(why.to_owned());
            }
        }
        let forgotten = self.subject.forget(&self.shape.prefix).await;
        forgotten.map_err(Broken::Forget)?;
        Ok(played)
    }

    async fn under_load(&mut self, load: &mut Load<S>) -> Result<Played, Broken> {
        let warm = BEFORE.0 + self.random.below(BEFORE.1);
        self.acknowledges(warm).await?;
        let before = self.leadership(|_| true, "a leader").await?;
        let Some(victims) = self.victims(&before) else {
            let not_counted = Some(format!("{} has no follower", before.group));
            return Ok(Played {
                not_counted,
                ..Played::default()
            });
        };
        if self.fault.is_operation() {
            return self.operate(load, &before).await;
        }
        if self.fault == Fault::CutFollowerThenKillLeaders {
            return self.kill_two_leaders(load, &before, &victims).await;
        }
        self.beforehand(load, &victims.beforehand).await?;
        let (inject, heal) = match self.fault {
            Fault::PauseLeader | Fault::PauseLeaderAndFront => (Act::Pause, Act::Resume),
            Fault::CutOffLeader => (Act::CutOff, Act::Rejoin),
            Fault::DelayLeader => (Act::Delay(self.delay()), Act::Rejoin),
            _ => (Act::Kill, Act::Start),
        };
        match &victims.front {
            Some(_) => self.silence(load).await?,
            None => self.burst(load).await?,
        }
        let injected = self.act(&victims.in_mid_write, inject).await?;
        let mut played = Played {
            followers: before.followers.len(),
            ..Played::default()
        };
        let replaced = self.stay(load, &injected, &victims, &mut played).await?;
        self.act(&victims.in_mid_write, heal).await?;
        load.keep(Silence::Over);
        self.acknowledges(AFTER).await?;
        self.in_sync(&[]).await?;
        self.judge(&before, &injected, replaced, &mut played)
            .await?;
        Ok(played)
    }

    fn delay(&mut self) -> Duration {
        DELAY.0 + self.random.time_below(DELAY.1)
    }

    /// What happens before the fault that is in mid-write.
    async fn beforehand(
        &mut self,
        load: &mut Load<S>,
        victims: &[ServerKey],
    ) -> Result<(), Broken> {
        match self.fault {
            Fault::KillFollowerThenLeader => {
                self.act(victims, Act::Kill).await?;
                self.acknowledges(AFTER).await?;
            }
            Fault::KillFollowerSoonLeader => {
                self.burst(load).await?;
                self.act(victims, Act::Kill).await?;
                sleep(self.random.time_below(AWAY)).await;
            }
            Fault::PauseFollowerThenKillLeader => {
                self.act(victims, Act::Pause).await?;
                // Too short for the others to miss it, long enough for hasty acknowledgements.
                sleep(self.random.time_below(self.failover / 4)).await;
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets all writes end. A leader that has one to end when it goes on, or gets one at once, is told by its followers that
    /// another one leads; only with nothing to do but to answer reads it has to find out by itself.
    pub(crate) async fn silence(&self, load: &Load<S>) -> Result<(), InVain> {
        load.keep(Silence::OfAll);
        let look = || async {
            match self.recorder.under_way() {
                0 => Ok(()),
                writes => Err(format!("{writes} are under way")),
            }
        };
        until(&self.waits, "all writes to be answered", look).await
    }

    /// Whom the fault hits; `None` if it needs a follower or a front, and there is none.
    fn victims(&mut self, before: &Leadership) -> Option<Victims> {
        let leader = before.leader.clone();
        let mut front = None;
        if self.fault == Fault::PauseLeaderAndFront {
            front = Some(Front::one_of(&self.subject.fronts(), &mut self.random)?);
        }
        let mut follower = || self.random.one_of(&before.followers).cloned();
        let mut beforehand = Vec::new();
        let in_mid_write = match self.fault {
            Fault::KillLeader
            | Fault::PauseLeader
            | Fault::CutOffLeader
            | Fault::DelayLeader
            | Fault::RollingRestart
            | Fault::ReplaceLeader
            | Fault::RollingUpgrade => vec![leader],
            Fault::PauseLeaderAndFront => {
                // The order in which they go on: the leader finds the front's questions.
                let front = front.iter().map(|front| front.server.clone());
                front.chain([leader]).collect()
            }
            Fault::KillLeaderAndFollower => vec![leader, follower()?],
            Fault::KillFollowerThenLeader
            | Fault::KillFollowerSoonLeader
            | Fault::PauseFollowerThenKillLeader => {
                beforehand.push(follower()?);
                vec![leader]
            }
            Fault::CutFollowerThenKillLeaders => vec![leader, follower()?],
            Fault::KillFollower => vec![follower()?],
        };
        Some(Victims {
            beforehand,
            in_mid_write,
            front,
        })
    }

    /// The time between the fault and its healing. Whether another server was seen to lead after the leader was hit.
    async fn stay(
        &mut self,
        load: &mut Load<S>,
        injected: &Injected,
        victims: &Victims,
        played: &mut Played,
    ) -> Result<bool, Broken> {
        match self.fault {
            Fault::KillLeader
            | Fault::PauseLeader
            | Fault::CutOffLeader
            | Fault::PauseLeaderAndFront => {
                self.another_leader(&victims.in_mid_write).await?;
                let failover = injected.since.elapsed();
                played.failovers.push(failover);
                if let Some(front) = victims.front.clone() {
                    load.keep(Silence::Behind(front));
                }
                self.acknowledges(AFTER).await?;
                if matches!(self.fault, Fault::PauseLeader | Fault::CutOffLeader) {
                    // The fault lasts this long: twice the time a failover takes.
                    sleep_until(injected.since + failover * 2).await;
                }
                if let Some(front) = &victims.front {
                    self.ask(load, front, injected).await;
                }
                Ok(true)
            }
            Fault::KillLeaderAndFollower => {
                sleep(self.random.time_below(AWAY)).await;
                Ok(false)
            }
            Fault::KillFollowerThenLeader
            | Fault::KillFollowerSoonLeader
            | Fault::PauseFollowerThenKillLeader => {
                let is_frozen = self.fault == Fault::PauseFollowerThenKillLeader;
                let back = if is_frozen { Act::Resume } else { Act::Start };
                self.act(&victims.beforehand, back).await?;
                // Whether another one may lead depends on the system: with three copies perhaps, with two not.
                let another = self.another_leader(&victims.in_mid_write);
                let Ok(led) = timeout(self.failover * 2, another).await else {
                    return Ok(false);
                };
                led?;
                self.acknowledges(AFTER).await?;
                Ok(true)
            }
            Fault::KillFollower => {
                self.acknowledges(AFTER).await?;
                Ok(false)
            }
            Fault::DelayLeader => {
                // On the way through all servers, a delay may add up to more than clients wait for.
                let some = self.acknowledges(AFTER);
                timeout(self.failover * 2, some).await.unwrap_or(Ok(()))?;
                Ok(false)
            }
            // They have no victim that stays away.
            Fault::RollingRestart
            | Fault::ReplaceLeader
            | Fault::RollingUpgrade
            | Fault::CutFollowerThenKillLeaders => Ok(false),
        }
    }

    /// Has a front that stands still find questions when it goes on: for what was written since.
    async fn ask(&self, load: &mut Load<S>, front: &Front, injected: &Injected) {
        let keys: Vec<String> = self
            .recorder
            .written_since(injected.seen)
            .into_iter()
            .collect();
        load.read_through(front, &keys.into());
        sleep(self.waits.slowed(SENT)).await;
    }

    /// The server that leads after the first fault is killed in mid-write, too: it was brought up to date by then, or data
    /// are lost.
    async fn lose_the_leader_of_now(
        &mut self,
        load: &mut Load<S>,
        played: &mut Played,
    ) -> Result<(), Broken> {
        let before = self.leadership(|_| true, "a leader").await?;
        let victims = [before.leader];
        self.burst(load).await?;
        let injected = self.act(&victims, Act::Kill).await?;
        self.another_leader(&victims).await?;
        played.failovers.push(injected.since.elapsed());
        load.rest().await;
        let under_way = self.under_way(&injected);
        played.replaced = played.replaced || self.concerns(&under_way, &before.group).await?;
        self.read_all().await?;
        self.act(&victims, Act::Start).await?;
        self.in_sync(&[]).await?;
        self.is_healthy().await
    }

    async fn is_healthy(&self) -> Result<(), Broken> {
        let begun = Instant::now();
        let looked = self.servers.wait_healthy(self.waits.step()).await;
        let missing = looked.map_err(Broken::Servers)?;
        if missing.is_empty() {
            return Ok(());
        }
        let in_vain = InVain {
            what: "the deployment to be healthy".to_owned(),
            waited: begun.elapsed(),
            last: missing.join("; "),
        };
        Err(in_vain.into())
    }

    /// Does the same to several servers at once.
    pub(crate) async fn act(&self, servers: &[ServerKey], act: Act) -> Result<Injected, Broken> {
        let names: Vec<&str> = servers.iter().map(ServerKey::as_str).collect();
        let what = act.to(&names.join(" and "));
        let all = servers.iter().map(|server| self.servers.act(server, act));
        self.inject(&what, all).await
    }

    /// Does all of this at once.
    pub(crate) async fn inject<F: Future<Output = Result<(), TestError>> + Send>(
        &self,
        what: &str,
        all: impl IntoIterator<Item = F>,
    ) -> Result<Injected, Broken> {
        let since = Instant::now();
        let begun = self.recorder.mark(what);
        let all = all.into_iter().map(|one| async {
            one.await?;
            Ok(Instant::now())
        });
        let hit = try_join_all(all).await.map_err(Broken::Servers)?;
        let seen = self.recorder.mark(format!("{what}: seen"));
        let ends = hit.iter().min().zip(hit.iter().max());
        Ok(Injected {
            begun,
            seen,
            since,
            spread: ends.map_or(Duration::ZERO, |(first, last)| *last - *first),
        })
    }

    pub(crate) async fn another_leader(&self, than: &[ServerKey]) -> Result<Leadership, InVain> {
        let led = self
            .leadership(|led| !than.contains(&led.leader), "another leader")
            .await?;
        self.recorder
            .mark(format!("{} leads {}", led.leader, led.group));
        Ok(led)
    }

    async fn leadership(
        &self,
        good: impl Fn(&Leadership) -> bool,
        what: &str,
    ) -> Result<Leadership, InVain> {
        let key = shared_key(&self.shape.prefix, 0);
        let look = || async {
            let led = self.subject.leadership(&key).await?;
            if good(&led) {
                Ok(led)
            } else {
                Err(format!("{} leads {}", led.leader, led.group))
            }
        };
        until(&self.waits, what, look).await
    }

    pub(crate) async fn in_sync(&self, except: &[ServerKey]) -> Result<(), InVain> {
        let look = || async {
            let missing = self.subject.not_in_sync(except).await;
            if missing.is_empty() {
                Ok(())
            } else {
                Err(missing.join("; "))
            }
        };
        until(&self.waits, "all copies to be in sync", look).await
    }

    /// Waits until so many more writes have been acknowledged.
    pub(crate) async fn acknowledges(&self, more: usize) -> Result<(), InVain> {
        let count = self.recorder.acknowledged();
        let begin = *count.borrow();
        let what = format!("{more} writes to be acknowledged");
        let last = || format!("{} were", *count.borrow() - begin);
        bound(&self.waits, &what, last, reach(count.clone(), begin + more)).await
    }

    /// Has many writes begin at once. They take longer than an order to kill takes to arrive: some are cut off in the middle.
    pub(crate) async fn burst(&mut self, load: &mut Load<S>) -> Result<(), InVain> {
        let writes = (BURST.0 + self.random.below(BURST.1)) * self.eagerness;
        let count = self.recorder.begun_writes();
        let begin = *count.borrow();
        load.burst(writes);
        let last = || format!("{} have", *count.borrow() - begin);
        let what = format!("{writes} writes to begin");
        bound(
            &self.waits,
            &what,
            last,
            reach(count.clone(), begin + writes),
        )
        .await
    }

    pub(crate) async fn read_all(&self) -> Result<(), InVain> {
        let keys = read_all(self.subject, &self.recorder, &self.shape, self.waits).await?;
        self.recorder.mark(format!("{keys} keys were read"));
        Ok(())
    }
}

/// Waits until there are so many; the recorder, which counts, outlives the wait.
async fn reach(mut count: watch::Receiver<usize>, goal: usize) {
    drop(count.wait_for(|count| *count >= goal).await);
}
