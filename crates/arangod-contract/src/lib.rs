//! What arangod 3.12 answers, as data: which endpoint answers what in which role and phase, with which keys of which types.
//!
//! The tables are the files in `data`, one for each group of endpoints; [`Contract`] reads them. Every row names its source: a
//! file of arangod's published sources, its documentation, or a recorded exchange. What no source says is marked as unknown.
//!
//! Only tests use this crate. The stand-in is played against the tables, recorded exchanges are compared with them, and parsers
//! are given what a [`Shape`] allows ([`Shape::answers`]): every optional key dropped or not, and keys that nobody knows.

mod answers;
mod contract;
mod ledger;
mod read;
mod shape;

pub use contract::{Contract, ContractError, Phase, Role, Row};
pub use ledger::{Assumption, Kind, ledger, manual};
pub use shape::Shape;
