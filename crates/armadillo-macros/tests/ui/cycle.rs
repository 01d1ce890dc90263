struct Chicken;
struct Egg;

#[armadillo::fixture]
fn hatch(_: &Egg) -> Chicken {
    Chicken
}

#[armadillo::fixture]
fn lay(_: &Chicken) -> Egg {
    Egg
}

#[armadillo::test]
fn came_first(_: &Egg) {}

fn main() {}
