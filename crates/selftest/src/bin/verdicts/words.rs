//! Tests that panic on purpose, skip, or return errors.

use armadillo::Inconclusive;
use armadillo::prelude::*;

#[armadillo::test]
#[should_panic]
fn panics_as_it_should() {
    panic!("as it should");
}

#[armadillo::test(should_panic = "the right words")]
fn panics_with_the_right_words() {
    panic!("these are the right words");
}

#[armadillo::test(should_panic = "the right words")]
fn panics_with_other_words() {
    panic!("these are not");
}

#[armadillo::test(should_panic)]
fn does_not_panic() {}

#[armadillo::test]
fn skips() {
    println!("not seen");
    armadillo::skip!("needs {} cores", 9000);
}

#[armadillo::test]
fn finds_nothing_out() {
    armadillo::inconclusive!("only {} of 7 rounds count", 3);
}

#[armadillo::test]
fn returns_that_it_found_nothing_out() -> TestResult {
    Err(Inconclusive::new("nobody came"))?;
    Ok(())
}

#[armadillo::test]
fn returns_an_error() -> TestResult {
    let number: u8 = "300".parse()?;
    println!("{number}");
    Ok(())
}
