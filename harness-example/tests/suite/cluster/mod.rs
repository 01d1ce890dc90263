//! A cluster: [`members`] looks at it, shared with every other test; [`agency`] writes where it keeps its plan; [`faults`]
//! kills, freezes and stops its servers, alone on it; [`losses`] looks for documents when servers have died.

mod agency;
mod faults;
mod losses;
mod members;
mod shards;
