//! The etcd system for Armadillo.
