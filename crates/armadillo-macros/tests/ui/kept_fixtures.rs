mod fake;

use fake::{Cluster, Database};

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

fn main() {}
