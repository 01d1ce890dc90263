mod fake;

use armadillo::prelude::*;

#[armadillo::test]
async fn of_what(_: Exclusive<u32>) {}

fn main() {}
