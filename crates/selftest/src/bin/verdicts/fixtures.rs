//! Tests whose fixtures fail, or must be torn down after the worst.

use armadillo::prelude::*;

/// Says what becomes of it.
struct Told;

impl Fixture for Told {
    type From = ();

    async fn setup(_: &TestContext, (): ()) -> Result<Self, TestError> {
        println!("set up");
        Ok(Self)
    }

    async fn teardown(&self) -> Result<(), TestError> {
        println!("torn down");
        Ok(())
    }
}

/// Cannot be set up.
struct Broken;

impl Fixture for Broken {
    type From = ();

    async fn setup(_: &TestContext, (): ()) -> Result<Self, TestError> {
        Err("no luck".into())
    }
}

/// Cannot be torn down.
struct Sticky;

impl Fixture for Sticky {
    type From = ();

    async fn setup(_: &TestContext, (): ()) -> Result<Self, TestError> {
        Ok(Self)
    }

    async fn teardown(&self) -> Result<(), TestError> {
        Err("it sticks".into())
    }
}

/// Says when it is dropped.
struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        println!("dropped");
    }
}

#[armadillo::test(timeout = "8s")]
async fn an_async_body_over_time(_told: &Told) {
    let _dropped = Dropped;
    std::future::pending::<()>().await;
}

#[armadillo::test]
fn a_body_that_panics(_told: &Told) {
    panic!("in the body");
}

#[armadillo::test]
fn a_set_up_that_fails(_told: &Told, _broken: &Broken) {
    println!("never");
}

#[armadillo::test]
fn a_teardown_that_fails(_sticky: &Sticky, _told: &Told) {
    println!("body");
}

#[armadillo::test]
fn a_body_and_a_teardown_that_fail(_sticky: &Sticky) {
    panic!("the body came first");
}
