mod fake;

use fake::Cluster;

struct Plain;

#[armadillo::fixture(per = "deployment")]
fn not_serialisable(_: &Cluster) -> Plain {
    Plain
}

struct A;

#[armadillo::fixture(per = "run")]
fn unknown_scope() -> A {
    A
}

#[armadillo::fixture(scope = "test")]
fn unknown_option() -> A {
    A
}

#[armadillo::fixture(markers(rta_suite("auth")))]
fn marker_with_an_argument() -> A {
    A
}

#[armadillo::fixture(markers(slow), markers(fast))]
fn marked_twice() -> A {
    A
}

#[armadillo::fixture(markers = "slow")]
fn markers_are_a_list() -> A {
    A
}

#[armadillo::fixture]
fn nothing() {}

#[armadillo::fixture]
fn generic<T>(_: T) -> A {
    A
}

struct B;

#[armadillo::fixture(teardown = torn_down)]
fn wrong_teardown() -> B {
    B
}

async fn torn_down(_: &B) -> u32 {
    1
}

struct D;

#[armadillo::fixture]
fn not_an_error() -> Result<D, u32> {
    Ok(D)
}

fn main() {}
