#![allow(unused, reason = "the arguments are there for their types")]

mod fake;

use armadillo::prelude::*;
use fake::{Cluster, Queue, Single, Users, cluster};

#[armadillo::test]
async fn no_such_argument(a: Fresh<Single>, #[on(b)] users: &Users) {}

#[armadillo::test]
async fn itself(a: Fresh<Single>, #[on(users)] users: &Users) {}

#[armadillo::test]
async fn in_a_chain(a: Fresh<Single>, #[on(a)] users: &Users, #[on(users)] any: Orchestrator) {}

#[armadillo::test]
async fn of_another_kind(queue: Queue, #[on(queue)] users: &Users) {}

#[armadillo::test]
async fn of_no_deployment(cx: TestContext, #[on(cx)] users: &Users) {}

#[armadillo::test]
async fn of_its_own(a: Single, #[on(a)] #[topology(cluster)] users: &Users) {}

#[armadillo::test]
async fn nothing_named(a: Single, #[on] users: &Users, #[on()] more: Orchestrator) {}

#[armadillo::test(cases(one(1)))]
async fn a_case(a: Single, #[case] #[on(a)] number: u8) {}

fn main() {}
