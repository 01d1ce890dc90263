//! The arangodb system for Armadillo.
