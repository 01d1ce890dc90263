mod fake;

use fake::{Cluster, Database, Queue, Users};

struct Pool;

#[armadillo::fixture(per = "worker")]
fn pool(_: &Cluster) -> Pool {
    Pool
}

#[armadillo::test]
fn uses_pool(_: &Pool) {}

#[derive(serde::Serialize, serde::Deserialize)]
struct Data;

#[armadillo::fixture(per = "deployment")]
fn data(_: &Database) -> Data {
    Data
}

#[armadillo::test]
fn uses_data(_: &Data) {}

#[derive(serde::Serialize, serde::Deserialize)]
struct Mirror;

#[armadillo::fixture(per = "deployment")]
fn mirror(_: &Cluster, _: &Queue) -> Mirror {
    Mirror
}

#[armadillo::test]
fn uses_mirror(_: &Mirror) {}

struct ByHand;

impl armadillo::prelude::Fixture for ByHand {
    type From = (std::sync::Arc<Users>,);
    const NEEDS: armadillo::harness::needs::Needs = <Cluster as armadillo::prelude::Fixture>::NEEDS;

    async fn setup(
        _: &armadillo::prelude::TestContext,
        _: Self::From,
    ) -> Result<Self, armadillo::prelude::TestError> {
        Ok(Self)
    }
}

#[armadillo::test]
fn says_its_needs_itself(_: &ByHand) {}

fn main() {}
