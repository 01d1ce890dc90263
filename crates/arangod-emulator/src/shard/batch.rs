//! Requests of clients to a leader: it executes them in order on its own copy, sends them to the
//! followers, and only then answers.
//!
//! All waiting requests form one batch: one frame of the journal, one message to each follower.
//! Reads are part of the batch, so that no reader sees a write that is not acknowledged yet.

use std::rc::Rc;

use hyper::Method;
use tokio::sync::mpsc::UnboundedReceiver;

use super::Asked;
use super::leader::{Leader, Over};
use crate::api;
use crate::errors::ApiError;
use crate::http::{Answer, Request};
use crate::planted::{self, Bug};
use crate::server::Server;

/// So many requests go into a batch.
const MOST: usize = 256;
/// A batch that has written so many bytes is not made larger.
const LARGE: usize = 1 << 20;

/// An answer that is ready, and not given yet.
struct Ready {
    asked: Asked,
    answer: Result<Answer, ApiError>,
    /// Something was changed.
    changed: bool,
}

impl Ready {
    /// Gives the answer. Who asked may have gone away.
    fn give(self) {
        let _ = self.asked.answer.send(self.answer);
    }

    fn give_instead(self, error: ApiError) {
        let _ = self.asked.answer.send(Err(error));
    }
}

impl Leader {
    /// Carries out a request and those that wait behind it.
    pub(super) async fn batch(
        &mut self,
        first: Asked,
        queue: &mut UnboundedReceiver<Asked>,
    ) -> Result<(), Over> {
        let server = Rc::clone(&self.work.server);
        let id = self.work.shard.place.id;
        let enough = self.copies() >= self.planned.write_concern;
        let sync = self.planned.wait_for_sync;
        let group = server.group(id, || {
            let mut batch = Vec::new();
            let changed = server.write(|store| {
                store.change_shard(id, sync);
                Ok(())
            });
            let mut next = Some(first);
            while let Some(asked) = next.take() {
                // Nobody waits any more: it need not be begun.
                if !asked.answer.is_closed() {
                    let before = written(&server);
                    let answer = match &changed {
                        Ok(()) => carry_out(&server, id, &asked.request, enough),
                        Err(error) => Err(error.clone()),
                    };
                    let changed = written(&server) > before;
                    batch.push(Ready {
                        asked,
                        answer,
                        changed,
                    });
                }
                if batch.len() < MOST && written(&server) < LARGE {
                    next = queue.try_recv().ok();
                }
            }
            batch
        });
        // Without its journal a server answers nothing: who asked finds that nobody does.
        let (batch, shipment) = group.map_err(|_| Over)?;
        let Some(shipment) = shipment else {
            return self.answer_reads(batch);
        };
        let shipment = Rc::new(shipment);
        let followers: Vec<String> = self.team.acks.borrow().iter().cloned().collect();
        self.team.note(&shipment);
        if planted::has(Bug::AckBeforeReplicating) {
            batch.into_iter().for_each(Ready::give);
            return self.replicate(&shipment, &followers).await;
        }
        let replicated = self.replicate(&shipment, &followers).await;
        let kept = replicated.is_ok() && self.copies() >= self.planned.write_concern;
        let mut reads = Vec::new();
        for ready in batch {
            match (ready.changed, kept) {
                (true, true) => ready.give(),
                (true, false) => ready.give_instead(ApiError::unknown_outcome()),
                (false, _) => reads.push(ready),
            }
        }
        if let Err(over) = replicated {
            for ready in reads {
                ready.give_instead(ApiError::not_leader());
            }
            return Err(over);
        }
        let answered = self.answer_reads(reads);
        self.team.let_them_join().await;
        answered
    }

    /// Answers what has changed nothing, if it is sure *now* that nobody else leads: the data were
    /// read before, and whatever another leader may have changed came later.
    fn answer_reads(&self, reads: Vec<Ready>) -> Result<(), Over> {
        let lease = if planted::has(Bug::StaleReadAfterPause) {
            Some(self.lease)
        } else {
            self.work.cluster.lease()
        };
        let sure = lease == Some(self.lease);
        for ready in reads {
            if sure {
                ready.give();
            } else {
                ready.give_instead(ApiError::not_leader());
            }
        }
        match lease {
            // It was interrupted, and there may be another leader.
            Some(number) if number != self.lease => Err(Over),
            _ => Ok(()),
        }
    }
}

fn written(server: &Server) -> usize {
    server.peek(|store| store.map_or(0, crate::store::Store::written))
}

/// Whether a request may change something.
pub(super) fn writes(request: &Request) -> bool {
    match request.method {
        Method::GET | Method::HEAD => false,
        Method::PUT => request.query_flag("onlyget") != Some(true),
        _ => true,
    }
}

/// Carries out a request on the own copy.
pub(super) fn carry_out(
    server: &Server,
    id: u64,
    request: &Request,
    enough: bool,
) -> Result<Answer, ApiError> {
    if writes(request) && !enough {
        let limits = server.cluster().map(|cluster| cluster.settings.collections);
        let as_unavailable = limits.is_some_and(|limits| limits.lack_is_unavailable);
        return Err(ApiError::write_concern(as_unavailable));
    }
    server.write(|store| {
        store.show_as(id, request.query("collectionName"));
        Ok(())
    })?;
    match request.route().as_slice() {
        ["_api", "document", rest @ ..] => api::document::document(server, request, rest),
        ["_api", "collection", rest @ ..] => api::collection::collection(server, request, rest),
        _ => Err(ApiError::unknown_path(&request.path)),
    }
}
