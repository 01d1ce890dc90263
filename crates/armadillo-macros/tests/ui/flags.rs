armadillo::flags! {
    /// It has no default.
    static ORDERS: u32;
}

fn main() {}
