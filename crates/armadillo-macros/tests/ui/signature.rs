use armadillo::prelude::*;

struct Suite;

impl Suite {
    #[armadillo::test]
    fn method(&self) {}
}

#[armadillo::test]
fn exclusive_reference(_: &mut TestContext) {}

#[armadillo::test]
fn opaque(_: impl Fixture) {}

#[armadillo::test]
unsafe fn unsafe_test() {}

#[armadillo::test]
extern "C" fn c() {}

#[armadillo::test]
#[tokio::test]
async fn doubled() {}

#[armadillo::test]
struct NoFunction;

type C = TestContext;

#[armadillo::test]
fn nine(_: C, _: C, _: C, _: C, _: C, _: C, _: C, _: C, _: C) {}

fn main() {}
