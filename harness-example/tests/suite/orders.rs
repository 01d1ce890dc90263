//! Tests that need no deployment. They are like any `#[test]`: plain functions, `async` or not, which return nothing or a
//! `Result`. They start at once, while the servers of other tests are still coming up.

use armadillo::prelude::*;
use harness_example::{Order, OrderError, Prices};

#[armadillo::test(markers(fast, smoke_test))]
fn an_order_is_a_number_and_an_article() -> Result<(), OrderError> {
    let order: Order = "3 apples".parse()?;
    assert_eq!(order, Order::new(3, "apples"));
    Ok(())
}

/// A test for each case, each with a name of its own: `orders::a_bad_order_is_refused::no_number`.
#[armadillo::test(
    markers(fast),
    cases(
        empty("", "a number and an article"),
        one_word("apples", "a number and an article"),
        three_words("3 red apples", "a number and an article"),
        no_number("some apples", "how many?"),
        negative("-1 apples", "how many?"),
        nothing("0 apples", "an order of nothing"),
    )
)]
fn a_bad_order_is_refused(#[case] text: &str, #[case] reason: &str) {
    let error = text.parse::<Order>().map_err(|error| error.to_string());
    assert!(error.is_err_and(|error| error.contains(reason)), "{text:?}");
}

/// `#[should_panic(expected = "..")]`, as an attribute of its own, means the same.
#[armadillo::test(should_panic = "an order of nothing", markers(fast))]
fn an_order_of_nothing_is_a_mistake_of_the_program() {
    let _ = Order::new(0, "apples");
}

/// `TestContext` is a fixture that every test can have: its name, a directory of its own, a seed, the time that is left.
#[armadillo::test(markers(fast), timeout = "20s")]
fn prices_come_from_a_file(cx: &TestContext) -> TestResult {
    let file = cx.temporary_directory().join("prices");
    std::fs::write(&file, "apples 35\npears 50\n")?;
    let prices = Prices::load(&file)?;
    assert_eq!(prices.of(&Order::new(2, "pears")), Some(100));
    assert_eq!(prices.of(&Order::new(2, "plums")), None);

    assert_eq!(cx.name(), "orders::prices_come_from_a_file");
    assert!(cx.remaining().as_secs() < 20, "{:?}", cx.remaining());
    Ok(())
}

#[armadillo::test(markers(fast, regression))]
fn a_line_that_is_no_price_is_shown() {
    let error = Prices::parse("apples 35\nfree").map_err(|error| error.to_string());
    assert_eq!(error, Err("no price: `free`".to_owned()));
}

/// A mistake that is known and not mended yet: the test runs, its failure counts as skipped, and once it passes it fails until the
/// option is removed.
#[armadillo::test(markers(fast), xfail = "the second price replaces the first")]
fn an_article_with_two_prices_is_a_mistake() {
    assert!(Prices::parse("apples 35\napples 40").is_err());
}
