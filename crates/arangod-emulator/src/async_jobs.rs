//! Requests that were sent with `x-arango-async: store`: their answers wait to be fetched.

use std::collections::BTreeMap;

use crate::auth::Identity;
use crate::http::Answer;

#[derive(Debug)]
struct Job {
    owner: Identity,
    /// In microseconds since 1970.
    began: u64,
    /// Nothing as long as the request is being worked on.
    answer: Option<Answer>,
}

/// What becomes of a job that somebody asks for.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// There is none, or it is somebody else's.
    Unknown,
    /// It is not done.
    Pending,
    /// It is done. Without an answer, the answer was only looked for.
    Done(Option<Answer>),
}

/// All jobs of a server.
#[derive(Debug, Default)]
pub(crate) struct AsyncJobs {
    jobs: BTreeMap<u64, Job>,
    latest: u64,
}

impl AsyncJobs {
    /// Begins one and returns its id.
    pub(crate) fn begin(&mut self, owner: Identity, now: u64) -> u64 {
        self.latest = now.max(self.latest + 1);
        let job = Job {
            owner,
            began: now,
            answer: None,
        };
        self.jobs.insert(self.latest, job);
        self.latest
    }

    /// Keeps the answer, unless the job was deleted.
    pub(crate) fn finish(&mut self, id: u64, answer: Answer) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.answer = Some(answer);
        }
    }

    /// The ids of somebody's jobs that are done, or of those that are not; at most so many.
    pub(crate) fn list(&self, owner: &Identity, done: bool, most: usize) -> Vec<String> {
        let wanted = |job: &Job| job.owner == *owner && job.answer.is_some() == done;
        let jobs = self.jobs.iter().filter(|(_, job)| wanted(job));
        jobs.map(|(id, _)| id.to_string()).take(most).collect()
    }

    /// Looks at a job.
    pub(crate) fn look(&self, owner: &Identity, id: u64) -> Fetched {
        match self.jobs.get(&id).filter(|job| job.owner == *owner) {
            None => Fetched::Unknown,
            Some(job) if job.answer.is_none() => Fetched::Pending,
            Some(_) => Fetched::Done(None),
        }
    }

    /// Takes the answer of a job that is done; the job is gone then.
    pub(crate) fn fetch(&mut self, owner: &Identity, id: u64) -> Fetched {
        match self.look(owner, id) {
            Fetched::Done(_) => Fetched::Done(self.jobs.remove(&id).and_then(|job| job.answer)),
            other => other,
        }
    }

    /// Forgets a job; says whether there was one.
    pub(crate) fn delete(&mut self, owner: &Identity, id: u64) -> bool {
        let there = !matches!(self.look(owner, id), Fetched::Unknown);
        there && self.jobs.remove(&id).is_some()
    }

    /// Forgets somebody's jobs that began before this moment.
    pub(crate) fn delete_before(&mut self, owner: &Identity, moment: u64) {
        self.jobs
            .retain(|_, job| job.owner != *owner || job.began >= moment);
    }
}
