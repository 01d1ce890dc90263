//! A leader, from its takeover until somebody else leads.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::plan::{self, Duty, Planned, confirmed, into_current, plain, still};
use super::team::{Team, Trouble};
use super::work::Work;
use super::{Asked, Standing};
use crate::agency::join_all;
use crate::cluster::{Decided, PATIENCE, find};
use crate::planted::{self, Bug};
use crate::store::{CollectionMeta, Mark, Position, Shipment};

/// The epoch of those who make a shard. Nobody serves it before `Current` names it, and whoever
/// leads it later has an index of the agency's log, which is greater.
const FIRST: u64 = 1;
/// The pause before the agency is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// The leadership is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over;

/// A leader whose followers are level.
#[derive(Debug)]
pub(super) struct Leader {
    pub(super) work: Work,
    pub(super) planned: Planned,
    /// What this leader has last written into `Current`.
    current: Value,
    /// The lease that has held since before the takeover.
    pub(super) lease: u64,
    pub(super) team: Rc<Team>,
    /// Those who bring followers level; they end with the leader.
    joiners: JoinSet<()>,
}

impl Leader {
    /// Takes over, or makes the shard. `lease` was held before anything was read.
    pub(super) async fn begin(work: &Work, duty: Duty, lease: u64) -> Option<Self> {
        let place = &work.shard.place;
        let planned = place.planned(&work.cluster)?;
        let current = place.current(&work.cluster);
        let made = match duty {
            Duty::Found => Self::found(work, planned, lease).await,
            _ => Self::take_over(work, planned, current, lease).await,
        };
        let leader = made?;
        let text = format!(
            "leads {} in epoch {} with {}",
            place.name,
            leader.team.epoch,
            confirmed(&leader.current).join(", ")
        );
        work.server.log.info("", "replication", text);
        Some(leader)
    }

    /// Makes an empty shard here and on its followers, and then makes it known.
    async fn found(work: &Work, planned: Planned, lease: u64) -> Option<Self> {
        let place = &work.shard.place;
        let at = Position {
            epoch: FIRST,
            seq: 0,
        };
        let mut meta = CollectionMeta::named(&place.name);
        meta.kind = planned.kind;
        meta.wait_for_sync = planned.wait_for_sync;
        let made = work.server.write(|store| {
            match store.collection_by_id(place.id) {
                None => {
                    store.create_shard(&place.database, place.id, meta)?;
                    store.mark_shard(place.id, Mark::at(at));
                    Ok(true)
                }
                // This server was interrupted when it made the shard. Other data are left alone.
                Some(found) => Ok(found.mark == Mark::at(at)),
            }
        });
        if made != Ok(true) {
            return None;
        }
        work.shard.standing.set(Standing::TakesOver);
        let followers = planned.servers[1..].to_vec();
        let mut leader = Self::new(work, planned, Value::Null, lease, FIRST, &followers);
        let reached = leader.level_all(&followers, &[]).await.ok()?;
        leader.confirm(&reached).await.ok()?;
        leader.forget_others(&reached);
        Some(leader)
    }

    /// Says in `Current` that this server leads, which gives the epoch, and shakes hands with every
    /// follower that is in sync.
    async fn take_over(work: &Work, planned: Planned, current: Value, lease: u64) -> Option<Self> {
        let place = &work.shard.place;
        let me = work.cluster.id.as_str();
        // Those who are known to be gone need not be waited for: taking them out is a leader's right.
        let followers: Vec<String> = confirmed(&current)
            .iter()
            .map(|server| plain(server))
            .filter(|server| *server != me && !work.cluster.has_failed(server))
            .filter(|server| planned.servers.iter().any(|planned| planned == server))
            .map(String::from)
            .collect();
        let servers: Vec<String> = [String::from(me)]
            .into_iter()
            .chain(followers.clone())
            .collect();
        let entry = plan::entry(&servers, &work.stamp());
        let operations = into_current(place.current_key(), json!({ "op": "set", "new": entry }));
        // Supervision gives away only what belongs to a server that has failed. One that has not,
        // now, and has held a lease since before now, keeps what it has.
        let conditions = json!({
            place.servers_key(): still(&json!(planned.servers)),
            place.current_key(): still(&current),
            format!("/arango/Supervision/Health/{me}/Status"): { "oldNot": "FAILED" },
        });
        let decided = work
            .cluster
            .agency
            .write(Value::Object(operations), conditions, PATIENCE);
        // Whoever does not know the epoch has to try again with another one.
        let epoch = decided.await.ok()?.place()?;
        work.shard.standing.set(Standing::TakesOver);
        let at = Position { epoch, seq: 0 };
        let before = work.server.write(|store| {
            let mark = store.collection_by_id(place.id).map(|found| found.mark);
            let mark = mark.filter(|mark| mark.seen < epoch);
            if mark.is_some() {
                store.mark_shard(place.id, Mark::at(at));
            }
            Ok(mark)
        });
        let before = before.ok()??.at;
        let mut leader = Self::new(work, planned, entry, lease, epoch, &followers);
        if planted::has(Bug::NoHandshake) {
            return Some(leader);
        }
        let level = leader.level_all(&followers, &[before]).await.ok()?;
        if level.len() < followers.len() {
            leader.confirm(&level).await.ok()?;
            leader.forget_others(&level);
        }
        Some(leader)
    }

    fn new(
        work: &Work,
        planned: Planned,
        current: Value,
        lease: u64,
        epoch: u64,
        followers: &[String],
    ) -> Self {
        let team = Team::new(work, epoch);
        team.acks.borrow_mut().extend(followers.iter().cloned());
        Self {
            work: work.clone(),
            planned,
            current,
            lease,
            team,
            joiners: JoinSet::new(),
        }
    }

    /// The handshake. Those who are level afterwards.
    async fn level_all(
        &self,
        followers: &[String],
        known: &[Position],
    ) -> Result<Vec<String>, Over> {
        let asked = followers
            .iter()
            .map(|follower| self.team.level(follower, known));
        keep_those(followers, join_all(asked).await)
    }

    /// Leads until it is over.
    pub(super) async fn lead(mut self, queue: &mut UnboundedReceiver<Asked>) {
        self.work.shard.standing.set(Standing::Leads);
        let over = self.serve(queue).await;
        debug_assert_eq!(over, Err(Over));
        self.work.shard.standing.set(Standing::Follows);
        let name = &self.work.shard.place.name;
        let text = format!("leads {name} no longer, since epoch {}", self.team.epoch);
        self.work.server.log.info("", "replication", text);
    }

    async fn serve(&mut self, queue: &mut UnboundedReceiver<Asked>) -> Result<(), Over> {
        let cluster = Rc::clone(&self.work.cluster);
        loop {
            self.follow_plan().await?;
            let place = &self.work.shard.place;
            let planned = &self.planned;
            let news = cluster.until(|cluster| {
                let now = place.planned(cluster);
                (now.as_ref() != Some(planned)).then_some(())
            });
            tokio::select! {
                biased;
                () = self.work.shard.deposed.notified() => return Err(Over),
                () = news => {}
                () = self.team.joined.notified() => {}
                asked = queue.recv() => match asked {
                    Some(asked) => self.batch(asked, queue).await?,
                    None => return Err(Over),
                },
            }
            while self.joiners.try_join_next().is_some() {}
        }
    }

    /// Does what the plan asks of a leader: followers that are planned join, others leave.
    async fn follow_plan(&mut self) -> Result<(), Over> {
        loop {
            let cluster = &self.work.cluster;
            let planned = self.work.shard.place.planned(cluster).ok_or(Over)?;
            if planned.servers.first() != Some(&cluster.id) {
                return Err(Over);
            }
            self.planned = planned;
            let followers = &self.planned.servers[1..];
            for follower in followers {
                if self.team.claim(follower) {
                    self.joiners
                        .spawn_local(Rc::clone(&self.team).tend(follower.clone()));
                }
            }
            let acks = self.team.acks.borrow().clone();
            let wanted: Vec<String> = followers
                .iter()
                .filter(|follower| acks.contains(*follower))
                .cloned()
                .collect();
            let said = confirmed(&self.current);
            let said: BTreeSet<&str> = said.iter().skip(1).map(String::as_str).collect();
            if said == wanted.iter().map(String::as_str).collect() {
                return Ok(());
            }
            self.confirm(&wanted).await?;
            // Somebody may have joined meanwhile.
            let stays = |server: &String| wanted.contains(server) || !acks.contains(server);
            self.team.acks.borrow_mut().retain(stays);
        }
    }

    /// How many copies are in sync, this one included.
    pub(super) fn copies(&self) -> usize {
        confirmed(&self.current).len()
    }

    /// Returns when every follower that is in sync has the change. One that cannot be reached is
    /// taken out of `Current` first.
    pub(super) async fn replicate(
        &mut self,
        shipment: &Shipment,
        followers: &[String],
    ) -> Result<(), Over> {
        let asked = followers
            .iter()
            .map(|follower| self.team.deliver(follower, shipment));
        let have = keep_those(followers, join_all(asked).await)?;
        if have.len() == followers.len() {
            return Ok(());
        }
        let lost = |server: &String| followers.contains(server) && !have.contains(server);
        let stay: Vec<String> = confirmed(&self.current)
            .into_iter()
            .skip(1)
            .filter(|server| !lost(server))
            .collect();
        self.confirm(&stay).await?;
        self.team.acks.borrow_mut().retain(|server| !lost(server));
        Ok(())
    }

    /// Stops waiting for all but these, after `Current` names them only.
    fn forget_others(&self, followers: &[String]) {
        self.team
            .acks
            .borrow_mut()
            .retain(|server| followers.contains(server));
    }

    /// Writes down who is in sync, under the condition that neither the plan nor `Current` has
    /// changed. Returns when it is known to be written. As long as it is not known, it asks.
    async fn confirm(&mut self, followers: &[String]) -> Result<(), Over> {
        let work = self.work.clone();
        let (place, cluster) = (&work.shard.place, &work.cluster);
        let servers: Vec<String> = [cluster.id.clone()]
            .into_iter()
            .chain(followers.iter().cloned())
            .collect();
        let entry = plan::entry(&servers, &work.stamp());
        if planted::has(Bug::DropWithoutAgency) && servers.len() < self.copies() {
            self.current = entry;
            return Ok(());
        }
        loop {
            let operations =
                into_current(place.current_key(), json!({ "op": "set", "new": entry }));
            let conditions = json!({
                place.servers_key(): still(&json!(self.planned.servers)),
                place.current_key(): still(&self.current),
            });
            let written = cluster
                .agency
                .write(Value::Object(operations), conditions, PATIENCE)
                .await;
            if let Ok(Decided::At(_)) = written {
                self.current = entry;
                return Ok(());
            }
            let (planned, current) = self.look_again().await;
            if current == entry {
                self.current = entry;
                return Ok(());
            }
            // Another one has written, or is to: this one's time is over.
            let first = planned.first().map_or("", |first| plain(first));
            if current != self.current || first != cluster.id {
                return Err(Over);
            }
            self.planned.servers = planned;
        }
    }

    /// The planned servers and the entry in `Current`, as the agency has them now.
    async fn look_again(&self) -> (Vec<String>, Value) {
        let (place, cluster) = (&self.work.shard.place, &self.work.cluster);
        let (servers, current) = (place.servers_key(), place.current_key());
        loop {
            match cluster.agency.read(&[&servers, &current], PATIENCE).await {
                Ok(tree) => {
                    let planned = serde_json::from_value(find(&tree, &servers).clone());
                    return (planned.unwrap_or_default(), find(&tree, &current).clone());
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// Those of the followers for whom it went well; nothing if there is a later leader.
fn keep_those(
    followers: &[String],
    results: Vec<Result<(), Trouble>>,
) -> Result<Vec<String>, Over> {
    let mut kept = Vec::new();
    for (follower, result) in followers.iter().zip(results) {
        match result {
            Ok(()) => kept.push(follower.clone()),
            Err(Trouble::Lost) => {}
            Err(Trouble::Stale) => return Err(Over),
        }
    }
    Ok(kept)
}
