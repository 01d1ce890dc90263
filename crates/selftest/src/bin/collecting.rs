//! A suite with hooks and flags of its own, run with rules in `armadillo.toml`.

use std::process::ExitCode;

use armadillo::CollectedTest;
use armadillo::libtest_mimic::Arguments;

armadillo::markers! { nightly: "runs in the night only", large: "sends many orders" }

armadillo::flags! {
    /// How many customers there are.
    static CUSTOMERS: u32 = 3;
    /// Only these shops.
    static ONLY_SHOPS: Vec<String>;
    /// Also run the tests of the night.
    static NIGHT: bool;
    /// What a hook is to do wrong.
    static WRONG: Option<String>;
}

fn main() -> ExitCode {
    if std::env::var_os("SELFTEST_MAIN").is_none() {
        return armadillo::main();
    }
    armadillo::init();
    let arguments = Arguments::from_args();
    let trials = armadillo::trials(&arguments);
    armadillo::libtest_mimic::run(&arguments, trials).exit_code()
}

#[armadillo::collect]
fn large_orders_come_last(test: &mut CollectedTest) {
    if test.name().contains("large") {
        test.add_marker("large");
        test.set_order(1);
    }
    if test.name() == "visits::first" {
        test.set_order(-1);
    }
}

#[armadillo::collect]
fn not_by_day(test: &mut CollectedTest) {
    if test.has_marker("nightly") && !NIGHT.get() {
        test.skip("runs at night: --night");
    }
    if test.name() == "shop::counts" && !ONLY_SHOPS.get().is_empty() {
        armadillo::skip!("not in {}", ONLY_SHOPS.get().join(" or "));
    }
}

#[armadillo::collect]
fn is_told_what_to_do_wrong(test: &mut CollectedTest) {
    let wrong = WRONG.get().filter(|_| test.name() == "shop::counts");
    match wrong.as_deref() {
        Some("panic") => panic!("on purpose"),
        Some(marker) => test.add_marker(marker),
        None => {}
    }
}

mod shop {
    #[derive(Clone)]
    pub(crate) struct Users;

    #[armadillo::fixture]
    fn users() -> Users {
        Users
    }

    pub(crate) struct Accounts;

    #[armadillo::fixture]
    fn accounts(_users: &Users) -> Accounts {
        Accounts
    }

    #[armadillo::test]
    fn counts(_users: &Users) {}

    #[armadillo::test]
    fn has_accounts(_accounts: &Accounts) {}

    #[armadillo::test]
    fn takes_large_orders() {}

    #[armadillo::test(markers(nightly))]
    fn sleeps() {}
}

mod visits {
    #[armadillo::test]
    fn first() {}
}

mod flags {
    use super::*;

    /// A fixture that outlives tests reads them, too.
    struct Customers(u32);

    #[armadillo::fixture(per = "worker")]
    fn customers() -> Customers {
        Customers(CUSTOMERS.get())
    }

    #[armadillo::test]
    fn there_are_seven_customers(customers: &Customers) {
        assert_eq!((customers.0, CUSTOMERS.get()), (7, 7));
        assert!(NIGHT.get());
        assert_eq!(ONLY_SHOPS.get(), ["a", "b"]);
    }

    #[armadillo::test]
    fn there_are_three_customers() {
        assert_eq!((CUSTOMERS.get(), NIGHT.get()), (3, false));
    }
}

mod known {
    #[armadillo::test(xfail = "prices are rounded down")]
    fn fails() {
        panic!("7 is not 8\nnor 9");
    }

    #[armadillo::test(xfail = "prices are rounded down")]
    fn passes() {}

    #[armadillo::test(xfail("one in ten is lost", strict = false))]
    fn may_pass() {}

    #[armadillo::test(xfail("one in ten is lost", strict = false))]
    fn may_fail() {
        panic!("it is lost");
    }

    #[armadillo::test(xfail = "the process dies", isolated)]
    fn dies() {
        std::process::abort();
    }
}
