//! A cluster: [`members`] looks at it, shared with every other test; [`agency`] writes where it keeps its plan; [`faults`]
//! kills, freezes and stops its servers, alone on it; [`losses`] looks for documents when servers have died; [`knowing`] reads
//! its state and its statistics; [`rolling`] restarts and upgrades one server after the other, [`scaling`] adds and removes
//! servers.

mod agency;
mod faults;
mod knowing;
mod losses;
mod members;
mod rolling;
mod scaling;
mod shards;
