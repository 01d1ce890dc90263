mod fake;

#[armadillo::test]
async fn reads(_db: fake::Database) {}

fn main() {}
