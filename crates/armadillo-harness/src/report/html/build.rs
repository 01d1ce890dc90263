//! From what is known of a run to what the page is given.

use std::collections::HashMap;

use super::super::block::{command_line, kind_name};
use super::super::model::{Attempt, Begun, DeploymentRecord, Model, TestRecord};
use super::super::results::not_run;
use super::super::retries;
use super::budget::Budget;
use super::data::{AttemptData, LogData, ReportData, RunData, Status, TestData, WorkerData};
use super::lanes;
use crate::event::{RunStarted, TestIsolation};
use crate::outcome::{FailureKind, Verdict};
use crate::trace::Trace;

/// Where things are in their lists.
pub(super) struct Index {
    pub(super) tests: HashMap<String, usize>,
    pub(super) deployments: HashMap<String, usize>,
}

/// The run as the page is given it; if it is `live`, as it is at this time, in microseconds from its start. `None` if it never
/// started.
pub(super) fn data(model: &Model, live: Option<u64>) -> Option<ReportData> {
    let started = model.started.as_ref()?;
    let mut topologies = Names::default();
    let mut budget = Budget::new();
    let deployments = model.deployments.keys().cloned().enumerate();
    let mut index = Index {
        tests: HashMap::new(),
        deployments: deployments.map(|(at, id)| (id, at)).collect(),
    };
    let tests = tests(
        (model, started, live),
        &mut index,
        &mut topologies,
        &mut budget,
    );
    let deployments: Vec<_> = (model.deployments.iter())
        .map(|(id, record)| lanes::deployment(model, id, record, &index, &mut topologies))
        .collect();
    let mut missing = match live {
        Some(_) => Vec::new(),
        None => missing(model, started),
    };
    if budget.cut > 0 {
        missing.push(format!(
            "{} texts are cut or left out to keep this page small; the files of the run have them",
            budget.cut
        ));
    }
    Some(ReportData {
        run: run(model, started, live),
        missing,
        topologies: topologies.list,
        tests,
        deployments,
        workers: workers(model),
        marks: model.story.marks.kept.clone(),
        warnings: model.warnings.clone(),
        machine: model.story.machine.kept.clone(),
    })
}

/// Texts that many things have in common.
#[derive(Default)]
pub(super) struct Names {
    list: Vec<String>,
    at: HashMap<String, usize>,
}

impl Names {
    pub(super) fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.at.get(name) {
            return *at;
        }
        self.at.insert(name.to_owned(), self.list.len());
        self.list.push(name.to_owned());
        self.list.len() - 1
    }
}

fn run(model: &Model, started: &RunStarted, live: Option<u64>) -> RunData {
    let ending = model.ending.as_ref();
    RunData {
        id: started.run.clone(),
        unix_time: started.unix_time,
        epoch: lanes::epoch(model),
        armadillo: started.armadillo.clone(),
        executable: started.executable(),
        args: started.args.clone(),
        seed: started.seed.to_string(),
        workers: started.workers,
        isolation: started.isolation.clone(),
        filtered_out: started.filtered_out,
        programs: started.programs.clone().into_iter().collect(),
        duration: live.unwrap_or(model.now_us),
        live: live.is_some(),
        exit_code: ending.map(|ending| ending.exit_code),
        early: ending.and_then(|ending| ending.early.clone()),
    }
}

fn missing(model: &Model, started: &RunStarted) -> Vec<String> {
    let mut missing = Vec::new();
    if model.ending.is_none() {
        missing.push(format!(
            "The end of the run: the event log stops after {:.1} s",
            model.now_us as f64 / 1e6
        ));
        let open = model.deployments.values();
        let open = open.filter(|d| !d.stopped && d.failed.is_none()).count();
        if open > 0 {
            missing.push(format!("The end of {open} of the deployments"));
        }
    }
    let unfinished = not_run(model, &started.tests).len();
    if unfinished > 0 {
        missing.push(format!("Verdicts of {unfinished} tests that did not run"));
    }
    let dropped: usize = (model.story.deployments.values())
        .map(|life| life.marks.dropped)
        .sum::<usize>()
        + model.story.marks.dropped;
    if dropped > 0 {
        missing.push(format!("{dropped} marks beyond the first 20,000"));
    }
    missing
}

fn workers(model: &Model) -> Vec<WorkerData> {
    let workers = model.story.workers.iter();
    let data = workers.map(|(no, span)| WorkerData {
        no: *no,
        pid: span.pid,
        from: span.from,
        to: span.to,
        why: span.why.clone(),
    });
    data.collect()
}

/// All tests: the planned ones in the order of the plan, what else ended, and those that were ignored.
fn tests(
    (model, started, live): (&Model, &RunStarted, Option<u64>),
    index: &mut Index,
    topologies: &mut Names,
    budget: &mut Budget,
) -> Vec<TestData> {
    let ended: HashMap<&str, &TestRecord> =
        (model.tests.iter().map(|test| (test.name.as_str(), test))).collect();
    let planned = started.tests.iter().map(|test| test.test.as_str());
    let others = model.tests.iter().map(|test| test.name.as_str());
    let ignored = model.ignored.iter().map(|(name, _)| name.as_str());
    let mut names = Vec::new();
    for name in planned.chain(others).chain(ignored) {
        if !index.tests.contains_key(name) {
            index.tests.insert(name.to_owned(), names.len());
            names.push(name);
        }
    }
    let mut reasons: HashMap<&str, &str> = (model.ignored.iter())
        .map(|(name, reason)| (name.as_str(), reason.as_str()))
        .collect();
    // Failures first: what there is room for is theirs.
    let mut order: Vec<usize> = (0..names.len()).collect();
    let failed = |name: &str| ended.get(name).is_some_and(|t| t.verdict().is_failure());
    order.sort_by_key(|at| !failed(names[*at]));
    let mut tests: Vec<Option<TestData>> = names.iter().map(|_| None).collect();
    for at in order {
        let name = names[at];
        let mut test = of_plan(model, name, topologies);
        match ended.get(name) {
            Some(record) => ended_test(&mut test, model, record, index, budget),
            None => {
                if let Some(reason) = reasons.remove(name) {
                    test.status = Status::Ignored;
                    test.reason = budget.take(reason);
                }
            }
        }
        if let (Some(begun), Some(now)) = (model.running.get(name), live) {
            let earlier = model.pending.get(name).into_iter().flatten();
            test.status = Status::Running;
            test.attempts = earlier
                .map(|attempt| attempt_data(model, attempt, index, budget))
                .collect();
            test.attempts.push(running(begun, now, index));
        }
        tests[at] = Some(test);
    }
    tests.into_iter().flatten().collect()
}

fn of_plan(model: &Model, name: &str, topologies: &mut Names) -> TestData {
    let planned = model.planned(name);
    let topology = planned.and_then(|planned| planned.topologies());
    TestData {
        name: name.to_owned(),
        status: Status::NotRun,
        place: planned.map_or_else(String::new, |planned| planned.place.clone()),
        markers: planned.map_or_else(Vec::new, |planned| planned.markers.clone()),
        topology: topology.map(|topology| topologies.place(&topology)),
        reason: String::new(),
        retries: None,
        again: None,
        attempts: Vec::new(),
    }
}

fn ended_test(
    test: &mut TestData,
    model: &Model,
    record: &TestRecord,
    index: &Index,
    budget: &mut Budget,
) {
    test.status = status(record);
    if let Verdict::Skipped { reason } = record.verdict() {
        test.reason = budget.take(reason);
    }
    if record.verdict().is_failure() || record.is_flaky() {
        test.again = command_line(model, &record.name);
    }
    test.retries = retries::told(record);
    test.attempts = (record.attempts.iter())
        .map(|attempt| attempt_data(model, attempt, index, budget))
        .collect();
}

/// An attempt that goes on.
fn running(begun: &Begun, now: u64, index: &Index) -> AttemptData {
    AttemptData {
        no: begun.attempt,
        from: begun.at_us,
        to: now.max(begun.at_us),
        phases: [0; 3],
        verdict: "running",
        message: String::new(),
        traces: Vec::new(),
        worker: begun.worker,
        deployments: (begun.deployments.iter())
            .filter_map(|id| index.deployments.get(id).copied())
            .collect(),
        isolation: TestIsolation::AsDeclared,
        waited: None,
        shared_with: Vec::new(),
        before: Vec::new(),
        output: String::new(),
        printed: None,
        logs: Vec::new(),
        files: None,
        shown: Vec::new(),
        shown_more: None,
    }
}

fn status(record: &TestRecord) -> Status {
    match record.verdict() {
        Verdict::Passed if record.is_flaky() => Status::Flaky,
        Verdict::Passed => Status::Passed,
        Verdict::Skipped { .. } => Status::Skipped,
        Verdict::Failed {
            kind: FailureKind::Inconclusive,
            ..
        } => Status::Inconclusive,
        Verdict::Failed { .. } => Status::Failed,
    }
}

fn attempt_data(
    model: &Model,
    attempt: &Attempt,
    index: &Index,
    budget: &mut Budget,
) -> AttemptData {
    let finished = &attempt.finished;
    let begun = model.story.begun.get(&finished.test);
    // The last start counts: an attempt that was put back began more than once.
    let begun = begun.and_then(|all| all.iter().rfind(|b| b.attempt == finished.attempt));
    let from = begun.map_or(attempt.ended_us, |began| began.at);
    let lease = begun.and_then(|began| model.story.leases.get(began.lease?));
    let (verdict, message, traces) = match &finished.verdict {
        Verdict::Passed => ("passed", "", &[][..]),
        Verdict::Skipped { .. } => ("skipped", "", &[][..]),
        Verdict::Failed {
            kind,
            message,
            traces,
        } => (kind_name(*kind), message.as_str(), traces.as_slice()),
    };
    let output = budget.take(&finished.output.text);
    let is_short = finished.output.omitted > 0 || output.len() != finished.output.text.len();
    let times = finished.times;
    AttemptData {
        no: finished.attempt,
        from: from.min(attempt.ended_us),
        to: attempt.ended_us,
        phases: [times.set_up, times.body, times.tear_down],
        verdict,
        message: budget.take(message.trim_end()),
        traces: traces.iter().flat_map(Trace::lines).collect(),
        worker: finished.worker,
        deployments: (finished.deployments.iter())
            .filter_map(|id| index.deployments.get(id).copied())
            .collect(),
        isolation: finished.isolation,
        waited: lease.map(|lease| lease.waited),
        shared_with: names(&finished.company.shared_with),
        before: names(&finished.company.before),
        output,
        printed: is_short.then_some(finished.output.bytes),
        logs: logs(attempt, budget),
        files: (finished.artifacts.as_deref()).map(|path| below_run(model, path)),
        shown: (finished.shown.stretches.iter())
            .map(|one| {
                let (from, to) = (from + one.from_us, from + one.to_us);
                (one.lane.clone(), budget.take(&one.text), from, to, one.tone)
            })
            .collect(),
        shown_more: Some(finished.shown.more).filter(|more| *more > 0),
    }
}

fn names(names: &crate::event::Names) -> Vec<String> {
    let mut list = names.named.clone();
    if names.more > 0 {
        list.push(format!("and {} more", names.more));
    }
    list
}

fn logs(attempt: &Attempt, budget: &mut Budget) -> Vec<LogData> {
    let mut logs = Vec::new();
    for (deployment, servers) in &attempt.finished.server_logs {
        for (server, log) in servers {
            logs.push(LogData {
                deployment: deployment.clone(),
                server: server.to_string(),
                of: log.of,
                lines: budget.lines(&log.lines),
            });
        }
    }
    logs
}

/// The page lies in the run's directory: what is below it can be reached from there, wherever both are.
fn below_run(model: &Model, path: &str) -> String {
    let directory = model
        .started
        .as_ref()
        .and_then(|run| run.directory.as_deref());
    let below = directory.and_then(|directory| path.strip_prefix(directory));
    match below.and_then(|below| below.strip_prefix('/')) {
        Some(below) => below.to_owned(),
        None => path.to_owned(),
    }
}

/// The reason why a deployment was given up, with the moment.
pub(super) fn recycled(
    model: &Model,
    id: &str,
    record: &DeploymentRecord,
) -> Option<(u64, String)> {
    let at = model
        .story
        .deployments
        .get(id)
        .and_then(|life| life.recycled);
    Some((at.unwrap_or(model.now_us), record.recycled.clone()?))
}
