use armadillo::CollectedTest;

#[armadillo::collect]
struct NotAFunction;

#[armadillo::collect(all)]
fn with_options(_test: &mut CollectedTest) {}

#[armadillo::collect]
async fn asynchronous(_test: &mut CollectedTest) {}

#[armadillo::collect]
fn takes_nothing() {}

#[armadillo::collect]
fn only_looks(_test: &CollectedTest) {}

#[armadillo::collect]
fn returns_something(_test: &mut CollectedTest) -> bool {
    true
}

fn main() {}
