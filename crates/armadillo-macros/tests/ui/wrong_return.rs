#[armadillo::test]
fn number() -> u32 {
    1
}

#[armadillo::test]
async fn result_of_number() -> Result<u32, String> {
    Ok(1)
}

struct NoDebug;

#[armadillo::test]
async fn error_without_debug() -> Result<(), NoDebug> {
    Ok(())
}

fn main() {}
