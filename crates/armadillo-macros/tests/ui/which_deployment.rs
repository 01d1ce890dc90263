#![allow(unused, reason = "the arguments are there for their types")]

mod fake;

use armadillo::prelude::*;
use fake::{Cluster, Queue, Single, Users, cluster};

#[armadillo::test]
async fn two_fit(a: Fresh<Single>, b: Fresh<Single>, users: &Users) {}

#[armadillo::test]
async fn two_shapes_fit(cluster: Cluster, single: Single, users: &Users) {}

#[armadillo::test]
async fn two_systems_fit(cluster: Cluster, queue: Queue, orchestrator: Orchestrator) {}

#[armadillo::test]
async fn shared_beside_exclusive(own: Exclusive<Cluster>, shared: Cluster) {}

#[armadillo::test]
async fn shared_beside_fresh(own: Fresh<Cluster>, shared: &Cluster) {}

#[armadillo::test]
async fn told_apart_or_not(#[topology(cluster(servers = 5))] five: Cluster, other: Cluster) {}

#[armadillo::fixture]
fn users_of_two(a: Fresh<Single>, b: Fresh<Single>, users: &Users) -> TwoUsers {
    TwoUsers
}

struct TwoUsers;

#[armadillo::test]
fn uses_users_of_two(_: &TwoUsers) {}

#[armadillo::test]
fn without_names(_: Fresh<Single>, _: Fresh<Single>, _: &Users) {}

fn main() {}
