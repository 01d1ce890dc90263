//! What all jobs have in common: where they are kept, how they begin and how they end.

use serde_json::{Value, json};

use super::step::Step;
use super::view::{Place, View};

/// What time it is for the jobs of one round.
#[derive(Debug, Clone, Copy)]
pub(in crate::supervision) struct Clock {
    millis: u64,
}

impl Clock {
    /// The time of now.
    pub(in crate::supervision) fn now() -> Self {
        Self {
            millis: crate::system::micros() / 1000,
        }
    }

    /// A time in seconds since 1970.
    #[cfg(test)]
    pub(super) fn at(seconds: u64) -> Self {
        Self {
            millis: seconds.saturating_mul(1000),
        }
    }

    /// As the agency has it.
    pub(super) fn text(self) -> String {
        let date = crate::logging::date(self.millis / 1000);
        format!("{date}.{:03}Z", self.millis % 1000)
    }

    /// The time in so many seconds.
    pub(super) fn later(self, seconds: u64) -> Self {
        Self {
            millis: self.millis.saturating_add(seconds.saturating_mul(1000)),
        }
    }

    /// Whether a time of the agency is so many seconds ago.
    fn is_past(self, time: &str, seconds: u64) -> bool {
        let then = Self {
            millis: self.millis.saturating_sub(seconds.saturating_mul(1000)),
        };
        // Times are written alike, so that they are in the order of their texts.
        time < then.text().as_str()
    }
}

/// Why a job that somebody has cancelled fails.
pub(super) const KILLED: &str = "Killed via API";

/// A job that has not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) id: &'a str,
    pub(super) begun: bool,
    pub(super) entry: &'a Value,
    pub(super) view: View<'a>,
    pub(super) clock: Clock,
}

impl<'a> Job<'a> {
    /// All jobs that have not ended.
    pub(super) fn open(view: View<'a>, clock: Clock) -> Vec<Self> {
        let stage = |begun| {
            let path = stage_of(begun);
            let jobs = view.at(&format!("Target/{path}")).as_object();
            jobs.into_iter().flatten().map(move |(id, entry)| Self {
                id,
                begun,
                entry,
                view,
                clock,
            })
        };
        stage(true).chain(stage(false)).collect()
    }

    /// A property that is text; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.entry[name].as_str().unwrap_or("")
    }

    /// Whether somebody has cancelled it.
    pub(super) fn is_cancelled(&self) -> bool {
        self.entry["abort"] == true
    }

    /// Cancels it.
    pub(super) fn cancel(&self) -> Step {
        let mark = format!("{}/abort", self.path());
        self.step("cancelled").set(&mark, true)
    }

    /// The shard it is about.
    pub(super) fn place(&self) -> Place {
        Place {
            database: String::from(self.text("database")),
            collection: String::from(self.text("collection")),
            shard: String::from(self.text("shard")),
        }
    }

    fn path(&self) -> String {
        format!("Target/{}/{}", stage_of(self.begun), self.id)
    }

    /// Whether it is older than that, in seconds since it began, or was made if it has not.
    pub(super) fn is_late(&self, seconds: u64) -> bool {
        let since = if self.begun {
            "timeStarted"
        } else {
            "timeCreated"
        };
        let since = self.text(since);
        !since.is_empty() && self.clock.is_past(since, seconds)
    }

    fn step(&self, what: &str) -> Step {
        let text = format!("{} {}: {what}", self.text("type"), self.id);
        Step::new(text).if_there(&self.path())
    }

    /// From `ToDo` to `Pending`, with more properties.
    pub(super) fn begin(&self, more: &[(&str, Value)]) -> Step {
        let mut entry = self.entry.clone();
        entry["timeStarted"] = json!(self.clock.text());
        for (name, value) in more {
            entry[*name] = value.clone();
        }
        self.step("begun")
            .delete(&self.path())
            .set(&format!("Target/Pending/{}", self.id), entry)
    }

    /// Goes on: nothing but that it is still there.
    pub(super) fn go_on(&self, what: &str) -> Step {
        self.step(what)
    }

    /// To `Finished`, without the locks it held.
    pub(super) fn finish(&self) -> Step {
        self.end("Finished", "")
    }

    /// To `Failed`, without the locks it held.
    pub(super) fn fail(&self, reason: &str) -> Step {
        self.end("Failed", reason)
    }

    fn end(&self, stage: &str, reason: &str) -> Step {
        let mut entry = self.entry.clone();
        entry["timeFinished"] = json!(self.clock.text());
        let mut what = stage.to_lowercase();
        if !reason.is_empty() {
            entry["reason"] = json!(reason);
            what = format!("{what}, {reason}");
        }
        let mut step = self
            .step(&what)
            .delete(&self.path())
            .set(&format!("Target/{stage}/{}", self.id), entry);
        for lock in self.locks() {
            // Somebody more important may have taken it over.
            step = step.if_is(&lock, &json!(self.id)).delete(&lock);
        }
        step
    }

    /// The locks it holds.
    fn locks(&self) -> Vec<String> {
        let mut held = Vec::new();
        for kind in ["Supervision/Shards", "Supervision/DBServers"] {
            let locks = self.view.at(kind).as_object();
            let own = locks.into_iter().flatten();
            let own = own.filter(|(_, holder)| **holder == json!(self.id));
            held.extend(own.map(|(name, _)| format!("{kind}/{name}")));
        }
        held
    }

    /// Its sub jobs that have not ended.
    pub(super) fn sub_jobs(&self) -> Vec<Job<'a>> {
        let all = Self::open(self.view, self.clock).into_iter();
        all.filter(|job| number_of(job.id, self.id).is_some())
            .collect()
    }

    /// Whether one of its sub jobs has failed.
    pub(super) fn failed_sub_job(&self) -> bool {
        let mut failed = self.view.names("Target/Failed");
        failed.any(|id| number_of(id, self.id).is_some())
    }

    /// Adds sub jobs to a transaction.
    pub(super) fn spawn(&self, mut step: Step, entries: Vec<Value>) -> Step {
        let stages = ["ToDo", "Pending", "Finished", "Failed"];
        let known = stages
            .iter()
            .flat_map(|stage| self.view.names(&format!("Target/{stage}")))
            .filter_map(|id| number_of(id, self.id));
        let first = known.max().map_or(0, |last| last + 1);
        for (number, mut entry) in (first..).zip(entries) {
            let id = format!("{}-{number}", self.id);
            entry["parentJob"] = json!(self.id);
            let creator = self.text("creator");
            step = step.and(create(&id, creator, self.clock, entry));
        }
        step
    }
}

fn stage_of(begun: bool) -> &'static str {
    if begun { "Pending" } else { "ToDo" }
}

/// The number of a sub job.
pub(super) fn number_of(id: &str, parent: &str) -> Option<u64> {
    id.strip_prefix(parent)?.strip_prefix('-')?.parse().ok()
}

/// A transaction that makes a job.
pub(super) fn create(id: &str, creator: &str, clock: Clock, mut entry: Value) -> Step {
    entry["jobId"] = json!(id);
    entry["creator"] = json!(creator);
    entry["timeCreated"] = json!(clock.text());
    let path = format!("Target/ToDo/{id}");
    let what = format!("{} {id}: created", entry["type"].as_str().unwrap_or(""));
    Step::new(what).if_absent(&path).set(&path, entry)
}
