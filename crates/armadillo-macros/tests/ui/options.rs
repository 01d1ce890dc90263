#[armadillo::test(timeout = "2")]
fn no_unit() {}

#[armadillo::test(timeout = 2)]
fn no_text() {}

#[armadillo::test(timeout)]
fn no_time() {}

#[armadillo::test(marker(slow))]
fn one_letter() {}

#[armadillo::test(cluster = 3)]
fn no_option() {}

#[armadillo::test(retries = "two")]
fn no_number() {}

#[armadillo::test(isolated, isolated)]
fn twice() {}

#[armadillo::test(ignore = "one")]
#[ignore = "two"]
fn twice_in_two_places() {}

#[armadillo::test(markers("slow"))]
fn marker_in_quotes() {}

#[armadillo::test(markers(rta_suite(auth)))]
fn argument_without_quotes() {}

#[armadillo::test("slow")]
fn no_word() {}

#[armadillo::test(checkers(log = "maybe"))]
fn no_policy() {}

#[armadillo::test(requires(version = "3.12"))]
fn no_sign() {}

#[armadillo::test(requires())]
fn nothing_required() {}

#[armadillo::test(requires(version))]
fn no_version() {}

#[armadillo::test(requires)]
fn no_requirement() {}

fn main() {}
