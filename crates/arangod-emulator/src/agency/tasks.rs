//! What an agent does by itself: keeping time, finding the others, and talking to them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::agent::{Agent, millis};
use super::pool::Members;
use crate::raft::{Reply, Request};

/// The path between agents.
const RAFT: &str = "/_api/agency_priv/raft";
/// The path by which agents find each other.
const GOSSIP: &str = "/_api/agency_priv/gossip";
/// The longest pause before somebody who does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(250);

impl Agent {
    /// Begins to take part. Everything ends with the process.
    pub(crate) fn launch(self: &Rc<Self>) {
        spawn_local(Rc::clone(self).find_others());
        spawn_local(Rc::clone(self).keep_time());
        spawn_local(Rc::clone(self).expire_keys());
        spawn_local(Rc::clone(self).take_part());
    }

    /// Takes part in elections as soon as all agents are known.
    async fn take_part(self: Rc<Self>) {
        let ids = |agent: &Self| {
            let pool = agent.pool.borrow();
            let ids = || pool.members().keys().cloned().collect::<Vec<_>>();
            pool.is_complete().then(ids)
        };
        let ids = self.until(ids).await;
        self.log
            .info("", "agency", format!("agents: {}", ids.join(", ")));
        self.step(|raft, now| {
            raft.join(ids.clone(), now);
            Ok(())
        });
        for peer in ids.into_iter().filter(|peer| *peer != self.id) {
            spawn_local(Rc::clone(&self).tend(peer));
        }
    }

    async fn keep_time(self: Rc<Self>) {
        let (heartbeat, mut now) = (self.settings.timing.heartbeat, self.now());
        loop {
            let due = now + heartbeat / 5;
            sleep(heartbeat / 5).await;
            now = self.now();
            let lost = now.saturating_sub(due);
            if lost > heartbeat {
                self.raft.borrow_mut().excuse(lost);
            }
            // Nobody need hear of a tick that changes nothing.
            if self.raft.borrow().is_due(now) {
                self.step(|raft, now| raft.tick(now));
            }
        }
    }

    /// Has the leader write down when keys have expired.
    async fn expire_keys(self: Rc<Self>) {
        loop {
            let next = |agent: &Self| {
                agent.leads()?;
                agent.look(|state| state.next_expiry())
            };
            let at = self.until(next).await;
            let wait = Duration::from_millis(at.saturating_sub(millis()));
            if wait.is_zero() {
                if self.expire().await.is_err() {
                    sleep(self.settings.timing.heartbeat).await;
                }
            } else {
                // An earlier key may come meanwhile.
                sleep(wait.min(PAUSE)).await;
            }
        }
    }

    /// Sends another agent whatever it should get, one request at a time.
    async fn tend(self: Rc<Self>, peer: String) {
        let mut changed = self.changed.subscribe();
        let timing = self.settings.timing;
        let mut last = None;
        loop {
            let Some(request) = self.due(&peer, &mut last) else {
                // Followers wait for something to happen, leaders for the next heartbeat.
                if self.leads().is_some() {
                    let _ = timeout(timing.heartbeat / 2, changed.changed()).await;
                } else {
                    drop(changed.changed().await);
                }
                continue;
            };
            let patience = match &request {
                Request::Install { .. } => Duration::from_secs(10),
                Request::Append { .. } | Request::Vote { .. } => timing.most,
            };
            let sent = self.now();
            match self.ask(&peer, &request, patience).await {
                Some(reply) => {
                    self.step(|raft, now| raft.receive(&peer, reply, sent, now));
                }
                None => sleep(timing.heartbeat).await,
            }
        }
    }

    /// What the other agent should get now: what it lacks at once, a sign of life now and then.
    fn due(&self, peer: &str, last: &mut Option<Duration>) -> Option<Request> {
        let raft = self.raft.borrow();
        let now = self.now();
        let quiet = last.is_none_or(|last| last + self.settings.timing.heartbeat <= now);
        if !quiet && !raft.owes(peer) {
            return None;
        }
        let request = raft.request_for(peer)?;
        *last = Some(now);
        Some(request)
    }

    async fn ask(&self, peer: &str, request: &Request, patience: Duration) -> Option<Reply> {
        let (endpoint, members) = {
            let pool = self.pool.borrow();
            (String::from(pool.endpoint(peer)?), pool.digest())
        };
        let body = json!({ "members": members, "request": request });
        let answered = self.client.post(&endpoint, RAFT, &body, patience).await;
        let answer = answered.ok().filter(|answer| answer.status == 200)?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// Tells every other agent where this one is, and asks it whom it knows, until all are known
    /// and all have been told.
    async fn find_others(self: Rc<Self>) {
        let mut changed = self.changed.subscribe();
        let mut told = BTreeSet::new();
        let mut pause = Duration::from_millis(5);
        loop {
            let mut targets: BTreeSet<String> = self.settings.others.iter().cloned().collect();
            {
                let pool = self.pool.borrow();
                targets.extend(
                    pool.members()
                        .values()
                        .map(|member| member.endpoint.clone()),
                );
                if pool.is_complete() {
                    targets.retain(|target| !told.contains(target));
                    // Those that were given may be gone, or somebody's former address.
                    let current = |target: &String| {
                        pool.members()
                            .values()
                            .any(|member| member.endpoint == *target)
                    };
                    targets.retain(current);
                }
            }
            targets.remove(&self.settings.endpoint);
            if targets.is_empty() && self.pool.borrow().is_complete() {
                // Others may come back elsewhere; they say so themselves.
                return;
            }
            let asking = targets.iter().map(|target| self.gossip_with(target));
            let mut fresh = false;
            for (target, heard) in targets.iter().zip(join_all(asking).await) {
                if let Some(news) = heard {
                    told.insert(target.clone());
                    fresh |= news;
                }
            }
            if !fresh {
                let _ = timeout(pause, changed.changed()).await;
                pause = (pause * 2).min(PAUSE);
            }
        }
    }

    /// Whether the other one knew something new; nothing if it did not answer.
    async fn gossip_with(&self, target: &str) -> Option<bool> {
        let body = json!({ "pool": self.pool.borrow().members(), "size": self.settings.size });
        let patience = Duration::from_secs(1);
        let answer = self
            .client
            .post(target, GOSSIP, &body, patience)
            .await
            .ok()?;
        let members = answer.json()["pool"].clone();
        let members: Members = serde_json::from_value(members).ok()?;
        Some(self.learn(&members))
    }

    /// Takes in what another agent knows.
    pub(crate) fn learn(&self, members: &Members) -> bool {
        let merged = self.pool.borrow_mut().merge(members);
        // A step reports a disk that fails, and tells who waits.
        self.step(|_, _| merged).unwrap_or(false)
    }
}

/// All results, of futures that run side by side.
pub(crate) async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, result) in &mut running {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *result = Some(value),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, result)| result)
        .collect()
}
