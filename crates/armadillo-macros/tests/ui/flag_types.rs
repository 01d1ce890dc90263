struct Colour;

armadillo::flags! {
    /// Nobody knows how to read it.
    static COLOUR: Colour = "red";

    /// Nobody knows how to read one of them.
    static COLOURS: Vec<Colour>;
}

fn main() {}
