//! The proof that acknowledged data survives, for any system that can say a few words; knows no product.
//!
//! [`Subject`] is the vocabulary: write a body under a key, read it, say who leads, say what is not in sync. [`Proof`] runs
//! rounds of faults under load on it; [`history`] keeps what every client asked and was told, and [`check`] decides
//! whether one register for each key could have given these answers. `docs/consistency.md` says what that proves.

pub mod check;
pub mod history;
pub mod report;
pub mod subject;

mod counts;
mod cut_follower;
mod fault;
mod front;
mod load;
mod operated;
mod proof;
mod round;
mod servers;
mod silence;
mod timeline;
mod wait;

pub use check::{Kind, Violation, violations};
pub use fault::Fault;
pub use history::{Action, Found, History, Moment, Operation, Recorder};
pub use proof::{NoProof, Proof, ProofError};
pub use report::{Report, RoundReport};
pub use servers::{Act, Servers};
pub use subject::{Leadership, Subject, Wrote};
