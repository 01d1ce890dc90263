//! The attributes of Armadillo: each expands to a registration, nothing more.
