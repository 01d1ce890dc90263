struct Database;

#[armadillo::test]
async fn reads(_db: &Database) {}

fn main() {}
