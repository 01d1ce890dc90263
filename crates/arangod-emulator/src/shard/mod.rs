//! Shards of a dbserver: data that several servers keep, one of them leading.
//!
//! * `plan` reads what the agency says, `keeper` begins and ends the work on each shard;
//! * `work` decides what a server is to a shard, `leader` is the life of a leader, `team` what it
//!   shares with those who bring followers level, `batch` carries out what clients ask;
//! * `follower` takes what leaders send, `wire` is how that looks, `serve` is for coordinators.
//!
//! What is acknowledged was in the journals of all servers that `Current` named then. The rules:
//!
//! * A leader gives every change a number, one after the other, and followers apply nothing but
//!   the next one of the leadership ("epoch") they know.
//! * `Current` never names a follower that the leader does not wait for. Who is added is waited
//!   for first; who is taken out is waited for until the agency has written it down.
//! * A leadership begins with a transaction, whose index is the epoch, and with a handshake: every
//!   follower in `Current` has the same data afterwards, or is not in `Current` any more.
//! * Reads wait for the changes before them, and are answered only under a lease.

mod batch;
mod follower;
mod keeper;
mod leader;
mod plan;
mod serve;
mod team;
mod wire;
mod work;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::errors::ApiError;
use crate::http::{Answer, Request};

pub(crate) use follower::answer;
pub(crate) use serve::serve;

use plan::Place;

/// How a server is to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Somebody else leads, or nobody.
    Follows,
    /// It is becoming the leader.
    TakesOver,
    /// It leads, and its followers are level.
    Leads,
}

/// Something that a coordinator asks.
#[derive(Debug)]
struct Asked {
    request: Request,
    answer: oneshot::Sender<Result<Answer, ApiError>>,
}

/// A shard that this server keeps.
#[derive(Debug)]
pub(crate) struct Shard {
    place: Place,
    standing: Cell<Standing>,
    queue: mpsc::UnboundedSender<Asked>,
    /// Somebody else leads now.
    deposed: Notify,
}

impl Shard {
    /// Whether this server takes itself for the leader.
    fn leads(&self) -> bool {
        self.standing.get() != Standing::Follows
    }
}

/// The shards of a server by name, with the task of each.
#[derive(Debug, Default)]
pub(crate) struct Shards {
    kept: RefCell<BTreeMap<String, (Rc<Shard>, AbortHandle)>>,
}

impl Shards {
    fn find(&self, name: &str) -> Option<Rc<Shard>> {
        self.kept
            .borrow()
            .get(name)
            .map(|(shard, _)| Rc::clone(shard))
    }
}

pub(crate) use keeper::keep;
