//! Invariants that are looked at after tests.

use super::Fut;
use crate::view::View;

/// An invariant looked at after a test on its deployment.
pub trait Checker: Send + Sync {
    /// Its name: `databases`.
    fn name(&self) -> &'static str;

    /// When it may be asked.
    fn scope(&self) -> Scope;

    /// Whether a test that had the deployment alone, and left it well, fails as leaked for what this finds: so it is with
    /// what only tests make (a database, a key), and not with what a repair or a replacement is for (a server that is
    /// down). Asked of those of scope *idle*; what those of scope *lease* find is charged in any case.
    fn is_charged(&self) -> bool {
        false
    }

    /// Looks. `lease` is the id that the names of what a test created carry.
    ///
    /// # Errors
    /// What was found that should not be there, named.
    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>>;
}

/// When a checker may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// After every test: it looks only at things that carry the lease's id in their name.
    Lease,
    /// When nobody holds a lease: it looks at the whole.
    Idle,
}
