//! What tests leave behind: found by checkers, removed by the system; and what deployments leave behind.

use super::Deployment;
use crate::deadline::Deadline;
use crate::system::{Checker, Scope};

impl Deployment {
    /// Asks every checker of this scope that is `asked`; returns the name and the complaint of each that has one.
    /// `lease` is the id that the names of what a test created carry. A checker that does not answer by the deadline has
    /// complained.
    pub async fn check(
        &self,
        scope: Scope,
        lease: &str,
        asked: impl Fn(&dyn Checker) -> bool + Send,
        deadline: impl Into<Deadline> + Send,
    ) -> Vec<(String, String)> {
        let deadline = deadline.into();
        let mut complaints = Vec::new();
        for checker in self.system.checkers() {
            if checker.scope() != scope || !asked(&*checker) {
                continue;
            }
            match deadline.bound(checker.check(&self.view, lease)).await {
                Some(Ok(())) => {}
                Some(Err(complaint)) => complaints.push((checker.name().to_owned(), complaint)),
                None => complaints.push((
                    checker.name().to_owned(),
                    "no response before the deadline".to_owned(),
                )),
            }
        }
        complaints
    }

    /// Removes everything whose name carries this lease; returns what was removed.
    ///
    /// # Errors
    /// What could not be removed, or that it took too long.
    pub async fn purge(
        &self,
        lease: &str,
        deadline: impl Into<Deadline> + Send,
    ) -> Result<Vec<String>, String> {
        deadline
            .into()
            .bound(self.system.purge(&self.view, lease))
            .await
            .unwrap_or_else(|| Err("not finished before the deadline".to_owned()))
    }

    /// Removes what the servers have stored; what they have logged stays. For a deployment that has been stopped.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove_data(&self) -> std::io::Result<()> {
        self.site.remove_data()
    }
}
