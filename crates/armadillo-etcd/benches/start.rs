//! How long clusters take from start to ready: `cargo bench -p armadillo-etcd --bench start`.
//!
//! `ARMADILLO_STARTS` (30) clusters of `ARMADILLO_MEMBERS` (3) members, one after the other; with `ARMADILLO_TLS` they speak
//! TLS. Prints; judges nothing.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use armadillo_etcd::etcd;
use support::{number_from_env, with_cluster};

fn main() {
    let starts = number_from_env("ARMADILLO_STARTS", 30);
    let members = u32::try_from(number_from_env("ARMADILLO_MEMBERS", 3)).unwrap_or(3);
    let mut topology = etcd().members(members);
    if std::env::var_os("ARMADILLO_TLS").is_some() {
        topology = topology.tls();
    }
    let mut times: Vec<Duration> = (0..starts)
        .filter_map(|_| with_cluster(topology, async |cluster| cluster.start_took))
        .collect();
    times.sort();
    let (Some(best), Some(worst)) = (times.first(), times.last()) else {
        return;
    };
    let over = times.iter().filter(|took| **took > Duration::from_secs(1));
    println!(
        "{} starts of {members} members: best {best:.0?}, median {:.0?}, worst {worst:.0?}; {} over 1 s",
        times.len(),
        times[times.len() / 2],
        over.count()
    );
}
