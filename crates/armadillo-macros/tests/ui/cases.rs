use armadillo::prelude::*;

#[armadillo::test(cases(small(1), large(2, 3)))]
fn too_many(#[case] _number: u32) {}

#[armadillo::test(cases(small(1)))]
fn not_marked(_number: u32) {}

#[armadillo::test]
fn no_cases(#[case] _number: u32) {}

#[armadillo::test(cases(a(1), a(2)))]
fn same_name(#[case] _number: u32) {}

#[armadillo::test(cases())]
fn none(#[case] _number: u32) {}

#[armadillo::test(cases(text("one")))]
fn wrong_type(#[case] _number: u32) {}

#[armadillo::test(types(context = TestContext))]
fn not_generic(_: TestContext) {}

#[armadillo::test]
fn generic<T>(_: T) {}

#[armadillo::test(types(a = TestContext))]
fn generic_over_two<T, U>(_: T, _: U) {}

fn main() {}
