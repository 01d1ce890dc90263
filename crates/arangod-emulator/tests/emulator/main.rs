//! The emulator as a process: started, asked, killed.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

mod agency;
mod agents;
mod auth;
mod boot;
mod cluster;
mod clusters;
mod collections;
mod command_line;
mod contract;
mod data;
mod durability;
mod failure_points;
mod golden;
mod jobs;
mod judges;
mod line;
mod moves;
mod refusals;
mod rights;
mod rounds;
mod shard_rounds;
mod sharded;
mod shards;
mod signals;
mod support;
mod system_collections;
mod tls;
mod versions;
mod wire;
