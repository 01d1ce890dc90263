//! A harness target: `harness = false` in Cargo.toml, this `main`, and modules of tests.
//!
//! In the order of reading: [`orders`] needs no deployment, [`stores`] and [`shop`] are fixtures of our own, and the other
//! modules use them on an ArangoDB single server and on etcd clusters. [`several`] has tests on several deployments at once, and
//! [`backup`], [`membership`] and [`upgrade`] operate on one that runs. [`hooks`] has what the suite says of its tests as a whole.

mod backup;
mod cluster;
mod consistency;
mod documents;
mod failover;
mod hooks;
mod inventory;
mod keys;
mod links;
mod load;
mod loaded_once;
mod membership;
mod orders;
mod other_clients;
mod process;
mod rights;
mod several;
mod shop;
mod single_server;
mod stores;
mod upgrade;

use std::process::ExitCode;

fn main() -> ExitCode {
    armadillo::main()
}
