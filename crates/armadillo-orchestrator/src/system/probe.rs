//! What looks at a server show.

use crate::server::Stage;

/// What one look at a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Not there yet, and why.
    NotYet(String),
    /// It has reached this stage; `identity` says who answered, where the product can say. With [`Stage::Started`], somebody
    /// answers, but not as a server of this deployment would: a start fails if another process listens there.
    At {
        /// How far it has come.
        stage: Stage,
        /// Proof that the answer comes from the process just started; `None` leaves the proof to the socket's owner.
        identity: Option<Identity>,
        /// What it still lacks to be ready, for the message of a start that takes too long; empty if it is ready.
        missing: String,
    },
    /// It will never get there.
    Hopeless(String),
}

/// Who answered a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The answer carries the process id.
    Pid(u32),
    /// The answer carries something only this deployment's server can say (its token, its cluster's and its own id),
    /// already compared by the system: true if it is ours.
    Ours(bool),
}
