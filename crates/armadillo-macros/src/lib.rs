//! The attributes of Armadillo: each expands to a registration, nothing more.
//!
//! They know no product: any word in the attribute that is not an option is a topology builder found by name, whatever
//! crate it comes from, and rustc reports what is wrong with it at the place where it is written.

mod collect;
mod fixture;
mod marks;
mod parameters;
mod test;
mod topology;

use proc_macro::TokenStream;

/// Registers a function as a test.
///
/// ```ignore
/// #[armadillo::test(cluster(servers = 5), markers(slow, rta_suite("x")), timeout = "3m", retries = 1)]
/// async fn survives(cluster: Exclusive<Cluster>, db: &Database) -> TestResult { .. }
/// ```
///
/// The function may be `async` or not, and returns `()` or a `Result<(), E>`. Its arguments are fixtures, found by type:
/// `T` for a clone of the handle, `&T` for a reference. Options, in any order:
///
/// | option | meaning |
/// | --- | --- |
/// | `markers(slow, rta_suite("auth"))` | its markers |
/// | `timeout = "30s"` | the time limit of its body: `ms`, `s`, `m` or `h` |
/// | `retries = 2` | how often it may be tried again |
/// | `isolated` | it wants a process of its own |
/// | `ignore`, `ignore = "reason"` | it runs only if asked for |
/// | `should_panic`, `should_panic = "text"` | it passes if it panics (with that in the message) |
/// | `xfail = "reason"`, `xfail("reason", strict = false)` | it is known to fail: that counts as skipped; if it passes, it fails, or passes |
/// | `cases(small(1), large(1000))` | one test for each, whose values are the arguments marked `#[case]` |
/// | `types(a = A, b = B)` | one test for each, of a function generic over one type |
/// | anything else: `cluster(servers = 5, minimal)` | its topology: `cluster().servers(5).minimal().topology()` |
///
/// With several deployments, an argument can have a topology of its own, which makes its deployment one of its own, and can
/// say on which other argument's deployment it is:
///
/// ```ignore
/// #[armadillo::test]
/// async fn follows(primary: Fresh<Cluster>, #[topology(cluster(servers = 1))] copy: Fresh<Cluster>, #[on(copy)] db: Database) {}
/// ```
///
/// In a topology each word is said once; only one with several values, such as `option("name", "value")`, may be repeated.
///
/// `#[ignore]` and `#[should_panic]` written as attributes of the function mean the same.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(options.into(), item.into()).into()
}

/// Registers a function as a hook that sees each test when it is collected, before tests are selected.
///
/// ```ignore
/// #[armadillo::collect]
/// fn upgrades_are_slow(test: &mut armadillo::CollectedTest) {
///     if test.uses("OldServer") {
///         test.add_marker("slow");
///     }
/// }
/// ```
///
/// It can add markers, ignore a test with a reason, and put tests before or behind others.
#[proc_macro_attribute]
pub fn collect(options: TokenStream, item: TokenStream) -> TokenStream {
    collect::expand(&options.into(), item.into()).into()
}

/// Makes the type that a function returns a fixture.
///
/// ```ignore
/// #[armadillo::fixture(per = "deployment", teardown = drop_users)]
/// async fn users(cluster: &Cluster) -> Result<Users, Error> { .. }
///
/// async fn drop_users(users: &Users) -> Result<(), Error> { .. }
/// ```
///
/// | option | meaning |
/// | --- | --- |
/// | `per = "test"` | one for each test; the default |
/// | `per = "worker"` | one for each process that runs tests |
/// | `per = "deployment"` | one for each deployment; the type must implement serde's `Serialize` and `Deserialize` |
/// | `teardown = path` | an async function of `&T` that undoes it; returns `()` or a `Result<(), E>` |
/// | `markers(slow)` | markers of every test that uses it, also through another fixture; without arguments |
///
/// Its arguments may be marked `#[topology(..)]` and `#[on(..)]` as those of a test.
#[proc_macro_attribute]
pub fn fixture(options: TokenStream, item: TokenStream) -> TokenStream {
    fixture::expand(options.into(), item.into()).into()
}
