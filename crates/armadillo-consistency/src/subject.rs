//! The vocabulary: what a system must be able to say for its data to be put to the proof.

use armadillo_orchestrator::ServerKey;
use serde::{Deserialize, Serialize};

/// A system that keeps bodies under keys. Clones share it.
///
/// Clients are numbered. A subject may give each a way of its own into the system (another of its servers to begin with),
/// and should: what one server still believes and another no longer does is seen only that way. It need not limit how long
/// an operation takes; the proof gives an operation up that is not answered in time, and takes its outcome for unknown.
///
/// Keys consist of lower-case letters, digits and dots.
pub trait Subject: Clone + Send + Sync + 'static {
    /// Writes a body under a key, whatever was there before. Everything rests on the honesty of the answer: when in doubt,
    /// it is [`Wrote::Unknown`].
    fn write(&self, client: usize, key: &str, body: &str) -> impl Future<Output = Wrote> + Send;

    /// Reads the body of a key as it is now: from the leader, or however the system says reads are linearizable. `None` if
    /// there is nothing; an error, in words, if nobody could say.
    fn read(
        &self,
        client: usize,
        key: &str,
    ) -> impl Future<Output = Result<Option<String>, String>> + Send;

    /// Who leads the data of a key, as the system knows it by now; an error if there is no leader, or nobody knows.
    fn leadership(&self, key: &str) -> impl Future<Output = Result<Leadership, String>> + Send;

    /// What keeps the data from being in sync on all servers that should have them, not counting those in `except`; one
    /// sentence each, nothing when all is well.
    fn not_in_sync(&self, except: &[ServerKey]) -> impl Future<Output = Vec<String>> + Send;

    /// The servers that clients talk through and that keep no copies; none where clients talk to those that do. The proof
    /// relies on client `n` talking through the front `n` modulo their number, and through no other. With less than two
    /// there is no [`Fault::PauseLeaderAndFront`](crate::Fault): nobody would be left to go on without the frozen one.
    fn fronts(&self) -> Vec<ServerKey> {
        Vec::new()
    }

    /// The keys that begin with `prefix` are of no use any more: a round is over.
    fn forget(&self, prefix: &str) -> impl Future<Output = Result<(), String>> + Send {
        let _ = prefix;
        async { Ok(()) }
    }
}

/// What a client was told about a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrote {
    /// It is done, and must never be lost.
    Acknowledged,
    /// It was surely not done, and never will be: refused, or never sent.
    Refused(String),
    /// Nobody knows whether it was or will be done: an answer that never came, a server that could not tell.
    Unknown(String),
}

/// Who has the data of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// What is led as one: a shard, a Raft group. Keys of one group change their leader together.
    pub group: String,
    /// The server that leads it.
    pub leader: ServerKey,
    /// The others that keep a copy.
    pub followers: Vec<ServerKey>,
}
