//! Invariants looked at after tests: what ArangoDB's own test utilities look at, as far as a test here can leave it.
//!
//! Of scope *lease*: things that carry the lease's id in their name. Of scope *idle*: everything that a fresh deployment
//! does not have, when nobody holds a lease, except what a fixture kept per deployment has made for all its tests.

mod agency;
mod cleaned;
mod collections;
mod databases;
mod healthy;
mod jobs;
mod maintenance;
mod named;
mod transactions;
mod users;
mod views;

use armadillo_orchestrator::Checker;

use self::named::{OfLease, Unexpected};
use crate::client::ArangoError;

/// All checkers.
pub(crate) fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(OfLease::<databases::Databases>::ALL),
        Box::new(Unexpected::<databases::Databases>::ALL),
        Box::new(OfLease::<collections::Collections>::ALL),
        Box::new(Unexpected::<collections::Collections>::ALL),
        Box::new(OfLease::<views::Views>::ALL),
        Box::new(Unexpected::<views::Views>::ALL),
        Box::new(OfLease::<users::Users>::ALL),
        Box::new(Unexpected::<users::Users>::ALL),
        Box::new(transactions::Open),
        Box::new(agency::Strange),
        Box::new(maintenance::SwitchedOff),
        // Before what a job may leave.
        Box::new(jobs::Unfinished),
        Box::new(cleaned::CleanedOut),
        Box::new(healthy::Unhealthy),
    ]
}

/// The verdict over what was found.
fn verdict(what: &str, found: Result<Vec<String>, ArangoError>) -> Result<(), String> {
    match found {
        Ok(found) if found.is_empty() => Ok(()),
        Ok(found) => Err(format!("{what}: {}", found.join(", "))),
        // What a server does not implement, nobody can have left there.
        Err(error) if error.is_not_implemented() => Ok(()),
        Err(error) => Err(format!("cannot check: {error}")),
    }
}
