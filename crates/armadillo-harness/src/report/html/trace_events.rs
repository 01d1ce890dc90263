//! `--trace`: the run as a file for the viewers of browsers' traces, such as Perfetto: a process for the run with a thread for
//! each worker, and a process for each deployment with a thread for each server, its operations, its leaders and its leases.
//! The format is Chrome's Trace Event Format, the object form; its times are microseconds, as ours.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::super::model::Model;
use super::build;
use super::data::{DeploymentData, ReportData, ServerData, TestData};
use super::mark::Mark;

/// The process of the run itself. Those of deployments follow.
const RUN: usize = 1;

/// Writes the events of a run that has started.
pub(in crate::report) fn write_trace(model: &Model, to: &mut impl Write) -> io::Result<()> {
    let Some(data) = build::data(model, None) else {
        return Ok(());
    };
    let mut trace = Trace {
        to,
        is_first: true,
        threads: 0,
    };
    trace
        .to
        .write_all(b"{\"displayTimeUnit\":\"ms\",\"otherData\":")?;
    let about =
        json!({"run": data.run.id, "armadillo": data.run.armadillo, "missing": data.missing});
    serde_json::to_writer(&mut *trace.to, &about)?;
    trace.to.write_all(b",\"traceEvents\":[\n")?;
    trace.run(&data)?;
    for (at, deployment) in data.deployments.iter().enumerate() {
        let name = &data.topologies[deployment.topology];
        trace.deployment(&data, deployment, RUN + 1 + at, name)?;
    }
    trace.to.write_all(b"\n]}\n")
}

struct Trace<'w, W> {
    to: &'w mut W,
    is_first: bool,
    /// How many threads have a number.
    threads: usize,
}

/// Where an event is shown.
#[derive(Clone, Copy)]
struct Lane {
    process: usize,
    thread: usize,
}

/// An event of the format. What is not of its kind is left out.
#[derive(Serialize)]
struct TraceEvent<'e> {
    ph: &'static str,
    name: &'e str,
    cat: &'static str,
    pid: usize,
    tid: usize,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    /// How far an instant reaches: its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    args: Value,
}

impl<W: Write> Trace<'_, W> {
    fn put(&mut self, event: &TraceEvent<'_>) -> io::Result<()> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.to.write_all(b",\n")?;
        }
        Ok(serde_json::to_writer(&mut *self.to, event)?)
    }

    fn about(&mut self, lane: Lane, kind: &str, args: Value) -> io::Result<()> {
        self.put(&TraceEvent {
            ph: "M",
            name: kind,
            cat: "__metadata",
            pid: lane.process,
            tid: lane.thread,
            ts: 0,
            dur: None,
            s: None,
            args,
        })
    }

    fn process(&mut self, process: usize, name: &str) -> io::Result<()> {
        let lane = Lane { process, thread: 0 };
        self.about(lane, "process_name", json!({"name": name}))?;
        self.about(lane, "process_sort_index", json!({"sort_index": process}))
    }

    fn thread(&mut self, process: usize, name: &str) -> io::Result<Lane> {
        self.threads += 1;
        let thread = self.threads;
        let lane = Lane { process, thread };
        self.about(lane, "thread_name", json!({"name": name}))?;
        self.about(lane, "thread_sort_index", json!({"sort_index": thread}))?;
        Ok(lane)
    }

    fn span(
        &mut self,
        at: Lane,
        cat: &'static str,
        name: &str,
        time: (u64, u64),
        args: Value,
    ) -> io::Result<()> {
        self.put(&TraceEvent {
            ph: "X",
            name,
            cat,
            pid: at.process,
            tid: at.thread,
            ts: time.0,
            dur: Some(time.1.saturating_sub(time.0)),
            s: None,
            args,
        })
    }

    fn instant(
        &mut self,
        at: Lane,
        cat: &'static str,
        name: &str,
        ts: u64,
        args: Value,
    ) -> io::Result<()> {
        self.put(&TraceEvent {
            ph: "i",
            name,
            cat,
            pid: at.process,
            tid: at.thread,
            ts,
            dur: None,
            s: Some("t"),
            args,
        })
    }

    fn marks<'m>(&mut self, at: Lane, marks: impl Iterator<Item = &'m Mark>) -> io::Result<()> {
        for mark in marks {
            let args = json!({"text": mark.text, "from": mark.from});
            self.instant(at, "mark", &mark.what, mark.at, args)?;
        }
        Ok(())
    }

    fn run(&mut self, data: &ReportData) -> io::Result<()> {
        let name = format!("{}, run {}", data.run.executable, data.run.id);
        self.process(RUN, &name)?;
        let said = self.thread(RUN, "the run")?;
        self.marks(said, data.marks.iter())?;
        for (at, text) in &data.warnings {
            self.instant(said, "warning", "warning", *at, json!({"text": text}))?;
        }
        let mut by_worker: Vec<(String, Vec<Span<'_>>)> = Vec::new();
        for test in &data.tests {
            for (no, attempt) in test.attempts.iter().enumerate() {
                let name = match attempt.worker {
                    Some(worker) => format!("worker {worker}"),
                    None => "the runner".to_owned(),
                };
                let span = Span {
                    from: attempt.from,
                    to: attempt.to,
                    test,
                    args: json!({"verdict": attempt.verdict, "attempt": no + 1, "message": attempt.message}),
                };
                match by_worker.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, spans)) => spans.push(span),
                    None => by_worker.push((name, vec![span])),
                }
            }
        }
        for (name, spans) in by_worker {
            self.packed(RUN, &name, "test", spans)?;
        }
        Ok(())
    }

    /// Spans on as few threads as they fit: those of one thread must not overlap.
    fn packed(
        &mut self,
        process: usize,
        name: &str,
        cat: &'static str,
        mut spans: Vec<Span<'_>>,
    ) -> io::Result<()> {
        spans.sort_by_key(|span| (span.from, span.to));
        let mut lanes: Vec<(Lane, u64)> = Vec::new();
        for span in spans {
            let at = match lanes.iter().position(|(_, free)| *free <= span.from) {
                Some(at) => at,
                None => {
                    lanes.push((self.thread(process, name)?, 0));
                    lanes.len() - 1
                }
            };
            lanes[at].1 = span.to;
            self.span(
                lanes[at].0,
                cat,
                &span.test.name,
                (span.from, span.to),
                span.args,
            )?;
        }
        Ok(())
    }

    fn deployment(
        &mut self,
        data: &ReportData,
        one: &DeploymentData,
        process: usize,
        topology: &str,
    ) -> io::Result<()> {
        let end = one.stopped.unwrap_or(data.run.duration);
        self.process(process, &format!("{topology} ({})", one.id))?;
        let life = self.thread(process, "deployment")?;
        let ready = one.ready.unwrap_or(end);
        self.span(
            life,
            "deployment",
            "starting",
            (one.from, ready),
            json!({"failed": one.failed}),
        )?;
        if one.ready.is_some() {
            self.span(
                life,
                "deployment",
                "serves",
                (ready, end),
                json!({"complaints": one.complaints}),
            )?;
        }
        if let Some((at, why)) = &one.recycled {
            self.instant(life, "deployment", "replaced", *at, json!({"why": why}))?;
        }
        let of_server = |mark: &&Mark| mark.server.is_some();
        self.marks(life, one.marks.iter().filter(|mark| !of_server(mark)))?;
        if !one.repairs.is_empty() {
            let repairs = self.thread(process, "repairs")?;
            for (from, to, what) in &one.repairs {
                self.span(repairs, "repair", what, (*from, *to), Value::Null)?;
            }
        }
        self.leaders(one, process, end)?;
        for server in &one.servers {
            self.server(one, server, process, end)?;
        }
        let leases = one.leases.iter().map(|lease| Span {
            from: lease.from,
            to: lease.to.unwrap_or(end),
            test: &data.tests[lease.test],
            args: json!({"mode": lease.mode, "waited_us": lease.waited}),
        });
        self.packed(process, "leases", "lease", leases.collect())?;
        self.curves(one, process)
    }

    fn leaders(&mut self, one: &DeploymentData, process: usize, end: u64) -> io::Result<()> {
        for group in &one.leaders {
            let lane = self.thread(process, &format!("leader of {}", group.name))?;
            for (at, entry) in group.entries.iter().enumerate() {
                let until = group.entries.get(at + 1).map_or(end, |next| next.seen);
                let name = entry.leader.as_deref().unwrap_or("no leader");
                let args = json!({"term": entry.term, "not_before_us": entry.after, "seen_us": entry.seen});
                self.span(lane, "leader", name, (entry.seen, until), args)?;
            }
        }
        Ok(())
    }

    fn server(
        &mut self,
        one: &DeploymentData,
        server: &ServerData,
        process: usize,
        end: u64,
    ) -> io::Result<()> {
        let lane = self.thread(process, &server.name)?;
        for life in &server.processes {
            let until = life.exit.as_ref().map_or(end, |exit| exit.at);
            let how = life.exit.as_ref().map(|exit| &exit.how);
            let args = json!({"pid": life.pid, "exit": how});
            self.span(lane, "server", &server.name, (life.from, until), args)?;
            for (at, stage) in &life.stages {
                let name = serde_json::to_value(stage)?;
                let name = name.as_str().unwrap_or("stage").to_owned();
                self.instant(lane, "stage", &name, *at, Value::Null)?;
            }
            if let Some(exit) = &life.exit {
                let name = if exit.expected { "ended" } else { "crashed" };
                let args = json!({"how": exit.how, "log": exit.log});
                self.instant(lane, "exit", name, exit.at, args)?;
            }
        }
        let own = |mark: &&Mark| mark.server.as_deref() == Some(&server.name);
        self.marks(lane, one.marks.iter().filter(own))?;
        if server.operations.is_empty() {
            return Ok(());
        }
        let lane = self.thread(process, &format!("{}: operations", server.name))?;
        for (what, ordered, seen, failed) in &server.operations {
            self.span(
                lane,
                "operation",
                what,
                (*ordered, *seen),
                json!({"failed": failed}),
            )?;
        }
        Ok(())
    }

    fn curves(&mut self, one: &DeploymentData, process: usize) -> io::Result<()> {
        for curve in &one.curves {
            let name = serde_json::to_value(curve.figure)?;
            let name = name.as_str().unwrap_or("figure").to_owned();
            for (at, ts) in one.sampled.iter().enumerate() {
                let values = one.servers.iter().zip(&curve.values);
                let values = values.filter_map(|(server, all)| {
                    Some((server.name.clone(), json!(all.get(at).copied().flatten()?)))
                });
                let args: serde_json::Map<String, Value> = values.collect();
                if args.is_empty() {
                    continue;
                }
                self.put(&TraceEvent {
                    ph: "C",
                    name: &name,
                    cat: "statistics",
                    pid: process,
                    tid: 0,
                    ts: *ts,
                    dur: None,
                    s: None,
                    args: Value::Object(args),
                })?;
            }
        }
        Ok(())
    }
}

/// A stretch of time of a test.
struct Span<'d> {
    from: u64,
    to: u64,
    test: &'d TestData,
    args: Value,
}
