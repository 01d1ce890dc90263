//! A shard moves from one dbserver to another (`MoveShard.cpp` of arangodb/arangodb).
//!
//! A follower that moves is replaced once the new one is in sync. A leader is asked to resign then
//! (`_` in front of its name in the plan); when it has settled what was under way and says so in
//! `Current`, the other one is planned in its place, and takes over.

use serde_json::json;

use super::job::{Job, KILLED};
use super::step::Step;
use super::undo;
use super::view::{Place, server_of};
use crate::supervision::health::Status;

/// How long it may take, in seconds.
const LIMIT: u64 = 12 * 3600;

/// What a step looks at.
struct Move<'a> {
    job: &'a Job<'a>,
    place: Place,
    from: &'a str,
    to: &'a str,
    leads: bool,
    planned: Vec<&'a str>,
    in_sync: Vec<&'a str>,
    /// The leader that `Current` names.
    serving: Option<&'a str>,
}

/// The next step; none while somebody else has to act first.
pub(super) fn step(job: &Job<'_>) -> Option<Step> {
    let place = job.place();
    let this = Move {
        from: job.text("fromServer"),
        to: job.text("toServer"),
        leads: job.entry["isLeader"] == true,
        planned: job.view.planned(&place),
        in_sync: job.view.in_sync(&place),
        serving: job.view.leader(&place),
        place,
        job,
    };
    // The collection has been dropped.
    let Some(leader) = this.planned.first().copied() else {
        return Some(job.finish());
    };
    if !job.begun && job.is_cancelled() {
        return Some(job.fail(KILLED));
    }
    if !job.begun {
        return this.begin(leader);
    }
    if *job.view.at(&this.place.lock()) != job.id {
        return Some(job.fail("the leader of the shard has failed meanwhile"));
    }
    if job.is_late(LIMIT) {
        return Some(this.give_up("timeout"));
    }
    // Who leads already where it was to lead is there.
    if job.is_cancelled() && !(this.leads && leader == this.to) {
        return Some(this.give_up(KILLED));
    }
    if this.leads {
        this.move_leader(leader)
    } else {
        this.move_follower(leader)
    }
}

impl Move<'_> {
    /// Why this can never be done.
    fn senseless(&self, leader: &str) -> Option<&'static str> {
        let (view, to) = (self.job.view, self.to);
        let collection = format!(
            "Plan/Collections/{}/{}",
            self.place.database, self.place.collection
        );
        let behind = self.planned.get(1..).unwrap_or_default();
        let known = |server: &str| !view.at(&format!("Plan/DBServers/{server}")).is_null();
        if self.from == to {
            Some("Source and destination of moveShard must be different")
        } else if view.at(&collection).get("distributeShardsLike").is_some() {
            Some("collection must not have `distributeShardsLike` attribute")
        } else if self.leads && server_of(leader) != self.from {
            Some("fromServer must be the leader in plan")
        } else if !self.leads && !behind.contains(&self.from) {
            Some("fromServer must be a follower in plan")
        } else if !self.leads && self.planned.iter().any(|entry| server_of(entry) == to) {
            Some("toServer must not be planned for a following shard")
        } else if !known(self.from) || !known(to) {
            Some("fromServer and toServer must be in Plan/DBServers")
        } else if view.lists("Target/CleanedServers", to)
            || view.lists("Target/ToBeCleanedServers", to)
        {
            Some("toServer must not be in Target/CleanedServers or Target/ToBeCleanedServers")
        } else if view.status(to) == Some(Status::Failed) {
            Some("toServer must not be failed")
        } else {
            None
        }
    }

    fn begin(&self, leader: &str) -> Option<Step> {
        if let Some(reason) = self.senseless(leader) {
            return Some(self.job.fail(reason));
        }
        let (view, job, to) = (self.job.view, self.job, self.to);
        let server = format!("Supervision/DBServers/{to}");
        let locked = [&server, &self.place.lock()]
            .iter()
            .any(|lock| !view.at(lock).is_null());
        let serves = self.serving == Some(leader);
        if locked || !serves || !view.is_open(to) || view.status(leader) != Some(Status::Good) {
            return job.is_late(LIMIT).then(|| job.fail("timeout"));
        }
        let mut plan: Vec<String> = self.planned.iter().copied().map(String::from).collect();
        // Nothing but an exchange of places can be undone.
        let undone = self.leads && self.planned.contains(&to) && job.entry["tryUndo"] == true;
        if !self.planned.contains(&to) {
            let at = if self.leads { 1 } else { plan.len() };
            plan.insert(at, String::from(to));
        }
        let step = job
            .begin(&[("tryUndo", json!(undone))])
            .plan(self.job.view, &self.place, &plan)
            .if_absent(&self.place.lock())
            .set(&self.place.lock(), job.id)
            .if_absent(&server)
            .set(&server, job.id)
            .if_status(to, Status::Good.name())
            .if_absent(&format!("Target/FailedServers/{to}"));
        Some(step)
    }

    /// Plans other servers, unless plan or `Current` have changed.
    fn replan(&self, step: Step, plan: &[String]) -> Step {
        step.plan(self.job.view, &self.place, plan)
            .if_in_sync_as(self.job.view, &self.place)
    }

    fn without_from(&self) -> Vec<String> {
        let others = self.planned.iter().copied();
        others
            .filter(|entry| server_of(entry) != self.from)
            .map(String::from)
            .collect()
    }

    fn with_leader(&self, leader: &str) -> Vec<String> {
        let mut plan = vec![String::from(leader)];
        plan.extend(self.planned.iter().skip(1).copied().map(String::from));
        plan
    }

    /// Ends in failure. A leader that was asked to resign leads on; what is planned beyond the
    /// replication factor is taken away as everywhere.
    fn give_up(&self, reason: &str) -> Step {
        let step = self.job.fail(reason);
        match self.planned.first() {
            Some(leader) if server_of(leader) != *leader => {
                self.replan(step, &self.with_leader(server_of(leader)))
            }
            _ => step,
        }
    }

    /// Why it makes no sense any more.
    fn lost(&self) -> Option<&'static str> {
        if !self.planned.contains(&self.to) {
            Some("toServer is no longer planned")
        } else if self.job.view.status(self.to) == Some(Status::Failed) {
            Some("toServer has failed")
        } else {
            None
        }
    }

    fn move_follower(&self, leader: &str) -> Option<Step> {
        if let Some(reason) = self.lost() {
            return Some(self.give_up(reason));
        }
        if server_of(leader) == self.from {
            return Some(self.give_up("fromServer has become the leader"));
        }
        let ready = self.serving == Some(leader) && self.in_sync.contains(&self.to);
        ready.then(|| self.replan(self.job.finish(), &self.without_from()))
    }

    fn move_leader(&self, leader: &str) -> Option<Step> {
        if leader == self.to {
            return self.let_go();
        }
        if server_of(leader) != self.from {
            return Some(self.give_up("the leader has changed"));
        }
        if let Some(reason) = self.lost() {
            return Some(self.give_up(reason));
        }
        // Who leads in `Current` as it does in the plan has done what the plan asked of it.
        if self.serving != Some(leader) {
            return None;
        }
        if !self.in_sync.contains(&self.to) {
            // Dropped, while the old leader resigned: it has to teach the other one again.
            let resigned = leader != self.from;
            return resigned.then(|| self.give_up("toServer is no longer in sync"));
        }
        if leader == self.from {
            let step = self.job.go_on("the leader is asked to resign");
            let resigning = self.with_leader(&format!("_{}", self.from));
            return Some(self.replan(step, &resigning));
        }
        let rest = self.planned.iter().skip(1).copied();
        let rest = rest.filter(|server| *server != self.to);
        let plan = [self.to].into_iter().chain(rest).chain([self.from]);
        let plan: Vec<String> = plan.map(String::from).collect();
        let step = self.job.go_on("toServer leads");
        let step = self
            .replan(step, &plan)
            .if_status(self.to, Status::Good.name());
        Some(step)
    }

    /// The new leader is planned: when it has taken over, and all who stay and are well have
    /// everything, the old one may go.
    fn let_go(&self) -> Option<Step> {
        if self.serving != Some(self.to) {
            return None;
        }
        let mut step = self.job.finish();
        if self.job.entry["tryUndo"] == true {
            step = undo::remember(self.job, step);
        }
        if self.job.entry["remainsFollower"] == true {
            return Some(step);
        }
        let rest = self.without_from();
        let missing = rest.iter().map(String::as_str).find(|server| {
            !self.in_sync.contains(server) && self.job.view.status(server) != Some(Status::Failed)
        });
        if missing.is_some() {
            return None;
        }
        Some(self.replan(step, &rest))
    }
}
