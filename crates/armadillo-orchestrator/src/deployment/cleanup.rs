//! What tests leave behind: found by checkers, removed by the system; and what deployments leave behind.

use super::Deployment;
use super::status::Phase;
use crate::deadline::Deadline;
use crate::join::try_join_all;
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
        if scope == Scope::Idle && self.view.topology.data.is_some() {
            // What was there before cannot be told from what tests have left.
            return complaints;
        }
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

    /// Has the system switch off what a test may have switched on in the servers that run.
    ///
    /// # Errors
    /// What could not be switched off, or that it took too long.
    pub async fn switch_off(&self, deadline: impl Into<Deadline> + Send) -> Result<(), String> {
        let running = self.servers.iter();
        let running = running.filter(|(_, server)| server.phase() == Phase::Running);
        let all = running.map(|(key, _)| async move {
            let done = self.system.switch_off(&self.view, key).await;
            done.map_err(|error| format!("{key}: {error}"))
        });
        let done = deadline.into().bound(try_join_all(all)).await;
        done.unwrap_or_else(|| Err("not finished before the deadline".to_owned()))
            .map(drop)
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
