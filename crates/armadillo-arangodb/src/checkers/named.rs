//! Things with names that tests create: those that are left when a lease ends, and those that nobody owns.

use std::marker::PhantomData;

use armadillo_orchestrator::{Checker, Fut, Scope, View};

use super::verdict;
use crate::client::ArangoError;
use crate::names::{carries, is_kept};

/// A kind of things with names.
pub(super) trait Named: Send + Sync + 'static {
    /// The checker's name.
    const NAME: &'static str;
    /// What is said of those that carry the name of a lease that has ended.
    const LEFT_BEHIND: &'static str;
    /// What is said of those that belong to no test.
    const OF_NO_TEST: &'static str;

    /// All that there are.
    fn list(view: &View) -> impl Future<Output = Result<Vec<Thing>, ArangoError>> + Send;

    /// Whether a fresh deployment has one of this name.
    fn is_of_server(name: &str) -> bool;
}

/// One of them.
pub(super) struct Thing {
    /// What decides whose it is.
    pub(super) name: String,
    /// What it is called in a complaint.
    pub(super) shown: String,
}

/// Of this name, and called so.
impl From<String> for Thing {
    fn from(name: String) -> Self {
        Self {
            shown: name.clone(),
            name,
        }
    }
}

/// Those whose name carries the lease.
pub(super) struct OfLease<T>(PhantomData<T>);

/// Those that a fresh deployment does not have.
pub(super) struct Unexpected<T>(PhantomData<T>);

impl<T> OfLease<T> {
    pub(super) const ALL: Self = Self(PhantomData);
}

impl<T> Unexpected<T> {
    pub(super) const ALL: Self = Self(PhantomData);
}

impl<T: Named> Checker for OfLease<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn scope(&self) -> Scope {
        Scope::Lease
    }

    fn check<'a>(&'a self, view: &'a View, lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let found = found::<T>(view, |name| carries(name, lease)).await;
            verdict(T::LEFT_BEHIND, found)
        })
    }
}

impl<T: Named> Checker for Unexpected<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn scope(&self) -> Scope {
        Scope::Idle
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn check<'a>(&'a self, view: &'a View, _lease: &'a str) -> Fut<'a, Result<(), String>> {
        Box::pin(async move {
            let strange = |name: &str| !T::is_of_server(name) && !is_kept(name, view);
            verdict(T::OF_NO_TEST, found::<T>(view, strange).await)
        })
    }
}

async fn found<T: Named>(
    view: &View,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, ArangoError> {
    let all = T::list(view).await?.into_iter();
    let found = all.filter(|thing| wanted(&thing.name));
    Ok(found.map(|thing| thing.shown).collect())
}
