struct Colour;

armadillo::flags! {
    /// It has no default.
    static ORDERS: u32;

    /// No such flag.
    static COLOUR: Colour = "red";
}

fn main() {}
